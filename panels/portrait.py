"""The panel Portrait: the light, the look and the geometry of a portrait that stands in the scene."""

from __future__ import annotations

from bpy.types import Panel

from ..relitalk_addon import live_material, portraits, settings
from .base import Tab, hint, switch


class RELITALK_PT_standing(Tab, Panel):
    """Where a new portrait stands and what comes with it"""

    bl_idname = "RELITALK_PT_standing"
    bl_label = "New Portraits"
    bl_parent_id = "RELITALK_PT_place"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        chosen, column = settings.get(context), self.column()
        column.prop(chosen, "stand")
        if chosen.stand == "EYES":
            column.prop(chosen, "eye_height")
        for name in ("faces_camera", "relief", "live", "full_frame"):
            switch(column, chosen, name)


class RELITALK_PT_portrait(Tab, Panel):
    """How the portrait that stands in the scene is lit and shown"""

    bl_idname = "RELITALK_PT_portrait"
    bl_label = "Portrait"

    def draw(self, context):
        column = self.column()
        thing = portraits.portrait(context)
        if thing is None:
            hint(column, "No portrait stands in the scene yet.")
            return
        own = thing.relitalk
        column.label(text=thing.name, icon="IMAGE_PLANE")
        column.prop(own, "mode")
        if own.problem:
            hint(column, own.problem, icon="ERROR")
        if own.mode in live_material.LIVE:
            self._live(column, own)
        column.separator()
        column.prop(own, "exposure")
        column.prop(own, "warmth")
        column.prop(own, "tint")
        if own.mode == live_material.BAKED:
            column.operator("relitalk.match_exposure", icon="EYEDROPPER")
        column.separator()
        column.prop(own, "start")
        column.prop(own, "outside")
        for name in ("shadow", "relief", "proxy"):
            switch(column, own, name)
        column.separator()
        column.operator("relitalk.place_take", text="Replace Its Take", icon="FILE_REFRESH").replace = True
        column.operator("relitalk.composite", icon="NODE_COMPOSITING")
        column.operator("relitalk.add_head_mesh", icon="MESH_MONKEY")
        column.operator("relitalk.drive_mesh", icon="SHAPEKEY_DATA")

    def _live(self, column, own):
        if own.keyed:
            hint(column, "Its light is kept for every frame.", icon="KEYFRAME_HLT")
            column.operator("relitalk.unkey_light", icon="KEYFRAME")
            return
        row = column.row(align=True)
        row.operator("relitalk.update_light", icon="FILE_REFRESH")
        row.operator("relitalk.key_light", icon="KEYFRAME_HLT")
