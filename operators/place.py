"""Place a take in the scene."""

from __future__ import annotations

from bpy.props import IntProperty, StringProperty
from bpy.types import Operator

from ..relitalk_addon import settings, stage
from ..relitalk_addon.engine import ReliTalkError
from .base import ARGUMENT, PATH, Argued, about_the_view, allowed, confirmed


def place(operator, context, folder, frame_start):
    """Stand the take of a folder in the scene as the settings say, and make it the active object.

    Raises:
        ReliTalkError: it is no take.
    """
    take = stage.open_take(folder)
    chosen = settings.get(context)
    timing = stage.Timing(context.scene, frame_start, chosen.outside)
    look = stage.Look(chosen.look == "AS_FILMED", chosen.shadow, chosen.exposure)
    portrait = stage.place(context, take, timing, look, lambda sentence: operator.report({"WARNING"}, sentence))
    context.view_layer.objects.active = portrait
    operator.report({"INFO"}, f"{portrait.name} stands in the scene")


class RELITALK_OT_place_take(Argued, Operator):
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

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, settings.why_not_place)

    def invoke(self, context, event):
        return confirmed(self, context, event, about_the_view(context))

    def execute(self, context):
        try:
            folder = settings.existing_take(self.value(context, "take"))
            place(self, context, folder, self.value(context, "frame_start"))
        except ReliTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}
