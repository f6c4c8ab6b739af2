"""Light the clip itself anew, or another clip of the same person, without a new voice."""

from __future__ import annotations

from collections.abc import Iterator

from ..events import Reporter
from ..face.observation import Observer
from ..media.audio import copy_as_wav, extract_audio
from ..subject import Subject
from ..take import Take
from .base import Base, ClipBase, open_video
from .curves import write_motion
from .finish import Finisher, Picture, write_take
from .motion import Motion, plan_motion
from .options import RelightOptions, Result
from .person import Person
from .render import Later, building, close, frame_range, prepare, read_lights, take_info


def relight(options: RelightOptions, reporter: Reporter) -> Result:
    """Make a take of the footage under another light.

    Args:
        options: which footage, which light, which files.
        reporter: hears the progress and may cancel.

    Returns:
        The take's folder and its preview.

    Raises:
        ReliTalkError: something that was given does not fit; nothing is left behind.
        Cancelled: by the user; nothing is left behind.
    """
    person = Person(Subject.open(options.subject), options.device)
    lights = read_lights(options.light, person, reporter)
    base: Base = ClipBase(person)
    with building(options.output) as scratch:
        if options.video is not None:
            base = open_video(person, options.video, options.start, scratch / "base.mkv", reporter, True)
        elif options.start:
            base = Later(base, options.start)
        total = len(base.fit)
        frames = frame_range(options.out, total)
        motion = plan_motion(person, base, total, None, options.out)
        take = Take(scratch, take_info("relight", person, base, motion, frames, options.out, options.light, lights))
        prepare(take)
        write_motion(take.path, person, motion)
        sound = _sound(base, person, take, options)
        finisher = Finisher(person, take, lights, options.out, base)
        with person.observer(motion.fit, base.backdrop) as observer:
            pictures = decomposed(person, base, motion, observer, range(*frames))
            write_take(finisher, pictures, take, take.audio_path if sound else None, reporter)
        return close(take, base, options.output)


def _sound(base: Base, person: Person, take: Take, options: RelightOptions) -> bool:
    """Put the footage's own sound into the take."""
    seconds = len(base.fit) / float(base.fps)
    if options.video is not None:
        found = extract_audio(options.video, take.audio_path, options.start, seconds)
    else:
        found = person.subject.audio_path.exists()
        if found:
            copy_as_wav(person.subject.audio_path, take.audio_path, options.start)
    if found:
        take.info.audio = {"file": str(base.source), "seconds": round(seconds, 4)}
    return found


def decomposed(
    person: Person, base: Base, motion: Motion, observer: Observer, numbers: range
) -> Iterator[Picture]:
    """The footage's frames with their decomposition: kept ones read, others made."""
    for number in numbers:
        at = int(motion.order[number])
        rgb, found = base.rgb(at), base.known(at)
        if found is None:
            found, shadow = person.decompose(rgb, observer.observe(number, rgb), motion.fit.rotation[number])
        else:
            shadow = person.shadow.at(observer.hits(number)[0], motion.fit.rotation[number])
        yield Picture(number, rgb, found, shadow, at)
