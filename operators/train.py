"""Train a subject from a clip."""

from __future__ import annotations

from bpy.props import BoolProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import Operator

from ..relitalk_addon import orders, settings
from .base import ARGUMENT, PATH, Argued, Waiting, allowed, engine_missing


class RELITALK_OT_train(Argued, Waiting, Operator):
    """Learn the person in the video, in a process of its own; Blender stays usable. Undo does not reach it"""

    bl_idname = "relitalk.train"
    bl_label = "Train Subject"
    bl_options = {"REGISTER"}

    video: StringProperty(
        name="Video", subtype="FILE_PATH", options=PATH, description="A clip of one person who speaks",
    )
    subject: StringProperty(
        name="Subject", subtype="DIR_PATH", options=PATH, description="Its new folder, or its name in the library",
    )
    preset: StringProperty(name="Quality", options=ARGUMENT, description="A quality preset's name")
    device: StringProperty(name="Device", options=ARGUMENT, description="auto, cpu or cuda")
    seed: IntProperty(name="Seed", min=0, options=ARGUMENT, description="The same seed learns the same subject")
    start: FloatProperty(
        name="Start", min=0.0, options=ARGUMENT, unit="TIME_ABSOLUTE", description="Seconds into the video",
    )
    duration: FloatProperty(
        name="Duration", min=0.0, options=ARGUMENT, unit="TIME_ABSOLUTE", description="Seconds; 0: to the end",
    )
    resume: BoolProperty(name="Resume", options=ARGUMENT, description="Go on where an earlier training stopped")
    force: BoolProperty(name="Replace", options=ARGUMENT, description="Replace a subject of this name")
    consent: BoolProperty(
        name="The Person Agreed", options=ARGUMENT, description="The person in the video agreed to be portrayed",
    )

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, engine_missing, settings.why_not_train)

    def execute(self, context):
        asked = {
            name: self.value(context, name) for name in ("video", "subject", "preset", "device", "seed", "consent")
        }
        order = orders.TrainOrder(
            **asked, start=self.start, duration=self.duration, resume=self.resume, force=self.force,
        )

        def then(job):
            settings.get(context).subject = job.order.result

        return self.attend(lambda: orders.train(context, order), then)
