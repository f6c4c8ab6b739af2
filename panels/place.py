"""The panel Place: how the take stands in the scene."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import settings
from .base import Tab, button, switch


class RELITALK_PT_place(Tab, Panel):
    """Stand a take in the scene"""

    bl_idname = "RELITALK_PT_place"
    bl_label = "Place"

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        column.prop(chosen, "frame_start")
        column.prop(chosen, "outside")
        column.prop(chosen, "look")
        switch(column, chosen, "shadow")
        button(column, "relitalk.place_take", settings.why_not_place(context), icon="IMAGE_PLANE")
