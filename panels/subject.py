"""The panel Subject: the clip, how carefully it is learnt, the training, and the clip's frames."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import pictures, preferences, presets, settings, watch
from .base import Tab, button, progress, switch


class RELITALK_PT_subject(Tab, Panel):
    """Who is portrayed"""

    bl_idname = "RELITALK_PT_subject"
    bl_label = "Subject"

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        column.prop(chosen, "video")
        column.prop(chosen, "subject")
        self._clip(context, column)
        row = column.row(align=True)
        row.prop(chosen, "preset")
        row.operator("relitalk.keep_quality", text="", icon="ADD")
        if chosen.preset in presets.own_names():
            row.operator("relitalk.edit_quality", text="", icon="GREASEPENCIL")
            row.operator("relitalk.remove_quality", text="", icon="REMOVE")
        column.prop(chosen, "device")
        column.prop(chosen, "seed")
        switch(column, chosen, "consent")
        named = chosen.subject or chosen.video
        training = watch.making(settings.subject_place(chosen.subject, chosen.video)) if named else None
        if training:
            progress(column, training)
        else:
            missing = "Set up the engine first" if preferences.engine_complaint() else ""
            button(column, "relitalk.train", missing or settings.why_not_train(context), icon="ARMATURE_DATA")

    def _clip(self, context, column):
        clip, _ = settings.subject_clip(context)
        if clip is None:
            return
        box = column.box().column(align=True)
        box.use_property_split = False
        icon = pictures.icon(f"clip {clip}")
        if icon:
            box.template_icon(icon, scale=8.0)
        box.prop(context.window_manager, "relitalk_position", text="Look at the Clip", slider=True)
