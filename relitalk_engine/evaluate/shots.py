"""A clip's frames under many lights at once: followed and decomposed once, then lit element by element."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..events import Reporter
from ..lighting.light import Light
from ..pipeline.base import open_video
from ..pipeline.finish import Finisher, Picture
from ..pipeline.motion import plan_motion
from ..pipeline.options import LightOptions, OutOptions
from ..pipeline.person import Person
from ..pipeline.relight import decomposed
from ..pipeline.render import prepare, take_info
from ..take import Take


def shoot(
    person: Person, clip: Path, lights: list[tuple[str, Light]], frames: list[int], place: Path, reporter: Reporter
) -> Take:
    """Relight some frames of a clip of the subject, as `relitalk relight --full-frame` does.

    Args:
        person: the subject.
        clip: another clip of the same person, under the same light.
        lights: name and light; the passes are those of the first.
        frames: numbers of the frames in the clip.
        place: an empty folder for the take.
        reporter: hears the progress and may cancel.

    Returns:
        A take with the pictures at `beauty_path(frame, name)` and the passes at `pass_path`.
    """
    base = open_video(person, clip, 0.0, place / "base.mkv", reporter, True)
    total = len(base.fit)
    out = OutOptions(full_frame=True, passes=True)
    motion = plan_motion(person, base, total, None, out)
    take = Take(place, take_info("relight", person, base, motion, (0, total), out, LightOptions(), lights))
    prepare(take)
    finisher = Finisher(person, take, lights, out, base)
    with person.observer(motion.fit, base.backdrop) as observer:

        def pictures() -> Iterator[Picture]:
            for number in frames:
                yield from decomposed(person, base, motion, observer, range(number, number + 1))

        for picture in reporter.steps("frames", pictures(), len(frames)):
            finisher.finish(picture)
    base.close()
    return take
