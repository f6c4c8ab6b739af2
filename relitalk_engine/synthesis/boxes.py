"""The driven and the removed area of every frame, and the square window in which the networks work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from .motion import Motion

CROP = 3.3
"""The paper's 256 px crop in outer-eye distances."""
WINDOW = 1.95
"""Side of the working window in outer-eye distances: the removed area and what is seen around it."""
WINDOW_BELOW = 0.26
"""How far the window's middle lies below the resting mouth, in outer-eye distances."""
ABOVE_REMOVED, ABOVE_DRIVEN = 0.36, 0.27
"""How far the areas reach above the resting mouth, in outer-eye distances: less than what covers footage's mouths."""
BELOW_CHIN = 0.16
"""How far the removed area reaches below the lowest chin, in outer-eye distances."""
MOVES = 0.02
"""A vertex that moves less than this (outer-eye distances) between two mouths counts as still."""
RIM = 0.05
"""The window reaches at least this far (in window sides) beyond the removed area."""


@dataclass(frozen=True)
class Boxes:
    """Where a take is painted, per frame: x, y, width, height in whole pixels.

    Attributes:
        driven: [T, 4] F_local paints here.
        removed: [T, 4] nothing of the footage under this is ever read; F_blend paints all of it.
    """

    driven: np.ndarray
    removed: np.ndarray


def mouth_sweep(motion: Motion, mouth_actions: list[int]) -> np.ndarray:
    """The extreme mouths of a motion: most and least open, widest, narrowest, leftmost, rightmost, furthest out.

    Args:
        motion: the clip's, or a take's.
        mouth_actions: which of the actions move mouth and jaw.

    Returns:
        [P, E] actions, the rest zero; the first is the resting mouth.
    """
    middle = motion.lips.mean(1)
    spread = motion.lips.max(1) - motion.lips.min(1)
    found = [np.zeros(motion.psi.shape[1], np.float32)]
    for measure in (spread[:, 1], spread[:, 0], middle[:, 0], middle[:, 1], middle[:, 2]):
        for frame in (int(measure.argmin()), int(measure.argmax())):
            actions = np.zeros(motion.psi.shape[1], np.float32)
            actions[mouth_actions] = motion.psi[frame, mouth_actions]
            found.append(actions)
    return np.stack(found)


def boxes(head: HeadModel, fit: HeadFit, motion: Motion, sweep: np.ndarray, removed: float, driven: float) -> Boxes:
    """Boxes from the pose, the resting mouth and all that the jaw may sweep; never from a frame's own mouth.

    Args:
        head: the head model.
        fit: poses and camera.
        motion: `Motion.of` the same fit; only its pose is read.
        sweep: [P, E] of `mouth_sweep`, the clip's and the take's.
        removed: side of the removed area as a share of the paper's crop (120/256).
        driven: side of the driven area likewise (80/256).

    Returns:
        Boxes within the image.
    """
    shapes = fit.shape(head, sweep)
    moved = np.linalg.norm(shapes - shapes[:1], axis=-1).max(0)
    eyes = _eye_distance(fit, motion)
    swept = shapes[:, (moved > MOVES * eyes) & (head.regions["mouth_interior"] < 0.5)]
    height, width = fit.size
    inner, outer = np.empty((len(motion), 4), np.int32), np.empty((len(motion), 4), np.int32)
    for t in range(len(motion)):
        unit, (u, v) = motion.unit[t], motion.centre[t]
        points = fit.project(fit.place(swept, t)).reshape(-1, 2) if swept.size else motion.centre[t][None]
        low, high = points.min(0), points.max(0)
        half = driven * CROP * unit / 2
        a = [min(u - half, u), v - ABOVE_DRIVEN * unit, max(u + half, u), max(v + half, high[1])]
        half = removed * CROP * unit / 2
        b = [min(u - half, low[0] - 0.05 * unit), v - ABOVE_REMOVED * unit,
             max(u + half, high[0] + 0.05 * unit), max(v + half, high[1] + BELOW_CHIN * unit)]  # fmt: skip
        x, y, side = window(motion, t)
        rim = RIM * side
        b = [max(b[0], x + rim), max(b[1], y + rim), min(b[2], x + side - rim), min(b[3], y + side - rim)]
        outer[t] = _whole(b, width, height)
        inner[t] = _within(_whole(a, width, height), outer[t])
    return Boxes(inner, outer)


def window(motion: Motion, frame: int) -> tuple[float, float, float]:
    """x, y, side of the working square of a frame, in real pixels: it follows the head without rounding."""
    side = float(WINDOW * motion.unit[frame])
    u, v = motion.centre[frame]
    return float(u) - side / 2, float(v) + WINDOW_BELOW * float(motion.unit[frame]) - side / 2, side


def inside(box: np.ndarray, view: tuple[float, float, float], size: int) -> np.ndarray:
    """How much of each sample of a window lies in a box.

    Args:
        box: x, y, width, height in pixels.
        view: x, y, side of the window in pixels.
        size: samples a side.

    Returns:
        [size, size] float32, 0..1.
    """
    x, y, side = view
    edges = np.arange(size + 1) / size * side

    def cover(start: float, length: float, origin: float) -> np.ndarray:
        reach = np.clip(edges + origin, start, start + length)
        return np.diff(reach) * size / side

    return np.outer(cover(box[1], box[3], y), cover(box[0], box[2], x)).astype(np.float32)


def erased(rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A copy of a frame without its removed area: all that the painter is ever given of it."""
    x, y, width, height = (int(v) for v in box)
    copy = rgb.copy()
    copy[y : y + height, x : x + width] = 128
    return copy


def _eye_distance(fit: HeadFit, motion: Motion) -> float:
    """Outer-eye distance in metres, from pixels per distance and depth."""
    return float(np.median(motion.unit * -fit.translation[:, 2]) / fit.focal)


def _whole(box: list[float], width: int, height: int) -> np.ndarray:
    """Left, top, right, bottom to whole x, y, width, height within the image."""
    left, top = max(int(np.floor(box[0])), 0), max(int(np.floor(box[1])), 0)
    right, bottom = min(int(np.ceil(box[2])), width), min(int(np.ceil(box[3])), height)
    left, top = min(left, width - 1), min(top, height - 1)
    return np.array([left, top, max(right - left, 1), max(bottom - top, 1)], np.int32)


def _within(box: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """The part of a box that lies in another."""
    low = np.clip(box[:2], outer[:2], outer[:2] + outer[2:] - 1)
    high = np.clip(box[:2] + box[2:], low + 1, outer[:2] + outer[2:])
    return np.concatenate([low, high - low]).astype(np.int32)
