"""What can be done with a job: cancel, resume, use its result, open its folder, copy its report, remove it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy
from bpy.types import Operator

from ..relitalk_addon import jobs, orders, settings, watch
from ..relitalk_addon.engine import ReliTalkError
from .base import OfJob, Waiting, allowed, refuse
from .place import place

STOPPED = {jobs.State.CANCELLED, jobs.State.FAILED}


def _no_jobs(_):
    return "" if watch.all_jobs() else "There are no jobs"


def _none_runs(_):
    return "" if watch.running() else "No job runs"


def _none_stopped(_):
    return "" if any(job.state in STOPPED for job in watch.all_jobs()) else "No job was cancelled or failed"


def _none_ended(_):
    return "" if any(job.state.ended for job in watch.all_jobs()) else "No job has ended"


class RELITALK_OT_cancel(OfJob, Operator):
    """Stop a job; what is whole is kept, and a training can be resumed. Undo does not reach it"""

    bl_idname = "relitalk.cancel"
    bl_label = "Cancel Job"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _none_runs)

    def act_on(self, context, job):
        job.refresh()
        if job.state.ended:
            self.report({"ERROR"}, f"{job.order.title} has ended already.")
            return {"CANCELLED"}
        job.cancel()
        self.report({"INFO"}, f"{job.order.title} stops within seconds")
        return {"FINISHED"}


class RELITALK_OT_resume_job(OfJob, Waiting, Operator):
    """Take a job up again that was cancelled or failed: a training goes on where it stopped. Undo does not reach it"""

    bl_idname = "relitalk.resume_job"
    bl_label = "Resume Job"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _none_stopped)

    def act_on(self, context, job):
        def then(done):
            if done.order.kind == "train":
                settings.get(context).subject = done.order.result

        return self.attend(lambda: orders.again(context, job), then)


class RELITALK_OT_place_job(OfJob, Operator):
    """Stand the job's take in this scene"""

    bl_idname = "relitalk.place_job"
    bl_label = "Place"
    bl_options = {"REGISTER", "UNDO"}

    def act_on(self, context, job):
        place(self, context, job.order.result, job.order.frame_start)
        return {"FINISHED"}


class RELITALK_OT_use_subject(OfJob, Operator):
    """Make the subject that the job trained this scene's subject"""

    bl_idname = "relitalk.use_subject"
    bl_label = "Use Subject"
    bl_options = {"REGISTER", "UNDO"}

    def act_on(self, context, job):
        if not (Path(job.order.result) / "subject.json").is_file():
            self.report({"ERROR"}, f"There is no subject at {job.order.result}. It may have moved.")
            return {"CANCELLED"}
        settings.get(context).subject = job.order.result
        self.report({"INFO"}, f"{Path(job.order.result).stem} is this scene's subject")
        return {"FINISHED"}


class RELITALK_OT_open_job(OfJob, Operator):
    """Open the folder of the job's result, or of its log where there is no result. Undo does not reach it"""

    bl_idname = "relitalk.open_job"
    bl_label = "Open Folder"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _no_jobs)

    def act_on(self, context, job):
        result = Path(job.order.result)
        bpy.ops.wm.path_open(filepath=str(result if result.is_dir() else job.folder))
        return {"FINISHED"}


class RELITALK_OT_copy_report(OfJob, Operator):
    """Copy what the job was asked, how it ended and its last words, for its mender. Undo does not reach it"""

    bl_idname = "relitalk.copy_report"
    bl_label = "Copy Report"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _no_jobs)

    def act_on(self, context, job):
        context.window_manager.clipboard = f"Blender {bpy.app.version_string}\n{job.report()}"
        self.report({"INFO"}, f"The report of {job.order.title} is in the clipboard")
        return {"FINISHED"}


class RELITALK_OT_remove_job(OfJob, Operator):
    """Take an ended job off the list; its result stays. Undo does not reach it"""

    bl_idname = "relitalk.remove_job"
    bl_label = "Remove Job"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _no_jobs)

    def act_on(self, context, job):
        jobs.remove(job)
        watch.forget(job)
        return {"FINISHED"}


class RELITALK_OT_remove_ended(Operator):
    """Take all ended jobs off the list; their results stay. Undo does not reach it"""

    bl_idname = "relitalk.remove_ended"
    bl_label = "Remove Ended Jobs"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _none_ended)

    def execute(self, context):
        ended = [job for job in watch.all_jobs() if job.state.ended]
        try:
            for job in ended:
                jobs.remove(job)
                watch.forget(job)
        except ReliTalkError as error:
            return refuse(self, error)
        self.report({"INFO"}, f"{len(ended)} removed; what they made stays")
        return {"FINISHED"}


class RELITALK_OT_tell(OfJob, Operator):
    """Say how a job ended. Undo does not reach it"""

    bl_idname = "relitalk.tell"
    bl_label = "Tell"
    bl_options = {"INTERNAL"}

    def act_on(self, context, job):
        for warning in job.warnings:
            self.report({"WARNING"}, warning)
        if job.state is jobs.State.FAILED:
            self.report({"ERROR"}, f"{job.order.title}: {job.message}")
        else:
            self.report({"INFO"}, f"{job.order.title}: {job.state}")
        return {"FINISHED"}


def finished(job):
    """In the window, when a job that was begun there has ended: say so, choose the subject, place the take.

    Another file may have been loaded meanwhile; then the take waits in the panel Jobs.
    """
    order = job.order
    scene = bpy.data.scenes.get(order.scene)
    windows = list(bpy.context.window_manager.windows)
    # an error was reported by the operator itself, and must not stop the timer that called
    with contextlib.suppress(RuntimeError), bpy.context.temp_override(window=windows[0] if windows else None):
        bpy.ops.relitalk.tell("EXEC_DEFAULT", job=job.name)
    if job.state is not jobs.State.DONE or scene is None or order.blend != bpy.data.filepath:
        return
    if order.kind == "train":
        scene.relitalk.subject = order.result
    window = next((window for window in windows if window.scene == scene), None)
    if order.place and window is not None and job.claim_placing():
        with contextlib.suppress(RuntimeError), bpy.context.temp_override(window=window):
            bpy.ops.relitalk.place_take("EXEC_DEFAULT", True, take=order.result, frame_start=order.frame_start)
