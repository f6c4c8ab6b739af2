"""Set up engine, ask whether it can run, and remove it."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty
from bpy.types import Operator

from ..relitalk_addon import compat, engine, hardware, orders, preferences, watch
from ..relitalk_addon.engine import ReliTalkError
from .base import ARGUMENT, Told, Waiting, allowed, confirmed, refuse

_items: list[tuple[str, str, str]] = []


def _why_not(_: bpy.types.Context) -> str:
    if watch.running("set_up"):
        return "The engine is being set up"
    if not preferences.engine_named() and not compat.online():
        return "Blender is offline: allow online access in the preferences, System, Network"
    return ""


def _backends(_: Operator, __: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    _items[:] = [("AUTO", "Automatic", "The best that is found on this machine")]
    _items.extend((build.key, build.name, build.words) for build in hardware.backends())
    return _items


class RELITALK_OT_set_up_engine(Waiting, Operator):
    """Make the engine's own Python environment beside Blender's; it asks before it downloads. Undo does not reach it"""

    bl_idname = "relitalk.set_up_engine"
    bl_label = "Set Up Engine"
    bl_options = {"REGISTER"}

    backend: EnumProperty(
        name="Compute On", items=_backends, options=ARGUMENT, description="What the engine shall compute on",
    )

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _why_not)

    def invoke(self, context, event):
        if preferences.engine_named():
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context):
        layout = self.layout
        layout.label(text="A private Python 3.11 is made, with torch and what else the engine needs.")
        layout.prop(self, "backend", expand=False)
        build = hardware.chosen(self.backend)
        box = layout.box().column(align=True)
        for line in (f"{build.name}: {build.found or 'not found on this machine'}",
                     f"About {build.download:g} GB are downloaded, {build.disk:g} GB on disk",
                     f"In {preferences.engine_home()}"):
            box.label(text=line)
        layout.label(text="It can be cancelled, tried again, and removed in the preferences.")

    def execute(self, context):
        try:
            ready = preferences.ready_engine()
            self.report({"INFO"}, f"The engine is ready: it runs in {ready.python}")
            return {"FINISHED"}
        except ReliTalkError as error:
            if preferences.engine_named():  # a Python of the user's own is theirs to mend
                return refuse(self, error)
        if not compat.online():
            self.report({"ERROR"}, "Blender is offline. Allow online access in the preferences, System, Network.")
            return {"CANCELLED"}
        return self.attend(lambda: orders.set_up(self.backend), lambda job: None)


class RELITALK_OT_check_engine(Told, Operator):
    """Ask the engine's Python whether it has all that the engine needs. There is nothing for undo to reach"""

    bl_idname = "relitalk.check_engine"
    bl_label = "Check Engine"
    bl_options = {"REGISTER"}

    def act(self, context):
        ready = preferences.ready_engine()
        self.report({"INFO"}, f"The engine is ready: {ready.python} has all that it needs")
        return {"FINISHED"}


class RELITALK_OT_remove_engine(Told, Operator):
    """Delete the engine's own environment; subjects, takes and jobs stay. Undo does not reach it"""

    bl_idname = "relitalk.remove_engine"
    bl_label = "Remove Engine"
    bl_options = {"REGISTER"}

    def invoke(self, context, event):
        return confirmed(self, context, event, "Delete the engine's environment? Subjects and takes stay.")

    def act(self, context):
        at_work = watch.running()
        if at_work is not None:
            self.report({"ERROR"}, f"{at_work.order.title} still runs. Cancel it first.")
            return {"CANCELLED"}
        engine.remove(preferences.engine_home())
        self.report({"INFO"}, "The engine is removed; Set Up Engine brings it back")
        return {"FINISHED"}


class RELITALK_OT_allow_online(Operator):
    """Open the preferences where online access is allowed. There is nothing for undo to reach"""

    bl_idname = "relitalk.allow_online"
    bl_label = "Open Network Preferences"
    bl_options = {"REGISTER"}

    def execute(self, context):
        bpy.ops.screen.userpref_show(section="SYSTEM")
        return {"FINISHED"}
