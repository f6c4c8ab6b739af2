"""The panel Jobs: what runs, and what has ended, also before this Blender was started."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import jobs, watch
from .base import Tab, hint, progress

SHOWN = 8
ICONS = {
    jobs.State.RUNNING: "PLAY",
    jobs.State.DONE: "CHECKMARK",
    jobs.State.FAILED: "ERROR",
    jobs.State.CANCELLED: "CANCEL",
}


class RELITALK_PT_jobs(Tab, Panel):
    """What runs in the background; it goes on when Blender is closed"""

    bl_idname = "RELITALK_PT_jobs"
    bl_label = "Jobs"

    def draw(self, context):
        column = self.layout.column()
        found = watch.all_jobs()
        if not found:
            column.label(text="No jobs yet", icon="INFO")
        for job in found[:SHOWN]:
            self._job(column.box(), job)

    def _job(self, box, job):
        row = box.row()
        row.label(text=job.order.title, icon=ICONS[job.state])
        if job.state is jobs.State.RUNNING:
            progress(box, job)
            return
        row.operator("relitalk.open_job", text="", icon="FILE_FOLDER", emboss=False).job = job.name
        row.operator("relitalk.remove_job", text="", icon="TRASH", emboss=False).job = job.name
        if job.state is jobs.State.DONE and job.order.kind in {"render", "relight"}:
            box.operator("relitalk.place_job", icon="IMAGE_PLANE").job = job.name
        elif job.state is jobs.State.FAILED:
            hint(box, job.message, icon="NONE")
