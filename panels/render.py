"""The panel Render: the take and how it stands in the scene."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import preferences, settings, watch
from .base import Tab, button, progress


class RELITALK_PT_render(Tab, Panel):
    """Make the take and stand it in the scene"""

    bl_idname = "RELITALK_PT_render"
    bl_label = "Render"

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        column.prop(chosen, "take")
        column.prop(chosen, "background")
        running = watch.running("render") or watch.running("relight")
        if running:
            progress(column, running)
        else:
            missing = "Set up the engine first" if preferences.engine_complaint() else ""
            button(column, "relitalk.render", missing or settings.why_not_render(context), icon="RENDER_ANIMATION")
            column.operator("relitalk.relight", icon="LIGHT")
        column.separator()
        column.prop(chosen, "frame_start")
        column.prop(chosen, "outside")
        column.prop(chosen, "look")
        column.prop(chosen, "shadow")
        column.operator("relitalk.place_take", icon="IMAGE_PLANE")
