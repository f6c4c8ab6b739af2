"""Try the sample: the clip and the sentence that ReliTalk brings, from end to end."""

from __future__ import annotations

from bpy.types import Operator

from ..relitalk_addon import orders, presets, settings, watch
from .base import Waiting, allowed, engine_missing
from .place import place

NAME = "sample"


def _why_not(_):
    return "The sample is being made" if _coming() else ""


def _coming():
    return any(path.stem.startswith(NAME) for path in watch.coming())


class RELITALK_OT_try_sample(Waiting, Operator):
    """Train on a clip that ReliTalk brings, let it speak and stand it here. Undo reaches the placing, not the jobs"""

    bl_idname = "relitalk.try_sample"
    bl_label = "Try the Sample"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        return allowed(cls, context, engine_missing, _why_not)

    def execute(self, context):
        chosen = settings.get(context)
        clip, voice = presets.SHIPPED / "sample" / "sample.mp4", presets.SHIPPED / "sample" / "sentence.wav"
        chosen.video, chosen.audio, chosen.subject = str(clip), str(voice), NAME
        trained = (settings.subject_place(NAME) / "subject.json").is_file()
        say = orders.TakeOrder(NAME, str(voice), chosen.light, video=str(clip), awaited=not trained)
        if not trained:
            learn = orders.TrainOrder(str(clip), NAME, device=chosen.device, consent=True)
            done = self.attend(lambda: orders.train(context, learn), lambda job: None)
            if done != {"FINISHED"}:
                return done

        def then(job):
            place(self, context, job.order.result, chosen.frame_start)

        return self.attend(lambda: orders.take(context, say), then)
