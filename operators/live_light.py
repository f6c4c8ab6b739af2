"""The light on live portraits: found now, kept for every frame, or let go; and a baked portrait graded to the scene."""

from __future__ import annotations

from bpy.props import EnumProperty, IntProperty
from bpy.types import Operator

from ..relitalk_addon import grade, live_light, live_material, portraits
from .base import ARGUMENT, Told, allowed


def _why_no_portrait(context):
    return "" if portraits.portrait(context) else "Place a take first"


def _why_not_live(context):
    thing = portraits.portrait(context)
    if thing is None:
        return "Place a take first"
    live = thing.relitalk.mode in live_material.LIVE
    return "" if live else "Let the portrait be lit live, from the world or from the scene"


class _Live(Told):
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _why_not_live)

    def act(self, context):
        why = _why_not_live(context)
        if why:
            self.report({"ERROR"}, f"{why}.")
            return {"CANCELLED"}
        thing = portraits.portrait(context)
        self.light(context, thing)
        thing.relitalk.problem = ""
        return {"FINISHED"}


class RELITALK_OT_update_light(_Live, Operator):
    """Light the live portrait as the scene is at this frame"""

    bl_idname = "relitalk.update_light"
    bl_label = "Update Light"

    def light(self, context, thing):
        context.view_layer.update()
        live_light.forget(thing)
        live_light.update(thing)
        self.report({"INFO"}, f"{thing.name} is lit as the scene is")


class RELITALK_OT_key_light(_Live, Operator):
    """Find the live portrait's light at every frame and keep it: for worlds and lamps that move"""

    bl_idname = "relitalk.key_light"
    bl_label = "Key Light"

    first: IntProperty(name="First", options=ARGUMENT, description="Scene frame; unset: the scene's first")
    last: IntProperty(name="Last", options=ARGUMENT, description="Scene frame; unset: the scene's last")
    step: IntProperty(name="Step", default=1, min=1, options=ARGUMENT, description="Frames from light to light")

    def light(self, context, thing):
        scene = context.scene
        first = self.first if self.properties.is_property_set("first") else scene.frame_start
        last = self.last if self.properties.is_property_set("last") else scene.frame_end
        count = live_light.key(context, thing, range(first, max(first, last) + 1, self.step))
        self.report({"INFO"}, f"{thing.name}: the light of {count} frames is kept")


class RELITALK_OT_unkey_light(_Live, Operator):
    """Let the portrait's light follow the scene again"""

    bl_idname = "relitalk.unkey_light"
    bl_label = "Follow Again"

    def light(self, context, thing):
        thing.relitalk.keyed = False
        context.view_layer.update()
        live_light.forget(thing)
        live_light.update(thing)


class RELITALK_OT_match_exposure(Told, Operator):
    """Set exposure and white balance so that the frames, as they were rendered, fit the scene's light"""

    bl_idname = "relitalk.match_exposure"
    bl_label = "Match Exposure"
    bl_options = {"REGISTER", "UNDO"}

    source: EnumProperty(
        name="Source", default="WORLD", options=ARGUMENT, description="What shines on the portrait",
        items=[("WORLD", "World", "The world's light"), ("SCENE", "Scene", "All that shines and stands around it")],
    )

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _why_no_portrait)

    def act(self, context):
        thing = portraits.portrait(context)
        if thing is None:
            self.report({"ERROR"}, "Place a take first.")
            return {"CANCELLED"}
        grade.match(context, thing, self.source)
        own = thing.relitalk
        self.report({"INFO"}, f"{own.exposure:+.2f} stops, warmth {own.warmth:+.2f}, tint {own.tint:+.2f}")
        return {"FINISHED"}
