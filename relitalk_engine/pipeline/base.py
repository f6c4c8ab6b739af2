"""The footage that gives a take its head, gaze, upper face and background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import ReliTalkError
from ..events import Reporter
from ..face.backdrop import Backdrop, Cover, find_backdrop
from ..face.fitting import HeadFit, fit
from ..face.landmarks import OUTER_EYES, Track
from ..face.solving.refine import refine
from ..face.stand_in import HIDE_MOUTH, StandIn, nearest_pose, track_coarsely, track_covered
from ..media.lossless import LosslessReader
from ..media.video import read_frames
from ..reflectance.model import FramePasses
from ..reflectance.passes import read_frame_passes
from ..synthesis.boxes import ABOVE_REMOVED
from ..synthesis.motion import Motion as SeenHead
from .footage import Footage, ingest
from .person import Person

CLEAR = 0.05
"""Outer-eye distances above the removed area that are not looked at: the head may yet move by so much."""
NEARER = 1.4
"""How much larger than the training clip's a face may be before its mouth looks soft."""
FURTHER, OFTEN = 0.1, 0.1
"""Sine by which a head may be turned further than anywhere in the training clip, in more than this share of frames."""


class Base(Protocol):
    """Footage of the subject, cropped.

    Attributes:
        fit: the head in every frame.
        fps: frames per second.
        crop: x, y, width, height in the source's pixels.
        source: the video file.
        source_size: width and height of its frames.
        start: seconds into it.
        hidden: [T] bool, frames that are kept as they are: something crosses the mouth there.
        backdrop: what is behind the person, where it is known.
    """

    fit: HeadFit
    fps: Fraction
    crop: tuple[int, int, int, int]
    source: Path
    source_size: tuple[int, int]
    start: float
    hidden: np.ndarray
    backdrop: Backdrop | None

    def rgb(self, frame: int) -> np.ndarray:
        """[H, W, 3] uint8 of the crop."""
        ...

    def known(self, frame: int) -> FramePasses | None:
        """The frame's decomposition where it was kept."""
        ...


class ClipBase:
    """The training clip itself. See `Base`."""

    def __init__(self, person: Person) -> None:
        info = person.subject.info
        self.fit, self.fps, self.crop, self.start = person.fit, info.fps, info.crop, info.start
        self.source, self.source_size = Path(info.source.file), info.source_size
        self.backdrop, self.hidden = person.backdrop, person.hidden
        self._person = person

    def rgb(self, frame: int) -> np.ndarray:
        """[H, W, 3] uint8."""
        return self._person.frames[frame]

    def known(self, frame: int) -> FramePasses | None:
        """The frame's decomposition."""
        return read_frame_passes(self._person.subject.passes_dir, frame)


class VideoBase:
    """Another clip of the same person. See `Base`."""

    def __init__(self, footage: Footage, fitted: HeadFit, frames: Path, backdrop: Backdrop) -> None:
        self.fit, self.fps, self.crop, self.start = fitted, footage.fps, footage.crop, footage.start
        self.source, self.source_size = footage.clip.path, (footage.clip.width, footage.clip.height)
        self.hidden = np.zeros(len(fitted), bool)  # its mouth is never looked at
        self._frames = LosslessReader(frames)
        self.backdrop: Backdrop | None = backdrop

    def rgb(self, frame: int) -> np.ndarray:
        """[H, W, 3] uint8."""
        return self._frames[frame]

    def known(self, frame: int) -> FramePasses | None:
        """Nothing was kept of it."""
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._frames.close()


def open_video(
    person: Person,
    video: Path,
    start: float,
    scratch: Path,
    reporter: Reporter,
    mouth_matters: bool,
    duration: float | None = None,
) -> VideoBase:
    """Follow the subject's face in another clip.

    Args:
        person: the subject.
        video: the clip.
        start: seconds into it.
        scratch: where its crop may be kept, an .mkv.
        reporter: hears the progress and may cancel.
        mouth_matters: False: whatever the lower face does is neither looked at nor fitted.
        duration: seconds that are needed; None: to the end.
    """
    footage = ingest(video, start, duration, scratch, reporter)
    nearer = _eyes_apart(footage.track.points) / _eyes_apart(person.fit.landmarks[person.fit.valid])
    if nearer > NEARER:
        reporter.warning(
            f"The face in {video.name} is {nearer:.1f} times as large as in the clip that was learnt from, so its mouth"
            " will look softer than the rest. Use footage in which it is no larger, or train from this one."
        )
    size = footage.crop[3], footage.crop[2]
    with LosslessReader(scratch) as frames:
        track, cover = (footage.track, None) if mouth_matters else _follow_covered(person, frames, reporter)

        def looked_at(index: int) -> np.ndarray:
            return frames[index] if cover is None else cover(index, frames[index])[0]

        fitted = fit(
            track, person.head, size, person_fit_config(person), reporter, known=person.fit,
            upper_only=not mouth_matters, fps=float(footage.fps), device=person.device, frames=looked_at,
        )  # fmt: skip
        if cover is not None:
            fitted = _down_to_the_mouth(person, fitted, frames, cover, float(footage.fps), reporter)
        backdrop = find_backdrop(frames, reporter, cover)
    if not mouth_matters and (further := turned_further(person.fit, fitted)):
        reporter.warning(
            f"In {video.name} the head turns up to {further:.0f} degrees further than in the clip that was learnt from,"
            " so jaw and neck may smear on the side that was not seen. Use footage that turns less, or train from a"
            " clip that turns as far."
        )
    return VideoBase(footage, fitted, scratch, backdrop)


