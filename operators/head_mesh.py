"""The talking head as geometry, and its motion on other meshes."""

from __future__ import annotations

from bpy.types import Operator

from ..relitalk_addon import head_mesh, settings
from .base import OfTake, allowed


class RELITALK_OT_add_head_mesh(OfTake, Operator):
    """Add the fitted head as a mesh whose shape keys move as in the take, painted with the clip's albedo"""

    bl_idname = "relitalk.add_head_mesh"
    bl_label = "Add Head Mesh"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, settings.why_not_place)

    def act(self, context):
        head = head_mesh.add(context, *self.chosen(context))
        context.view_layer.objects.active = head
        self.report({"INFO"}, f"{head.name} moves as the take does")
        return {"FINISHED"}


def _why_no_mesh(context):
    active = context.view_layer.objects.active
    if active is None or active.type != "MESH" or getattr(active.data, "shape_keys", None) is None:
        return "Select a mesh that has shape keys"
    return ""


class RELITALK_OT_drive_mesh(OfTake, Operator):
    """Let the active mesh, which has ARKit-style shape keys, speak as the take does"""

    bl_idname = "relitalk.drive_mesh"
    bl_label = "Drive Mesh"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, settings.why_not_place, _why_no_mesh)

    def act(self, context):
        why = _why_no_mesh(context)
        if why:
            self.report({"ERROR"}, f"{why}.")
            return {"CANCELLED"}
        mesh = context.view_layer.objects.active
        take, start, _ = self.chosen(context)
        moving, missing = head_mesh.drive(mesh, take, start)
        if missing:
            self.report({"WARNING"}, f"{mesh.name} has no shape keys for {', '.join(missing)}")
        self.report({"INFO"}, f"{len(moving)} shape keys of {mesh.name} move as the take does")
        return {"FINISHED"}
