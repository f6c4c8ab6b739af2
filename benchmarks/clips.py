"""Clips of the data folder made ready once: followed, cropped, stored lossless."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from relitalk_engine.events import Reporter
from relitalk_engine.face.landmarks import Track
from relitalk_engine.media.lossless import LosslessReader
from relitalk_engine.pipeline.footage import ingest

from . import runs

QUIET = Reporter(quiet=True)
REAL = ("talk_a", "talk_b", "hdtf_a", "kitchen")


@dataclass(frozen=True, eq=False)
class Ready:
    """A stored clip: its lossless crop and the landmarks in pixels of the crop."""

    name: str
    path: Path
    fps: Fraction
    track: Track
    size: tuple[int, int]
    stored: Path

    @cached_property
    def frames(self) -> LosslessReader:
        """The crop's frames, uint8 RGB."""
        return LosslessReader(self.stored)

    def __len__(self) -> int:
        return len(self.track.points)


@cache
def ready(name: str, again: bool = False) -> Ready:
    """A clip such as "real/talk_a" or "synthetic/subject_a/train", stored in the results folder.

    Raises:
        FileNotFoundError: it is not in the data folder.
    """
    path = runs.data(f"{name}.mp4")
    place = runs.RESULTS / "clips" / name.replace("/", "_")
    stored, kept = place.with_suffix(".mkv"), place.with_suffix(".npz")
    if again or not kept.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        footage = ingest(path, 0.0, None, stored, QUIET)
        rate = [footage.fps.numerator, footage.fps.denominator]
        followed = footage.track
        np.savez(
            kept, points=followed.points, valid=followed.valid, depth=followed.depth, fps=rate, crop=footage.crop
        )
    with np.load(kept) as data:
        track = Track(data["points"], data["valid"], 1, data["depth"])
        numerator, denominator = (int(x) for x in data["fps"])
        width, height = (int(x) for x in data["crop"][2:])
    return Ready(name, path, Fraction(numerator, denominator), track, (height, width), stored)
