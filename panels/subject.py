"""The panel Subject: the engine, the clip, the training."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import preferences, settings, watch
from .base import Tab, button, hint, progress


class RELITALK_PT_subject(Tab, Panel):
    """Who is portrayed"""

    bl_idname = "RELITALK_PT_subject"
    bl_label = "Subject"

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        missing = preferences.engine_complaint()
        setting_up = watch.running("set_up")
        if setting_up:
            progress(column, setting_up)
        elif missing:
            hint(column, missing, icon="ERROR")
            button(column, "relitalk.set_up_engine", "", icon="IMPORT")
            column.separator()
        column.prop(chosen, "video")
        column.prop(chosen, "subject")
        column.prop(chosen, "preset")
        column.prop(chosen, "device")
        column.prop(chosen, "seed")
        row = column.row()
        row.use_property_split = False
        row.prop(chosen, "consent")
        training = watch.running("train")
        if training:
            progress(column, training)
        else:
            button(column, "relitalk.train", "" if missing else settings.why_not_train(context), icon="ARMATURE_DATA")
