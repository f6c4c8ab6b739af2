"""A clip whose last fifth is held out: the subject learnt from the rest, its takes of that part, the true frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from relitalk_engine.media import audio, images, video
from relitalk_engine.pipeline.person import Person
from relitalk_engine.subject import Subject
from relitalk_engine.synthesis.boxes import CROP
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.take import Take

from . import runs
from .picture_figures import Areas, Frames, cut

CLIPS = {
    "hdtf_a": "real/hdtf_a.mp4",
    "talk_a": "real/talk_a.mp4",
    "talk_b": "real/talk_b.mp4",
    "subject_a": "synthetic/subject_a/train.mp4",
}
LEARNT = 4 / 5
REMOVED, DRIVEN = 120 / 256, 80 / 256
OTHER_LIGHT = "dir:-60,20"
"""From the side, against which the seam is looked at."""
RELIT = 25
"""Frames that are relit."""
BASELINES = ("nearest pose", "last frame learnt", "frame before")
"""What may fill the painted area instead: other true frames."""


@dataclass(frozen=True)
class Held:
    """A clip whose last fifth is held out, and the subject that was learnt from the rest.

    Attributes:
        name: of the clip.
        preset: its name.
        place: the subject.
        clip: the whole film.
        start: seconds at which the unseen part begins.
    """

    name: str
    preset: str
    place: Path
    clip: Path
    start: float

    def made(self, name: str, *words: object) -> Take:
        """A take of the unseen part; made anew where the subject has been."""
        folder = self.place.parent / f"{self.place.stem}_{name}"
        if not self.newer(folder / "take.json"):
            base = ("--video", self.clip, "--start", self.start, "--background", "keep", "-o", folder, "--force")
            runs.relitalk(words[0], self.place, *words[1:], *base)
        return Take.open(folder)

    def newer(self, path: Path) -> bool:
        """Was a file made after the subject was learnt?"""
        return path.exists() and path.stat().st_mtime > (self.place / "weights.safetensors").stat().st_mtime

    @cached_property
    def relit(self) -> Take:
        """The first true frames under the other light; with them comes the true motion of all."""
        return self.made("relit_truth", "relight", "--light", OTHER_LIGHT, "--frames", f"0:{RELIT}")

    def driven(self, name: str, *words: object) -> Take:
        """The unseen part spoken by the subject."""
        voice = self.place.with_suffix(".wav")
        if not voice.exists():
            audio.extract_audio(self.clip, voice, self.start)
        return self.made(name, "render", "--audio", voice, *words)

    @cached_property
    def tracked(self) -> Take:
        """With its true, tracked motion."""
        return self.driven("tracked", "--motion", self.relit.path / "motion.npz")

    @cached_property
    def heard(self) -> Take:
        """With the motion of its sound."""
        return self.driven("heard")

    @cached_property
    def tracked_relit(self) -> Take:
        """The first frames with the true motion, under the other light."""
        words = ("--motion", self.relit.path / "motion.npz", "--light", OTHER_LIGHT, "--frames", f"0:{RELIT}")
        return self.driven("tracked_relit", *words)

    @cached_property
    def unseen(self) -> Unseen:
        """The true frames."""
        return Unseen(self)


def held(name: str, preset: str, again: bool) -> Held:
    """A clip of CLIPS, learnt from its first four fifths, once.

    Raises:
        FileNotFoundError: it is not in the data folder.
    """
    clip = runs.data(CLIPS[name])
    info = video.probe(clip)
    start = int(info.frames * LEARNT) / float(info.fps)
    place = runs.RESULTS / "pixels" / f"{name}_{preset}.relitalk"
    if again or not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        words = ("--preset", preset, "--duration", start, "--consent", "yes", "--force")
        runs.relitalk("train", clip, "-o", place, *words)
    return Held(name, preset, place, clip, start)


def pictures(take: Take) -> Frames:
    """A take's frames, [H, W, 3] uint8."""
    return lambda t: np.ascontiguousarray(images.read_image(take.beauty_path(t))[..., :3])


class Unseen:
    """The true frames of the unseen part, in the takes' crop, and where is measured in them."""

    def __init__(self, who: Held) -> None:
        self._who = who
        self._person = Person(Subject.open(who.place))
        take = who.tracked
        x, y, width, height = take.info.crop
        self._frames = [
            np.ascontiguousarray(frame[y : y + height, x : x + width])
            for frame in islice(video.read_frames(who.clip, who.start), take.info.frames[1])
        ]
        count = len(self._frames)
        motion = self.motion(take)
        self.areas = Areas(
            _square(motion, REMOVED, (height, width))[:count],
            _square(motion, DRIVEN, (height, width))[:count],
            np.array(take.info.removed)[:count],
        )
        self.centre, self.unit = motion.centre, motion.unit
        self._moved = motion

    def true(self, t: int) -> np.ndarray:
        """[H, W, 3] uint8."""
        return self._frames[t]

    def motion(self, take: Take) -> Motion:
        """The head in a take, as its files have it."""
        with np.load(take.path / "motion.npz") as moved, np.load(take.head_path) as built:
            focal, u, v = (float(x) for x in built["camera"])
            blank = np.zeros((len(moved["psi"]), 478, 2), np.float32)
            fit = replace(
                self._person.fit, psi=moved["psi"], rotation=moved["rotation"], translation=moved["translation"],
                focal=focal, center=(u, v), size=(take.info.size[1], take.info.size[0]), landmarks=blank,
                valid=np.ones(len(blank), bool),
            )  # fmt: skip
        return Motion.of(self._person.head, fit)

    def baseline(self, way: str) -> Frames:
        """The painted area filled with another true frame's pixels."""
        learnt = self._person.frames
        if way == "nearest pose":
            nearest = _nearest(self._moved, Motion.of(self._person.head, self._person.fit), self._person.fit.valid)

        def filled(t: int) -> np.ndarray:
            picture, area = self.true(t).copy(), cut(self.areas.painted[t])
            if way == "nearest pose":
                other = learnt[int(nearest[t])]
            elif way == "last frame learnt" or t == 0:
                other = learnt[len(learnt) - 1]
            else:
                other = self.true(t - 1)
            picture[area] = other[area]
            return picture

        return filled


def _nearest(driven: Motion, learnt: Motion, valid: np.ndarray) -> np.ndarray:
    """[T] the learnt frame whose head stands most like the driven one's: 40 degrees count as an eye distance."""
    trace = driven.rotation.reshape(-1, 9) @ learnt.rotation.reshape(-1, 9).T
    turn = np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))) / 40
    place = np.linalg.norm(driven.centre[:, None] - learnt.centre[None], axis=-1) / driven.unit[:, None]
    return np.argmin(turn + place + np.where(valid, 0, 100), axis=1)


def _square(motion: Motion, share: float, size: tuple[int, int]) -> np.ndarray:
    """[T, 4] boxes about the resting mouth, their side a share of the paper's crop, kept in the frame."""
    half = share * CROP * motion.unit[:, None] / 2
    low = np.clip(np.round(motion.centre - half), 0, None).astype(int)
    high = np.minimum(np.round(motion.centre + half), np.array(size[::-1])).astype(int)
    return np.concatenate([low, high - low], 1)


