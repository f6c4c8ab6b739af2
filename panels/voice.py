"""The panel Voice: what the portrait says."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import settings
from .base import Tab


class RELITALK_PT_voice(Tab, Panel):
    """What the portrait says"""

    bl_idname = "RELITALK_PT_voice"
    bl_label = "Voice"

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        column.prop(chosen, "audio")
        column.prop(chosen, "transcript")
        column.prop(chosen, "mouth")
        column.prop(chosen, "offset")
