"""Place a take in the scene."""

from __future__ import annotations

from bpy.props import BoolProperty, IntProperty, StringProperty
from bpy.types import Operator

from ..relitalk_addon import portraits, settings, stage
from .base import ARGUMENT, PATH, Argued, Told, about_the_view, allowed, confirmed


def place(operator, context, folder, frame_start, instead=None):
    """Stand the take of a folder in the scene as the settings say, and make it the active object.

    Raises:
        ReliTalkError: it is no take, or cannot stand there.
    """
    take = stage.open_take(folder)
    chosen = settings.get(context)
    placing = stage.Placing(
        start=frame_start, outside=chosen.outside, stand=chosen.stand, eye_height=chosen.eye_height,
        faces_camera=chosen.faces_camera, relief=chosen.relief, shadow=chosen.shadow,
        exposure=chosen.exposure if chosen.is_property_set("exposure") else None,
        as_filmed=chosen.look == "AS_FILMED",
    )
    portrait = stage.place(context, take, placing, lambda words: operator.report({"WARNING"}, words), instead)
    context.view_layer.objects.active = portrait
    operator.report({"INFO"}, f"{portrait.name} stands in the scene")


class RELITALK_OT_place_take(Argued, Told, Operator):
    """Stand a take in the scene on a plane of true size; one that stands there is brought up to date"""

    bl_idname = "relitalk.place_take"
    bl_label = "Place Take"
    bl_options = {"REGISTER", "UNDO"}

    take: StringProperty(
        name="Take", subtype="DIR_PATH", options=PATH, description="The take's folder, or its name in the library",
    )
    frame_start: IntProperty(
        name="Start Frame", options=ARGUMENT, description="Scene frame at which the take begins",
    )
    replace: BoolProperty(
        name="Replace", options=ARGUMENT,
        description="The active portrait shows this take from now on, where it stands and as it moves",
    )

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, settings.why_not_place)

    def invoke(self, context, event):
        return confirmed(self, context, event, about_the_view(context))

    def act(self, context):
        instead = portraits.portrait(context) if self.replace else None
        if self.replace and instead is None:
            self.report({"ERROR"}, "No portrait stands in the scene whose take could be replaced.")
            return {"CANCELLED"}
        folder = settings.existing_take(self.value(context, "take"))
        place(self, context, folder, self.value(context, "frame_start"), instead)
        return {"FINISHED"}
