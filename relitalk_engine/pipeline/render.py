"""Drive a subject with a voice and light it anew."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .. import folders
from ..errors import ReliTalkError
from ..events import Reporter
from ..face.observation import Observer
from ..lighting.light import Light
from ..lighting.rigs import load_light, olat
from ..media.audio import audio_seconds, copy_as_wav, read_blocks
from ..reflectance.passes import read_frame_passes
from ..subject import Subject
from ..synthesis.spoken import Spoken
from ..synthesis.synthesis import Painter
from ..take import PASSES, Placement, Take, TakeInfo
from .base import Base, ClipBase, VideoBase, open_video
from .curves import write_motion
from .finish import Finisher, Picture, write_take
from .motion import VOICE_RATE, Motion, drive, name_missing_blinks, name_the_track, plan_motion, take_length
from .options import LightOptions, OutOptions, RenderOptions, Result
from .person import Person


def render(options: RenderOptions, reporter: Reporter) -> Result:
    """Make a take of a subject that says a sound under a light.

    Args:
        options: who, what, where, how.
        reporter: hears the progress and may cancel.

    Returns:
        The take's folder and its preview.

    Raises:
        ReliTalkError: something that was given does not fit; nothing is left behind.
        Cancelled: by the user; nothing is left behind.
    """
    person = Person(Subject.open(options.subject), options.device)
    total = take_length(options.audio, person.subject.info.fps)
    frames = frame_range(options.out, total)
    lights = read_lights(options.light, person, reporter)
    spoken = _spoken(person, options)
    name_the_track(options.audio, reporter)
    reporter.progress("voice", 0, 1)
    mouth = drive(person, options.audio, total, options.voice)
    reporter.progress("voice", 1, 1)
    base: Base = ClipBase(person)
    with building(options.output) as scratch:
        if options.video is not None:
            needed = total / float(person.subject.info.fps) + 1
            base = open_video(person, options.video, options.start, scratch / "base.mkv", reporter, False, needed)
        elif options.start:
            base = Later(base, options.start)
        name_missing_blinks(person, base, total, reporter)
        motion = plan_motion(person, base, total, mouth, options.out)
        kept = int(base.hidden[motion.order[slice(*frames)]].sum())
        if kept:
            reporter.warning(
                f"Something crosses the mouth in {kept} of {frames[1] - frames[0]} frames of this take: they are kept"
                " as they were filmed. Choose another --start, or other footage with --video, where that does not suit."
            )
        if options.voice.motion_only:
            write_motion(scratch, person, motion, options.voice)
            copy_as_wav(options.audio, scratch / "audio.wav")
            folders.finish(scratch, options.output)
            return {"motion": str(options.output / "motion.npz"), "frames": total}
        painter = Painter(
            person.synthesis,
            person.head,
            person.fit,
            person.frames.__getitem__,
            lambda index: read_frame_passes(person.subject.passes_dir, index).alpha,
            motion.fit,
            motion.psi,
            options.device,
            spoken=spoken,
            footage=base.rgb,
            backdrop=base.backdrop,
            shown=motion.order,
            reporter=reporter,
        )
        info = take_info("render", person, base, motion, frames, options.out, options.light, lights)
        info.audio = {"file": str(options.audio.resolve()), "seconds": round(audio_seconds(options.audio), 4)}
        info.controls |= options.voice.record()
        shift = base.crop[:2] if options.out.full_frame else (0, 0)
        info.driven = [_box(painter.boxes.driven[k], shift) for k in range(*frames)]
        info.removed = [_box(painter.boxes.removed[k], shift) for k in range(*frames)]
        take = Take(scratch, info)
        prepare(take)
        copy_as_wav(options.audio, take.audio_path)
        write_motion(take.path, person, motion, options.voice)
        finisher = Finisher(person, take, lights, options.out, base)
        with person.observer(motion.fit, base.backdrop) as observer:
            pictures = paint(person, base, motion, painter, observer, range(*frames))
            write_take(finisher, pictures, take, take.audio_path, reporter)
        return close(take, base, options.output)


def _spoken(person: Person, options: RenderOptions) -> Spoken | None:
    """The sound for Wav2Lip, where the subject was trained with it and the mouth follows the sound."""
    voice = options.voice
    if voice.motion_only or voice.motion is not None or not person.synthesis.wav2lip:
        return None
    sound = read_blocks(options.audio, VOICE_RATE)
    return Spoken.of(
        sound, person.subject.info.fps, options.device, voice.offset_ms / 1000, person.synthesis.wav2lip
    )


@contextlib.contextmanager
def building(place: Path) -> Iterator[Path]:
    """The folder in which a take is built, beside its place; thrown away where the take does not come to its end."""
    scratch = folders.begin(place, "take")
    try:
        yield scratch
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


class Later:
    """The training clip from a later moment on. See `Base`."""

    def __init__(self, base: Base, start: float) -> None:
        skip = round(start * float(base.fps))
        if skip >= len(base.fit):
            raise ReliTalkError(
                "start_too_late",
                f"The footage is {len(base.fit) / float(base.fps):.1f} s long; there is nothing at {start:g} s.",
                "Choose an earlier --start.",
            )
        self._base, self._skip = base, skip
        self.fit, self.fps, self.crop = base.fit.select(slice(skip, None)), base.fps, base.crop
        self.source, self.source_size = base.source, base.source_size
        self.backdrop, self.hidden = base.backdrop, base.hidden[skip:]
        self.start = base.start + skip / float(base.fps)

    def rgb(self, frame: int) -> np.ndarray:
        """[H, W, 3] uint8."""
        return self._base.rgb(frame + self._skip)

    def known(self, frame: int):
        """The frame's decomposition."""
        return self._base.known(frame + self._skip)


