"""Which frame of the footage each frame of a take stands on: on and back between moments at which the head rests."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..face.fitting import HeadFit

if TYPE_CHECKING:
    from ..face.head_model import HeadModel

REACH = 3.0
"""Seconds at either end of the footage in which a turning point is looked for; a quarter of it at the most."""

LIDS = 60.0
"""What a full movement of the lids within a second costs, in degrees a second of the head's turning."""

BLINK_APART = 1.0
"""Seconds that a turning point keeps from a blink, which would be seen twice in a row."""

_BLINK = 20.0

_STEP = 0.1
"""Metres from the head's middle to what is seen of it: turns a speed in metres into one in degrees."""


def frame_order(frames: int, fit: HeadFit, head: HeadModel, take_fps: Fraction, base_fps: Fraction) -> np.ndarray:
    """Forwards from the first frame; where the take is longer than the footage, backwards and forwards again.

    Where the way turns, the head's speed changes its sign: it turns where that speed is least, and away from blinks.

    Args:
        frames: T, of the take.
        fit: the head in the footage.
        head: the head model, for its lids.
        take_fps: frames per second of the take.
        base_fps: of the footage.

    Returns:
        [T] int64.
    """
    steps = np.arange(frames, dtype=np.int64) * base_fps.numerator * take_fps.denominator
    steps //= base_fps.denominator * take_fps.numerator
    count = len(fit)
    if count == 1 or steps[-1] < count:
        return np.minimum(steps, count - 1)
    low, high = turning_points(fit, head, float(base_fps))
    beyond = np.maximum(steps - high, 0) % (2 * (high - low))
    back = np.where(beyond <= high - low, high - beyond, 2 * low - high + beyond)
    return np.where(steps <= high, steps, back)


def turning_points(fit: HeadFit, head: HeadModel, fps: float) -> tuple[int, int]:
    """The first and the last frame between which footage goes on and back; two frames or more lie between."""
    count = len(fit)
    reach = min(count // 4, round(REACH * fps))
    if reach < 1:
        return 0, count - 1
    cost = unrest(fit, head, fps)
    far = 6.0 * np.arange(reach) / reach  # degrees a second that the whole reach is worth
    return int(np.argmin(cost[:reach] + far)), count - 1 - int(np.argmin(cost[::-1][:reach] + far))


def unrest(fit: HeadFit, head: HeadModel, fps: float) -> np.ndarray:
    """How fast the head and its lids move in every frame, [T], in degrees a second; more near a blink."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d

    count = len(fit)
    before, after = np.maximum(np.arange(count) - 1, 0), np.minimum(np.arange(count) + 1, count - 1)
    turn = np.einsum("tij,tij->t", fit.rotation[before], fit.rotation[after])
    angle = np.degrees(np.arccos(np.clip((turn - 1) / 2, -1, 1)))
    shift = np.degrees(np.linalg.norm(fit.translation[after] - fit.translation[before], axis=1) / _STEP)
    lids = [i for i, name in enumerate(head.expression_names) if name.startswith("eyeBlink")]
    shut = fit.psi[:, lids].max(1) if lids else np.zeros(count)
    speed = (angle + shift + LIDS * np.abs(shut[after] - shut[before])) * fps / np.maximum(after - before, 1)
    blink = (shut > max(0.5, 3 * float(np.median(shut)))).astype(float)
    near = maximum_filter1d(blink, 2 * round(BLINK_APART * fps) + 1)
    return gaussian_filter1d(speed, 0.06 * fps, mode="nearest") + _BLINK * near
