"""The take in the compositor."""

from __future__ import annotations

from bpy.props import StringProperty
from bpy.types import Operator

from ..relitalk_addon import compositor, settings
from ..relitalk_addon.timing import Timing
from .base import ARGUMENT, OfTake, allowed


class RELITALK_OT_composite(OfTake, Operator):
    """Put a take over the render in the compositor, with light wrapped round its edge; its plane is hidden there"""

    bl_idname = "relitalk.composite"
    bl_label = "Add to Compositor"
    bl_options = {"REGISTER", "UNDO"}

    layer: StringProperty(
        name="Layer", default=compositor.BEAUTY, options=ARGUMENT, description="beauty, or the name of a pass",
    )

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, settings.why_not_place)

    def act(self, context):
        take, start, portrait = self.chosen(context)
        outside = portrait.relitalk.outside if portrait else settings.get(context).outside
        node = compositor.add(context.scene, take, Timing(context.scene, start, outside), self.layer)
        if portrait is not None:
            portrait.hide_render = True
        self.report({"INFO"}, f"{node.name} lies over the render")
        return {"FINISHED"}
