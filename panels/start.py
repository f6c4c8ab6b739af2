"""The panel First Steps: what a first run needs, in its order; it goes when something was trained."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import compat, jobs, preferences, watch
from .base import Tab, button, hint, progress


def _last_set_up():
    return next((job for job in watch.all_jobs() if job.order.kind == "set_up"), None)


class RELITALK_PT_start(Tab, Panel):
    """The first steps: set up the engine, then try the sample"""

    bl_idname = "RELITALK_PT_start"
    bl_label = "First Steps"

    @classmethod
    def poll(cls, context):
        if preferences.engine_complaint() or watch.running("set_up"):
            return True
        return not preferences.any_subject() and not any(job.order.kind == "train" for job in watch.all_jobs())

    def draw(self, context):
        column = self.layout.column()
        missing, setting_up = preferences.engine_complaint(), watch.running("set_up")
        if setting_up:
            column.label(text="1. The engine is being set up", icon="RIGHTARROW")
            progress(column, setting_up)
            hint(column, "Blender stays usable, and may be closed meanwhile.")
        elif missing:
            column.label(text="1. Set up the engine", icon="RIGHTARROW")
            self._set_up(column, missing)
        else:
            column.label(text="1. The engine is set up", icon="CHECKMARK")
        column.separator()
        column.label(text="2. Try the sample", icon="BLANK1" if missing else "RIGHTARROW")
        if not missing:
            button(column, "relitalk.try_sample", "", icon="PLAY")
            hint(column, "A clip and a sentence to try; ten minutes on a laptop. Or choose a clip of your own below.")

    def _set_up(self, column, missing):
        last = _last_set_up()
        failed = last is not None and last.state is jobs.State.FAILED
        if failed:
            hint(column, last.message, icon="ERROR")
            column.operator("relitalk.copy_report", icon="COPYDOWN").job = last.name
        elif not preferences.never_set_up():
            hint(column, missing, icon="ERROR")
        button(column, "relitalk.set_up_engine", "", icon="IMPORT", text="Try Again" if failed else "Set Up Engine")
        if not compat.online() and not preferences.engine_named():
            hint(column, "Blender is offline, and this downloads.", icon="ERROR")
            column.operator("relitalk.allow_online", icon="PREFERENCES")
        elif not failed:
            hint(column, "It asks first, and says how much it downloads.")