def _eyes_apart(points: np.ndarray) -> float:
    """Usual distance of the outer eye corners of [T, 478, 2], pixels."""
    return float(np.median(np.linalg.norm(points[:, OUTER_EYES[0]] - points[:, OUTER_EYES[1]], axis=-1)))


def turned_further(known: HeadFit, fitted: HeadFit) -> float:
    """Degrees by which a head turns or nods beyond all that the clip `known` shows of it; 0 where it hardly does."""
    seen, now = (fit.rotation[fit.valid if fit.valid.any() else slice(None), :2, 2] for fit in (known, fitted))
    beyond = np.maximum(now - seen.max(0), seen.min(0) - now).max(1)
    often = (beyond > FURTHER).mean() > OFTEN
    return float(np.degrees(np.arcsin(min(beyond.max(), 1.0)))) if often else 0.0


def _follow_covered(person: Person, frames: LosslessReader, reporter: Reporter) -> tuple[Track, Cover]:
    """Follow a face by its upper half; with the track comes what covers the lower half of any frame."""
    known = person.fit
    usable = np.flatnonzero(known.valid)

    def stand_in(k: int) -> StandIn:
        return StandIn(person.frames[int(k)], known.landmarks[k])

    # one that the footage has no say in: the pose that the clip is in most
    usual = np.einsum("tij,ij->t", known.rotation[usable], known.rotation[usable].mean(0)).argmax()
    coarse = track_coarsely(frames, stand_in(int(usable[usual])), reporter)
    near = [int(usable[nearest_pose(p, known.landmarks[usable])]) for p in coarse.points]
    stand_ins = _StandIns(stand_in, near)
    track = track_covered(frames, coarse, stand_ins, reporter)

    def cover(index: int, frame: np.ndarray, row: float | None = None) -> tuple[np.ndarray, tuple[slice, slice]]:
        face = stand_ins[index]
        return face.cover(frame, face.place(track.points[index]), HIDE_MOUTH, row)

    return track, cover


def _down_to_the_mouth(
    person: Person, fitted: HeadFit, frames: LosslessReader, cover: Cover, fps: float, reporter: Reporter
) -> HeadFit:
    """Place the head by its nose and cheeks too, down to what a take removes of each frame, and never by that."""
    weight = person_fit_config(person).refine
    if fitted.skin is None or not weight:
        return fitted

    def tops(fit: HeadFit, clear: float) -> np.ndarray:
        motion = SeenHead.of(person.head, fit)
        return np.floor(motion.centre[:, 1] - (ABOVE_REMOVED + clear) * motion.unit)

    rows = tops(fitted, CLEAR)

    def looked_at(t: int) -> np.ndarray:
        return cover(t, frames[t], float(rows[t]))[0]

    better = refine(fitted, person.head, looked_at, weight, True, fps, reporter, rows)
    low = tops(better, 0.0) >= rows  # else some of what was looked at would be removed
    return replace(
        better,
        psi=np.where(low[:, None], better.psi, fitted.psi),
        rotation=np.where(low[:, None, None], better.rotation, fitted.rotation),
        translation=np.where(low[:, None], better.translation, fitted.translation),
    )


def person_fit_config(person: Person):
    """The fit's settings of the preset that the subject was trained with, or the defaults where it is not here."""
    from ..config import FitConfig, load_preset

    try:
        return load_preset(person.subject.info.preset).fit
    except ReliTalkError:
        return FitConfig()


class _StandIns:
    """Stand-ins by frame, each read when it is wanted."""

    def __init__(self, make: Callable[[int], StandIn], which: list[int]) -> None:
        self._make, self._which = make, which

    def __len__(self) -> int:
        return len(self._which)

    def __getitem__(self, index: int) -> StandIn:
        return self._make(self._which[index])


def source_frame(base: Base, frame: int, cache: dict[str, object]) -> np.ndarray:
    """A whole frame of the base's source, for --full-frame; quick where frames are asked for in order.

    Raises:
        ReliTalkError: the source file is gone.
    """
    if not base.source.is_file():
        raise ReliTalkError(
            "no_source",
            f"The video {base.source} is not there any more, and --full-frame needs it.",
            "Put it back, or leave out --full-frame.",
        )
    at = cache.get("at", -1)
    assert isinstance(at, int)
    if at >= frame or "frames" not in cache or frame - at > 60:
        cache["frames"] = read_frames(base.source, base.start + max(frame / float(base.fps), 0.0))
        at = frame - 1
    picture = None
    while at < frame:
        picture = next(cache["frames"])  # type: ignore[call-overload]
        at += 1
    cache["at"] = at
    assert picture is not None
    return picture
