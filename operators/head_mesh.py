"""The talking head as geometry, and its motion on other meshes."""

from __future__ import annotations

from bpy.props import IntProperty, StringProperty
from bpy.types import Operator

from ..relitalk_addon import head_mesh, portraits, settings, stage
from ..relitalk_addon.engine import ReliTalkError
from .base import ARGUMENT, PATH, Argued, allowed


class _Moving(Argued):
    """What both take: a take and its first frame."""

    take: StringProperty(
        name="Take", subtype="DIR_PATH", options=PATH, description="Whose motion; empty: the portrait's or the newest",
    )
    frame_start: IntProperty(name="Start Frame", options=ARGUMENT, description="Scene frame of the take's first frame")

    def chosen(self, context):
        """The take that is meant, where it begins, and the portrait that shows it, if one does.

        Raises:
            ReliTalkError: there is no such take.
        """
        portrait = portraits.portrait(context)
        if portrait is not None and not self.take:
            start = self.frame_start if self.properties.is_property_set("frame_start") else portrait.relitalk.start
            return portraits.take_of(portrait), start, portrait
        take = stage.open_take(settings.existing_take(self.value(context, "take")))
        return take, self.value(context, "frame_start"), None


class RELITALK_OT_add_head_mesh(_Moving, Operator):
    """Add the fitted head as a mesh whose shape keys move as in the take, painted with the clip's albedo"""

    bl_idname = "relitalk.add_head_mesh"
    bl_label = "Add Head Mesh"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, settings.why_not_place)

    def execute(self, context):
        try:
            head = head_mesh.add(context, *self.chosen(context))
        except ReliTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.view_layer.objects.active = head
        self.report({"INFO"}, f"{head.name} moves as the take does")
        return {"FINISHED"}


def _why_no_mesh(context):
    active = context.view_layer.objects.active
    if active is None or active.type != "MESH" or getattr(active.data, "shape_keys", None) is None:
        return "Select a mesh that has shape keys"
    return ""


class RELITALK_OT_drive_mesh(_Moving, Operator):
    """Let the active mesh, which has ARKit-style shape keys, speak as the take does"""

    bl_idname = "relitalk.drive_mesh"
    bl_label = "Drive Mesh"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, settings.why_not_place, _why_no_mesh)

    def execute(self, context):
        why = _why_no_mesh(context)
        if why:
            self.report({"ERROR"}, f"{why}.")
            return {"CANCELLED"}
        mesh = context.view_layer.objects.active
        try:
            take, start, _ = self.chosen(context)
            moving, missing = head_mesh.drive(mesh, take, start)
        except ReliTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if missing:
            self.report({"WARNING"}, f"{mesh.name} has no shape keys for {', '.join(missing)}")
        self.report({"INFO"}, f"{len(moving)} shape keys of {mesh.name} move as the take does")
        return {"FINISHED"}
