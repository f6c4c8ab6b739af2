"""The panel Start: what a first run needs, in its order; it goes when all is there."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import compat, jobs, preferences, watch
from .base import Tab, button, hint, progress


def _needed():
    return preferences.engine_complaint() or watch.running("set_up") or not preferences.any_subject()


class RELITALK_PT_start(Tab, Panel):
    """The first steps: set up the engine, then try the sample"""

    bl_idname = "RELITALK_PT_start"
    bl_label = "First Steps"

    @classmethod
    def poll(cls, context):
        return bool(_needed())

    def draw(self, context):
        column = self.layout.column()
        missing, setting_up = preferences.engine_complaint(), watch.running("set_up")
        column.label(text="1. Set up the engine", icon="CHECKMARK" if not missing else "RIGHTARROW")
        if setting_up:
            progress(column, setting_up)
            hint(column, "Blender stays usable, and may be closed meanwhile.", icon="BLANK1")
        elif missing:
            self._set_up(column, missing)
        column.separator()
        column.label(text="2. Try the sample", icon="BLANK1" if missing else "RIGHTARROW")
        running = watch.running("train") or watch.running("render")
        if missing:
            hint(column, "A clip and a sentence are here to try.", icon="BLANK1")
        elif running:
            progress(column, running)
        else:
            button(column, "relitalk.try_sample", "", icon="PLAY")
            hint(column, "It takes ten minutes on a laptop. Or choose a clip of your own below.", icon="BLANK1")

    def _set_up(self, column, missing):
        last = next((job for job in watch.all_jobs() if job.order.kind == "set_up"), None)
        failed = last is not None and last.state is jobs.State.FAILED
        hint(column, last.message if failed else missing, icon="ERROR" if failed else "INFO")
        if failed:
            column.operator("relitalk.copy_report", icon="COPYDOWN").job = last.name
        offline = not compat.online() and not preferences.engine_named()
        text = "Try Again" if failed else "Set Up Engine"
        button(column, "relitalk.set_up_engine", "", icon="IMPORT", text=text)
        if offline:
            hint(column, "Blender is offline, and this downloads.", icon="INTERNET_OFFLINE")
            column.operator("relitalk.allow_online", icon="PREFERENCES")
