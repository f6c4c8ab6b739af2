"""What can be done with a job: cancel, place its take, open its folder, remove it; and what follows a done one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Operator

from ..relitalk_addon import jobs, watch
from ..relitalk_addon.engine import ReliTalkError
from .base import ARGUMENT
from .place import place


class _Job:
    job: StringProperty(name="Job", options=ARGUMENT, description="The job's name; empty: the newest that runs")

    def chosen(self):
        """The job that is meant; None, and an error said, where there is none."""
        found = next((job for job in watch.all_jobs() if self.job and job.name == self.job), None)
        if found is None and not self.job:
            found = watch.running()
        if found is None:
            self.report({"ERROR"}, f"There is no job {self.job}." if self.job else "No job runs.")
        return found


class RELITALK_OT_cancel(_Job, Operator):
    """Stop a job; what is whole is kept, and a training can be resumed"""

    bl_idname = "relitalk.cancel"
    bl_label = "Cancel Job"
    bl_options = {"REGISTER"}

    def execute(self, context):
        job = self.chosen()
        if job is None:
            return {"CANCELLED"}
        if job.state is not jobs.State.RUNNING:
            self.report({"ERROR"}, f"{job.order.title} has ended already.")
            return {"CANCELLED"}
        job.cancel()
        self.report({"INFO"}, f"{job.order.title} stops within seconds")
        return {"FINISHED"}


class RELITALK_OT_place_job(_Job, Operator):
    """Stand the job's take in this scene"""

    bl_idname = "relitalk.place_job"
    bl_label = "Place"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        job = self.chosen()
        if job is None:
            return {"CANCELLED"}
        try:
            place(self, context, job.order.result, job.order.frame_start)
        except ReliTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class RELITALK_OT_open_job(_Job, Operator):
    """Open the folder of the job's result, or of its log where it failed"""

    bl_idname = "relitalk.open_job"
    bl_label = "Open Folder"
    bl_options = {"REGISTER"}

    def execute(self, context):
        job = self.chosen()
        if job is None:
            return {"CANCELLED"}
        result = Path(job.order.result)
        bpy.ops.wm.path_open(filepath=str(result if result.is_dir() else job.folder))
        return {"FINISHED"}


class RELITALK_OT_remove_job(_Job, Operator):
    """Take an ended job off the list; its result stays"""

    bl_idname = "relitalk.remove_job"
    bl_label = "Remove Job"
    bl_options = {"REGISTER"}

    def execute(self, context):
        job = self.chosen()
        if job is None:
            return {"CANCELLED"}
        try:
            jobs.remove(job)
        except ReliTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        watch.forget(job)
        return {"FINISHED"}


def finished(job):
    """In the window, when a job that was begun there is done: choose the subject, place the take.

    Another file may have been loaded meanwhile; then the take waits in the panel Jobs.
    """
    order = job.order
    scene = bpy.data.scenes.get(order.scene)
    if job.state is not jobs.State.DONE or scene is None or order.blend != bpy.data.filepath:
        return
    if order.kind == "train":
        scene.relitalk.subject = order.result
    window = next((window for window in bpy.context.window_manager.windows if window.scene == scene), None)
    if order.place and window is not None and job.claim_placing():
        # an error was reported by the operator itself, and must not stop the timer that called
        with contextlib.suppress(RuntimeError), bpy.context.temp_override(window=window):
            bpy.ops.relitalk.place_take("EXEC_DEFAULT", True, take=order.result, frame_start=order.frame_start)
