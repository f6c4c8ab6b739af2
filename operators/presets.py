"""Presets of quality and of light: use them, keep one's own, remove them."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty
from bpy.types import Operator

from ..relitalk_addon import presets, settings, world_light
from .base import ARGUMENT, Told, allowed


def _not_own(context):
    name = settings.get(context).preset
    return "" if name in presets.own_names() else "Only your own presets can be changed; keep this one as yours first"


class _Named(Told):
    name: StringProperty(name="Name", options=ARGUMENT, description="The preset's name")


class RELITALK_OT_keep_quality(_Named, Operator):
    """Keep this quality preset as one of your own, a file that you can change. Undo does not reach it"""

    bl_idname = "relitalk.keep_quality"
    bl_label = "New Quality Preset"
    bl_options = {"REGISTER"}

    def invoke(self, context, event):
        self.name = f"my {settings.get(context).preset}"
        return context.window_manager.invoke_props_dialog(self)

    def act(self, context):
        path = presets.keep_quality(self.name, settings.get(context).preset or "draft")
        settings.get(context).preset = path.stem
        self.report({"INFO"}, f"Kept in {path}")
        return {"FINISHED"}


class RELITALK_OT_edit_quality(Operator):
    """Open this quality preset in your text editor. There is nothing for undo to reach"""

    bl_idname = "relitalk.edit_quality"
    bl_label = "Edit Quality Preset"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _not_own)

    def execute(self, context):
        path = presets.quality_file(settings.get(context).preset)
        if not path.is_file():
            self.report({"ERROR"}, f"There is no preset at {path}.")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(path))
        return {"FINISHED"}


class RELITALK_OT_remove_quality(_Named, Operator):
    """Delete this quality preset of your own. Undo does not reach it"""

    bl_idname = "relitalk.remove_quality"
    bl_label = "Remove Quality Preset"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _not_own)

    def act(self, context):
        chosen = settings.get(context)
        name = self.name or chosen.preset
        presets.remove("quality", name)
        if chosen.preset in {"", name}:
            chosen.preset = presets.QUALITY[0]
        self.report({"INFO"}, f"{name} is removed")
        return {"FINISHED"}


class RELITALK_OT_use_light(_Named, Operator):
    """Light the next take with this preset"""

    bl_idname = "relitalk.use_light"
    bl_label = "Use Light Preset"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context):
        chosen = settings.get(context)
        preset = presets.light(self.name)
        chosen.light, chosen.exposure = preset.light, preset.exposure
        self.report({"INFO"}, f"Light: {self.name}")
        return {"FINISHED"}


class RELITALK_OT_keep_light(_Named, Operator):
    """Keep the light, also a matched one, and its exposure as your own preset. Undo does not reach it"""

    bl_idname = "relitalk.keep_light"
    bl_label = "New Light Preset"
    bl_options = {"REGISTER"}

    def invoke(self, context, event):
        self.name = context.scene.world.name if context.scene.world else "my light"
        return context.window_manager.invoke_props_dialog(self)

    def act(self, context):
        chosen = settings.get(context)
        place, light = presets.light_place(self.name), chosen.light
        try:
            if light == settings.MATCHED:
                place.parent.mkdir(parents=True, exist_ok=True)
                light = str(place.with_suffix(".json"))
                world_light.kept(context.scene).save(light)
            presets.keep_light(self.name, presets.LightPreset(light, chosen.exposure))
        except OSError as error:
            self.report({"ERROR"}, f"The preset cannot be written ({error.strerror or error}).")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Kept in {place}")
        return {"FINISHED"}


class RELITALK_OT_remove_light(_Named, Operator):
    """Delete this light preset of your own. Undo does not reach it"""

    bl_idname = "relitalk.remove_light"
    bl_label = "Remove Light Preset"
    bl_options = {"REGISTER"}

    def act(self, context):
        presets.remove("light", self.name)
        self.report({"INFO"}, f"{self.name} is removed")
        return {"FINISHED"}
