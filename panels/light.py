"""The panel Light: what the portrait is lit by."""

from __future__ import annotations

from pathlib import Path

from bpy.types import Panel

from ..relitalk_addon import pictures, presets, settings
from .base import Tab


class RELITALK_PT_light(Tab, Panel):
    """What the portrait is lit by"""

    bl_idname = "RELITALK_PT_light"
    bl_label = "Light"

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        row = column.row(align=True)
        row.scale_y = 1.4
        row.operator("relitalk.match_light", text="Match World", icon="WORLD").source = "WORLD"
        row.operator("relitalk.match_light", text="Match Scene", icon="SCENE_DATA").source = "SCENE"
        row = column.row(align=True)
        row.prop(chosen, "light")
        row.menu("RELITALK_MT_lights", text="", icon="DOWNARROW_HLT")
        own = Path(chosen.light).stem
        if own in presets.own_names("light"):
            row.operator("relitalk.remove_light", text="", icon="REMOVE").name = own
        row.operator("relitalk.keep_light", text="", icon="ADD")
        column.prop(chosen, "exposure")
        self._spheres(context)

    def _spheres(self, context):
        before, now = pictures.spheres(context.scene)
        if not now:
            return
        row = self.layout.row()
        for icon, word in ((before, "Before"), (now, "Now")):
            if icon:
                column = row.column(align=True)
                column.template_icon(icon, scale=4.0)
                line = column.row()
                line.alignment = "CENTER"
                line.label(text=word)
