"""Set up engine, and ask whether it can run."""

from __future__ import annotations

import bpy
from bpy.types import Operator

from ..relitalk_addon import compat, orders, preferences, watch
from ..relitalk_addon.engine import ReliTalkError
from .base import Waiting, allowed


def _why_not(_: bpy.types.Context) -> str:
    if watch.running("set_up"):
        return "The engine is being set up"
    if not preferences.engine_named() and not compat.online():
        return "Allow online access in the preferences (System, Network) first"
    return ""


class RELITALK_OT_set_up_engine(Waiting, Operator):
    """Make the engine's own Python environment beside Blender's: about 1 GB is downloaded, once"""

    bl_idname = "relitalk.set_up_engine"
    bl_label = "Set Up Engine"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, _why_not)

    def execute(self, context):
        try:
            ready = preferences.ready_engine()
            self.report({"INFO"}, f"The engine is ready: it runs in {ready.python}")
            return {"FINISHED"}
        except ReliTalkError as error:
            if preferences.engine_named():  # a Python of the user's own is theirs to mend
                return self.refuse(error)
        if not compat.online():
            self.report({"ERROR"}, "Blender is offline. Allow online access in the preferences, System, Network.")
            return {"CANCELLED"}
        return self.attend(lambda: orders.set_up(context), lambda job: None)


class RELITALK_OT_check_engine(Operator):
    """Ask the engine's Python whether it has all that the engine needs"""

    bl_idname = "relitalk.check_engine"
    bl_label = "Check Engine"
    bl_options = {"REGISTER"}

    def execute(self, context):
        try:
            ready = preferences.ready_engine()
        except ReliTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"The engine is ready: {ready.python} has all that it needs")
        return {"FINISHED"}
