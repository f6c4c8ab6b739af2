"""The take in the compositor."""

from __future__ import annotations

from bpy.props import IntProperty, StringProperty
from bpy.types import Operator

from ..relitalk_addon import compositor, portraits, settings, stage
from ..relitalk_addon.engine import ReliTalkError
from ..relitalk_addon.timing import Timing
from .base import ARGUMENT, PATH, Argued, allowed


class RELITALK_OT_composite(Argued, Operator):
    """Put a take over the render in the compositor, with light wrapped round its edge; its plane is hidden there"""

    bl_idname = "relitalk.composite"
    bl_label = "Add to Compositor"
    bl_options = {"REGISTER", "UNDO"}

    take: StringProperty(name="Take", subtype="DIR_PATH", options=PATH, description="Empty: the portrait's")
    frame_start: IntProperty(name="Start Frame", options=ARGUMENT, description="Scene frame of the take's first frame")
    layer: StringProperty(
        name="Layer", default=compositor.BEAUTY, options=ARGUMENT, description="beauty, or the name of a pass",
    )

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, settings.why_not_place)

    def execute(self, context):
        portrait = portraits.portrait(context)
        try:
            if portrait is not None and not self.take:
                take, start = portraits.take_of(portrait), portrait.relitalk.start
            else:
                take = stage.open_take(settings.existing_take(self.value(context, "take")))
                start, portrait = self.value(context, "frame_start"), None
            outside = portrait.relitalk.outside if portrait else settings.get(context).outside
            node = compositor.add(context.scene, take, Timing(context.scene, start, outside), self.layer)
        except ReliTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if portrait is not None:
            portrait.hide_render = True
        self.report({"INFO"}, f"{node.name} lies over the render")
        return {"FINISHED"}
