"""What must hold of any take: the clip's pixels where nothing was driven, and nothing of the footage's mouth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from relitalk_engine.evaluate import metrics
from relitalk_engine.media import images, lossless
from relitalk_engine.subject import Subject
from relitalk_engine.take import Take

from . import runs


def reconstruction(again: bool) -> Iterator[str]:
    """Source light against the subject's own crop; asked for: 50 dB or more."""
    yield from compare_reconstruction("hdtf_a", runs.subject(runs.data("real/hdtf_a.mp4"), "hdtf_a", again))


def compare_reconstruction(name: str, place: Path) -> Iterator[str]:
    """PSNR of a subject under its own light, keeping the background, over all its frames."""
    folder = runs.RESULTS / f"{name}_source"
    runs.relitalk("relight", place, "--light", "source", "--background", "keep", "-o", folder, "--force")
    take, found = Take.open(folder), []
    with lossless.LosslessReader(Subject.open(place).frames_path) as frames:
        for index in range(*take.info.frames):
            mine = images.read_image(take.beauty_path(index))[..., :3] / np.float32(255)
            found.append(metrics.psnr(mine, frames[index] / np.float32(255)))
    yield f"{name}, source light against the crop: {np.mean(found):.1f} dB mean, {min(found):.1f} dB worst"


def outside(again: bool) -> Iterator[str]:
    """A driven, source-lit take against the clip, outside the removed area; asked for: identical."""
    place = runs.subject(runs.data("real/hdtf_a.mp4"), "hdtf_a", again)
    folder, voice = runs.RESULTS / "hdtf_a_outside", runs.data("real/speech_a.wav")
    words = ("--light", "source", "--background", "keep", "--frames", "0:50", "-o", folder, "--force")
    runs.relitalk("render", place, "--audio", voice, *words)
    take = Take.open(folder)
    first, last = take.info.frames
    base = take.info.base.get("frames") or list(range(first, last))
    differing = changed = 0
    with lossless.LosslessReader(Subject.open(place).frames_path) as frames:
        for index, box, source in zip(range(first, last), take.info.removed, base, strict=True):
            mine, clip = images.read_image(take.beauty_path(index))[..., :3], frames[source]
            differs = (mine != clip).any(axis=-1)
            x, y, w, h = box
            changed += int(differs[y : y + h, x : x + w].sum())
            differs[y : y + h, x : x + w] = False
            differing += int(differs.sum())
    yield f"{last - first} frames: {differing} pixels differ outside the removed area ({changed} inside it)"


def scramble(again: bool) -> Iterator[str]:
    """The footage's removed area replaced by noise; asked for: the take does not change."""
    clip, voice = runs.data("real/hdtf_a.mp4"), runs.data("real/speech_a.wav")
    place = runs.subject(clip, "hdtf_a", again)
    takes = []
    plain = runs.RESULTS / "footage.mkv"
    _copy(clip, plain, None)
    for name in ("footage", "scrambled"):
        folder = runs.RESULTS / f"hdtf_a_{name}"
        words = ("--video", runs.RESULTS / f"{name}.mkv", "--frames", "0:40", "-o", folder, "--force")
        runs.relitalk("render", place, "--audio", voice, *words)
        takes.append(Take.open(folder))
        if name == "footage":
            _copy(clip, runs.RESULTS / "scrambled.mkv", json.loads((folder / "take.json").read_text()))
    first, last = takes[0].info.frames
    worst = pixels = 0
    for index in range(first, last):
        a, b = (images.read_image(take.beauty_path(index)).astype(int) for take in takes)
        difference = np.abs(a - b).max(axis=-1)
        worst, pixels = max(worst, int(difference.max())), pixels + int((difference > 0).sum())
    yield f"{last - first} frames: {pixels} pixels change, by {worst}/255 at most"


def _copy(clip: Path, to: Path, take: dict | None) -> None:
    """A lossless copy of a clip; with a take, its removed area is noise in every frame that the take used."""
    from relitalk_engine.media import video

    rng = np.random.default_rng(0)
    boxes = {}
    if take is not None:
        frames = take["base"].get("frames") or list(range(*take["frames"]))
        boxes = dict(zip(frames, take["removed"], strict=True))
        left, top = take["crop"][:2]
    info = video.probe(clip)
    with lossless.LosslessWriter(to, info.fps) as out:
        for index, frame in enumerate(video.read_frames(clip)):
            if index in boxes:
                x, y, w, h = boxes[index]
                part = frame[max(top + y, 0) : top + y + h, max(left + x, 0) : left + x + w]
                part[...] = rng.integers(0, 256, part.shape, np.uint8)
            out.write(frame)
