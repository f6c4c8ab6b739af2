"""The panel Light: what the portrait is lit by."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import settings
from .base import Tab, hint


class RELITALK_PT_light(Tab, Panel):
    """What the portrait is lit by"""

    bl_idname = "RELITALK_PT_light"
    bl_label = "Light"

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        column.label(text="Match Light")
        row = column.row(align=True)
        row.scale_y = 1.4
        row.operator("relitalk.match_light", text="World", icon="WORLD").source = "WORLD"
        row.operator("relitalk.match_light", text="Scene", icon="SCENE_DATA").source = "SCENE"
        column.prop(chosen, "light")
        if chosen.light == settings.MATCHED:
            hint(column, "Lit as the scene was when it was matched; match again after a change.", icon="CHECKMARK")
        column.prop(chosen, "exposure")
