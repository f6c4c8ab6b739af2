"""Match light."""

from __future__ import annotations

from bpy.props import EnumProperty
from bpy.types import Operator

from ..relitalk_addon import world_light
from .base import ARGUMENT, Told, allowed


def _why_not(context):
    return "" if context.scene.world else "The scene has no world"


class RELITALK_OT_match_light(Told, Operator):
    """Light the portrait as the scene lights it"""

    bl_idname = "relitalk.match_light"
    bl_label = "Match Light"
    bl_options = {"REGISTER", "UNDO"}

    source: EnumProperty(
        name="Source", default="WORLD", options=ARGUMENT, description="What shines on the portrait",
        items=[
            ("WORLD", "World", "The world's light, without what stands in the scene"),
            ("SCENE", "Scene", "World, lamps and objects around the portrait, rendered; takes a while"),
        ],
    )

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _why_not)

    def act(self, context):
        light = world_light.capture(context, self.source)
        world_light.keep(context.scene, light)
        self.report({"INFO"}, f"Matched {light.source['name']}")
        return {"FINISHED"}
