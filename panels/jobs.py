"""The panel Jobs: what runs, waits and has ended, also before this Blender was started."""

from __future__ import annotations

from bpy.types import Panel, UIList

from ..relitalk_addon import jobs, pictures, watch
from .base import Tab, clock, hint, lines, progress

ICONS = {
    jobs.State.QUEUED: "TIME",
    jobs.State.RUNNING: "PLAY",
    jobs.State.DONE: "CHECKMARK",
    jobs.State.FAILED: "ERROR",
    jobs.State.CANCELLED: "CANCEL",
}
TAKES = {"render", "relight"}


class RELITALK_UL_jobs(UIList):
    """The jobs of this computer, the newest first"""

    bl_idname = "RELITALK_UL_jobs"

    def draw_item(self, context, layout, data, item, icon, active_data, active_propname, index):
        job = watch.named(item.name)
        if job is None:
            layout.label(text=item.name, translate=False)
            return
        layout.label(text=job.order.title, translate=False, icon=ICONS[job.state])
        right = layout.row()
        right.alignment = "RIGHT"
        right.label(text=_short(job), translate=False)


def _short(job):
    """A word on where a job stands."""
    if job.state is jobs.State.RUNNING:
        return f"{round(100 * job.fraction)} %"
    if job.state is jobs.State.DONE and job.took is not None:
        return clock(job.took)
    return str(job.state)


class RELITALK_PT_jobs(Tab, Panel):
    """What runs in the background; it goes on when Blender is closed"""

    bl_idname = "RELITALK_PT_jobs"
    bl_label = "Jobs"

    def draw(self, context):
        manager, column = context.window_manager, self.layout.column()
        if not manager.relitalk_jobs:
            hint(column, "No jobs yet. They go on when Blender is closed, and are found again here.")
            return
        row = column.row()
        row.template_list(
            "RELITALK_UL_jobs", "", manager, "relitalk_jobs", manager, "relitalk_job", rows=3, maxrows=8,
        )
        side = row.column(align=True)
        side.operator("relitalk.remove_job", text="", icon="REMOVE")
        side.menu("RELITALK_MT_jobs", text="", icon="DOWNARROW_HLT")
        job = watch.chosen()
        if job is not None:
            self._job(context, column, job)

    def _job(self, context, column, job):
        picture = job.picture()
        icon = pictures.of_file(picture) if picture is not None else 0
        if icon:
            column.template_icon(icon, scale=6.0)
        if not job.state.ended:
            progress(column, job)
        elif job.message:
            lines(column, job.message, icon=ICONS[job.state])
        for warning in job.warnings:
            lines(column, warning, icon="INFO")
        row = column.row(align=True)
        if job.state is jobs.State.DONE and job.order.kind in TAKES:
            row.operator("relitalk.place_job", icon="IMAGE_PLANE").job = job.name
        elif job.state is jobs.State.DONE and job.order.kind == "train":
            row.operator("relitalk.use_subject", icon="USER").job = job.name
        elif job.state in {jobs.State.FAILED, jobs.State.CANCELLED} and job.order.words:
            text = "Resume" if job.order.kind == "train" else "Try Again"
            row.operator("relitalk.resume_job", text=text, icon="FILE_REFRESH").job = job.name
        if job.state is jobs.State.FAILED:
            row.operator("relitalk.copy_report", icon="COPYDOWN").job = job.name
        elif job.state.ended:
            row.operator("relitalk.open_job", icon="FILE_FOLDER").job = job.name
        self._log(context, column, job)

    def _log(self, context, column, job):
        manager = context.window_manager
        shown = manager.relitalk_job_log
        row = column.row()
        row.alignment = "LEFT"
        row.prop(manager, "relitalk_job_log", icon="TRIA_DOWN" if shown else "TRIA_RIGHT", emboss=False)
        if shown:
            lines(column.box(), job.log() or "It has said nothing.")
