"""The panel Render: the take that is made."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import preferences, settings, watch
from .base import Tab, button, progress


class RELITALK_PT_render(Tab, Panel):
    """Make the take: with a voice, or the clip itself in another light"""

    bl_idname = "RELITALK_PT_render"
    bl_label = "Render"

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        column.prop(chosen, "take")
        column.prop(chosen, "background")
        missing = "Set up the engine first" if preferences.engine_complaint() else ""
        why_not = missing or settings.why_not_render(context)
        button(column, "relitalk.render", why_not, icon="RENDER_ANIMATION")
        column.operator("relitalk.relight", icon="LIGHT")
        running = watch.running("render") or watch.running("relight")
        if running:
            progress(column, running)
