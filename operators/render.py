"""Render a take with a voice, or relight the clip itself."""

from __future__ import annotations

from bpy.props import BoolProperty, StringProperty
from bpy.types import Operator

from ..relitalk_addon import orders, settings
from .base import ARGUMENT, PATH, Argued, Waiting, about_the_view, allowed, confirmed, engine_missing
from .place import place


class _Take(Argued, Waiting):
    """What the two have in common."""

    subject: StringProperty(
        name="Subject", subtype="DIR_PATH", options=PATH, description="Its folder, or its name in the library",
    )
    light: StringProperty(
        name="Light", options=ARGUMENT, description="source, matched, a light's or panorama's file, or dir:AZ,EL",
    )
    background: StringProperty(name="Background", options=ARGUMENT, description="none, keep, an image or #rrggbb")
    frames: StringProperty(name="Frames", options=ARGUMENT, description="A:B, frames A to B-1; empty: all")
    take: StringProperty(
        name="Take", subtype="DIR_PATH", options=PATH, description="The new take's folder, or its name in the library",
    )
    place: BoolProperty(name="Place", default=True, options=ARGUMENT, description="Stand the take in the scene")

    def invoke(self, context, event):
        named = self.value(context, "take")
        stands = named and settings.take_place(named, settings.path("")).exists()
        replace = f"{named} is there already and will be replaced." if stands else ""
        return confirmed(self, context, event, replace, about_the_view(context) if self.place else "")

    def run(self, context, audio):
        asked = {name: self.value(context, name) for name in ("subject", "light", "background", "take")}
        order = orders.TakeOrder(
            **asked, audio=audio, frames=self.frames, place=self.place, video=settings.get(context).video,
        )

        def then(job):
            if self.place:
                place(self, context, job.order.result, settings.get(context).frame_start)

        return self.attend(lambda: orders.take(context, order), then)


class RELITALK_OT_render(_Take, Operator):
    """Let the subject say the audio under the chosen light. Undo reaches the placing, not the job"""

    bl_idname = "relitalk.render"
    bl_label = "Render Take"
    bl_options = {"REGISTER"}

    audio: StringProperty(
        name="Audio", subtype="FILE_PATH", options=PATH, description="What is said: a sound file or a film",
    )

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, engine_missing, settings.why_not_render)

    def execute(self, context):
        audio = self.value(context, "audio")
        if not audio:
            self.report({"ERROR"}, "No audio is chosen. Choose a sound file, or relight the clip itself.")
            return {"CANCELLED"}
        return self.run(context, audio)


class RELITALK_OT_relight(_Take, Operator):
    """Light the subject's own clip anew, with its own voice. Undo reaches the placing, not the job"""

    bl_idname = "relitalk.relight"
    bl_label = "Relight Clip"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, engine_missing, settings.why_no_subject)

    def execute(self, context):
        return self.run(context, "")
