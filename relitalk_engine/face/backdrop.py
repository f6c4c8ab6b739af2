"""The clean plate: what the camera sees where the person is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import ReliTalkError
from ..events import Reporter
from .segmentation import Segmenter

SAMPLES, MEMORY = 32, 2e8
"""Frames that are looked at, however long the footage, and the most bytes that they may take (8 frames may always)."""
SURE = 0.1
"""Most of the person mask where a pixel is taken for background."""
MARGIN = 0.01
"""Width about the person that is left out, as a share of the frame's."""
STEADY = 8.0
"""Typical change of a pixel over time, in 8-bit steps, at which it counts 1/e."""
SEEN = 0.3
"""How often and how steadily a pixel is seen from which on it is known."""
CARRIED = 0.02
"""Distance from what is known at which trust has fallen to 1/e, as a share of the frame's width."""


Cover = Callable[..., tuple[np.ndarray, tuple[slice, slice]]]
"""From a frame's number, its pixels [H, W, 3] and, where that is known, the first row to cover: the covered frame, and
the rows and columns that are covered."""


class Frames(Protocol):
    """Frames in random access, as `LosslessReader` gives them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> np.ndarray: ...


@dataclass(frozen=True)
class Backdrop:
    """The background of footage whose camera stands still.

    Attributes:
        colour: [H, W, 3] uint8; carried on from around where it was never seen.
        trust: [H, W] uint8, 255 where it was seen often and always the same, falling to 0 where it is a guess.
    """

    colour: np.ndarray
    trust: np.ndarray

    def save(self, path: Path) -> None:
        """Write it as an RGBA PNG."""
        import cv2

        part = path.with_name(path.name + ".part")
        rgba = np.dstack([self.colour[..., ::-1], self.trust])
        part.write_bytes(cv2.imencode(".png", rgba)[1].tobytes())
        part.replace(path)

    @classmethod
    def load(cls, path: Path, size: tuple[int, int]) -> Backdrop:
        """Read what `save` wrote.

        Args:
            path: the file.
            size: width and height of the frames that it belongs to.

        Raises:
            ReliTalkError: it is missing, or is not an RGBA picture of that size.
        """
        import cv2

        rgba = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        width, height = size
        if rgba is None or rgba.dtype != np.uint8 or rgba.shape != (height, width, 4):
            state = f"is not an 8-bit RGBA picture of {width} × {height} pixels" if path.exists() else "is missing"
            raise ReliTalkError("bad_backdrop", f"{path} {state}.", "Train the subject again.")
        return cls(np.ascontiguousarray(rgba[..., 2::-1]), np.ascontiguousarray(rgba[..., 3]))


def find_backdrop(frames: Frames, reporter: Reporter | None = None, cover: Cover | None = None) -> Backdrop:
    """The background behind a moving person.

    Every pixel's median over an even sample of the frames in which it is surely background. Where the camera moves
    pixels disagree over time, and are not trusted.

    Args:
        frames: [H, W, 3] uint8 each.
        reporter: hears the progress and may cancel.
        cover: a frame with a part of it covered, and which part: nothing is learnt from what lies there.
    """
    import cv2

    reporter = reporter or Reporter(quiet=True)
    height, width = frames[0].shape[:2]
    samples = min(SAMPLES, max(8, int(MEMORY / (4 * height * width))))
    chosen = np.unique(np.linspace(0, len(frames) - 1, samples).round().astype(int))
    seen = np.empty((len(chosen), height, width, 3), np.uint8)
    free = np.empty((len(chosen), height, width), bool)
    reach = max(1, round(MARGIN * width))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    with Segmenter() as segmenter:
        for k, index in enumerate(reporter.steps("backdrop", chosen)):
            seen[k], where = frames[int(index)], None
            if cover is not None:
                seen[k], where = cover(int(index), seen[k])
            free[k] = cv2.dilate((segmenter.mask(seen[k]) > SURE).astype(np.uint8), disc) == 0
            if where is not None:
                free[k][where] = False
    colour, change = np.empty((height, width, 3), np.float32), np.empty((height, width), np.float32)
    for rows in _bands(height):
        colour[rows], change[rows] = _median(seen[:, rows], free[:, rows])
    times = free.sum(0)
    seen_often = np.clip((times - 1) / 3, 0, 1) * np.exp(-change / STEADY)
    away = cv2.distanceTransform((seen_often < SEEN).astype(np.uint8), cv2.DIST_L2, 5)
    trust = np.exp(-away / (CARRIED * width)) if (seen_often >= SEEN).any() else np.zeros_like(away)
    filled = _carried_on(colour, times > 1)
    return Backdrop(np.rint(filled).astype(np.uint8), np.rint(255 * trust).astype(np.uint8))


def _bands(height: int, rows: int = 64) -> Iterator[slice]:
    """The image in bands, so that sorting over time takes little memory."""
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def _median(seen: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median [h, w, 3] over the free samples of [T, h, w, 3], and their median distance from it [h, w]."""
    middle = np.maximum(free.sum(0) - 1, 0)[None, ..., None] // 2

    def of(values: np.ndarray) -> np.ndarray:
        ordered = np.sort(np.where(free[..., None], values, 255), axis=0)
        return np.take_along_axis(ordered, np.broadcast_to(middle, (1, *values.shape[1:])), 0)[0]

    colour = of(seen)
    away = np.maximum(seen, colour) - np.minimum(seen, colour)
    return colour.astype(np.float32), of(away).max(-1).astype(np.float32)


def _carried_on(colour: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A picture whose unknown pixels take the colour around them, from ever further away."""
    import cv2

    filled, done = colour.copy(), known.copy()
    if not known.any():
        filled[:] = 128
        return filled
    weight = known.astype(np.float32)
    for sigma in (4, 12, 36, 108):
        step = max(1, sigma // 4)
        size = (max(1, colour.shape[1] // step), max(1, colour.shape[0] // step))
        wide = cv2.resize(np.dstack([colour * weight[..., None], weight]), size, interpolation=cv2.INTER_AREA)
        wide = cv2.GaussianBlur(wide, (0, 0), sigma / step)
        wide = cv2.resize(wide, colour.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        new = ~done & (wide[..., 3] > 0.02)
        filled[new] = wide[new][:, :3] / wide[new][:, 3:]
        done |= new
    filled[~done] = colour[known].mean(0)
    return filled