def frame_range(out: OutOptions, total: int) -> tuple[int, int]:
    """The half-open range of frames to make.

    Raises:
        ReliTalkError: it lies outside the take.
    """
    first, last = out.frames or (None, None)
    first, last = first or 0, total if last is None else min(last, total)
    if not first < last:
        raise ReliTalkError(
            "bad_frames",
            f"The take has {total} frames, 0 to {total - 1}; --frames {first}:{last} holds none of them.",
            "Choose a range inside the take.",
        )
    return first, last


def read_lights(options: LightOptions, person: Person, reporter: Reporter) -> list[tuple[str, Light]]:
    """The light, or the named lights of an olat set; what a light lacks is told."""
    if options.spec == "olat":
        return [(name, light.scaled(options.strength)) for name, light in olat()]
    light = load_light(options.spec, options.rotation, options.strength, person.light)
    if "warning" in light.source:
        reporter.warning(str(light.source["warning"]))
    return [("", light)]


def take_info(
    kind: str,
    person: Person,
    base: Base,
    motion: Motion,
    frames: tuple[int, int],
    out: OutOptions,
    light: LightOptions,
    lights: list[tuple[str, Light]],
) -> TakeInfo:
    """What take.json says, but for the voice."""
    subject = person.subject
    x, y, width, height = base.crop
    shift = np.array([x, y] if out.full_frame else [0, 0], float)
    centre = motion.fit.project(motion.fit.translation)  # the head's origin lies between its eyes
    depth = -motion.fit.translation[:, 2]
    eyes = centre.mean(0) + shift
    return TakeInfo(
        kind=kind,
        fps=subject.info.fps,
        size=base.source_size if out.full_frame else (width, height),
        crop=base.crop,
        frames=frames,
        total=len(motion),
        subject={
            "name": subject.info.name,
            "path": str(subject.path.resolve()),
            "sha256": subject.info.source.sha256,
            "consent": {"given": subject.info.consent.given, "recorded": subject.info.consent.recorded},
        },
        light={"spec": light.spec, "rotation": light.rotation, "strength": light.strength},
        base={
            "file": "" if isinstance(base, ClipBase) else str(base.source),
            "start": base.start,
            "frames": [int(i) for i in motion.order[slice(*frames)]],
        },
        controls={"freeze": out.freeze, "full_frame": out.full_frame},
        background=str(out.background),
        exr=out.exr,
        passes=list(PASSES) if out.passes else [],
        lights=[name for name, _ in lights if name],
        placement=Placement((float(eyes[0]), float(eyes[1])), float(depth.mean() / motion.fit.focal)),
    )


def prepare(take: Take) -> None:
    """Make the take's folders."""
    for light in take.info.lights or [""]:
        (take.path / "beauty" / light).mkdir(parents=True, exist_ok=True)
    for name in take.info.passes:
        (take.path / name).mkdir(exist_ok=True)


def close(take: Take, base: Base, place: Path) -> Result:
    """Move the take to its place."""
    if isinstance(base, VideoBase):
        base.close()
    (take.path / "base.mkv").unlink(missing_ok=True)
    finished = take.finish(place)
    first, last = finished.info.frames
    return {"take": str(finished.path), "preview": str(finished.preview_path), "frames": last - first}


def _box(box: np.ndarray, shift: tuple[int, ...]) -> tuple[int, int, int, int]:
    x, y, width, height = (int(v) for v in box)
    return x + shift[0], y + shift[1], width, height


def paint(
    person: Person, base: Base, motion: Motion, painter: Painter, observer: Observer, numbers: range
) -> Iterator[Picture]:
    """Paint and decompose the frames of a take, one by one."""
    for number in numbers:
        at = int(motion.order[number])
        rgb, known = base.rgb(at), base.known(at)
        alpha = None if known is None else known.alpha
        if not base.hidden[at]:
            patch = painter.paint(number, rgb, alpha)
            rgb = patch.onto(rgb)
            alpha = None if alpha is None else patch.onto_alpha(alpha)
        seen = observer.observe(number, rgb, motion.psi[number], alpha)
        found, shadow = person.decompose(rgb, seen, motion.fit.rotation[number])
        yield Picture(number, rgb, found, shadow, at)
