"""Which frame of the footage each frame of a take stands on: on and back between moments at which the head rests."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..face.fitting import HeadFit

if TYPE_CHECKING:
    from ..face.head_model import HeadModel

BLINKS = (10.0, 25.0)
"""Blinks a minute of people who speak: what a take keeps to where its footage lets it."""

HISTORY = 20.0
"""Seconds over which blinks are counted."""

BLINK_DRIFT = 12.0
"""What a blink a minute outside that range costs, in degrees a second of the head's turning."""

OVERHANG = 0.2
"""Seconds for which the last frame is held where the footage lacks no more: a film's sound is often so much longer."""

AHEAD = 3
"""Legs that are looked at together."""

SHORTEST, APART = 1.5, 0.4
"""Seconds from one turn to the next at the least, and between two moments at which one may turn."""

CALM = 40.0
"""Percentage of the frames that are calm enough to turn at."""

FAR = 60.0
"""What turning at once, instead of at the footage's other end, costs in degrees a second."""

LIDS = 60.0
"""What a full movement of the lids within a second costs, in degrees a second of the head's turning."""

BLINK_APART = 1.0
"""Seconds that a turning point keeps from a blink, which would be seen twice in a row."""

NEAR_BLINK = 20.0
"""What turning nearer to one costs, in degrees a second."""

_LIFT = 0.2
_LID_REST = 2.0
_DOUBLE = 0.4

_STEP = 0.1
"""Metres from the head's middle to what is seen of it: turns a speed in metres into one in degrees."""


def frame_order(frames: int, fit: HeadFit, head: HeadModel, take_fps: Fraction, base_fps: Fraction) -> np.ndarray:
    """Forwards from the first frame; where the take is longer than the footage, backwards and forwards again.

    Where the sound ends but a moment after the footage, its last frame is held.
    Where the way turns, the head's speed changes its sign: it turns where that speed is least and away from blinks,
    and sooner or later, so that blinks come at a human rate.

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
    if count == 1 or steps[-1] < count + OVERHANG * float(base_fps):
        return np.minimum(steps, count - 1)
    return _way(int(steps[-1]) + 1, fit, head, float(base_fps))[steps]


def _way(length: int, fit: HeadFit, head: HeadModel, fps: float) -> np.ndarray:
    """[length] frames, each beside the last: legs between turning points, the cheapest with those after them."""
    plan = _Plan(unrest(fit, head, fps), turning_points(fit, head, fps), blinks_of(fit, head, fps), fps)
    way, forwards = [np.zeros(1, np.int64)], True
    walked, seen = 1, np.zeros(0)
    while walked < length:
        at = int(way[-1][-1])
        stop = plan.best(at, forwards, walked, seen, AHEAD)[1]
        seen = plan.seen(at, stop, walked, seen)
        way.append(np.arange(at + 1, stop + 1) if forwards else np.arange(at - 1, stop - 1, -1))
        walked, forwards = walked + len(way[-1]), not forwards
    return np.concatenate(way)[:length]


@dataclass(frozen=True)
class _Plan:
    """What choosing the next leg needs to know.

    Attributes:
        cost: [F] of turning at every frame of the footage.
        stops: frames at which one may turn, ascending.
        blinks: frames at which blinks begin.
        fps: frames a second.
    """

    cost: np.ndarray
    stops: np.ndarray
    blinks: np.ndarray
    fps: float

    def best(self, at: int, forwards: bool, walked: int, seen: np.ndarray, depth: int) -> tuple[float, int]:
        """Price and end of the leg from a frame that is cheapest together with ``depth - 1`` legs after it.

        Args:
            at: the frame.
            forwards: which way the leg goes.
            walked: frames of the take so far.
            seen: those of them at which a blink began.
            depth: legs that are looked at.
        """
        ahead = self.stops[self.stops > at] if forwards else self.stops[self.stops < at][::-1]
        there = ahead[np.abs(ahead - at) >= SHORTEST * self.fps]
        found = (np.inf, at)
        for stop in there if len(there) else ahead[-1:]:
            leg, now = abs(int(stop) - at), self.seen(at, int(stop), walked, seen)
            price = float(self.cost[stop]) + FAR * (1 - leg / len(self.cost)) + self._drift(walked + leg, leg, now)
            if depth > 1 and price < found[0]:
                price += self.best(int(stop), not forwards, walked + leg, now, depth - 1)[0]
            found = min(found, (price, int(stop)))
        return found

    def seen(self, at: int, stop: int, walked: int, seen: np.ndarray) -> np.ndarray:
        """Frames of the take at which a blink begins, once the leg from ``at`` to ``stop`` is walked."""
        passed = self.blinks[(self.blinks > min(at, stop)) & (self.blinks < max(at, stop))]
        return np.concatenate([seen, np.sort(walked - 1 + np.abs(passed - at))])

    def _drift(self, walked: int, leg: int, seen: np.ndarray) -> float:
        """What the rate of blinks costs after so many frames, of which the last ``leg`` are new."""
        window = min(walked, max(round(HISTORY * self.fps), leg))
        rate = 60.0 * self.fps * np.count_nonzero(seen >= walked - window) / window
        return BLINK_DRIFT * (max(rate - BLINKS[1], 0.0) + max(BLINKS[0] - rate, 0.0))


def turning_points(fit: HeadFit, head: HeadModel, fps: float) -> np.ndarray:
    """Frames at which footage may turn, ascending: calm ones, the calmest of their surroundings; two at least."""
    from scipy.ndimage import minimum_filter1d

    cost = unrest(fit, head, fps)
    calmest = cost == minimum_filter1d(cost, 2 * round(APART * fps) + 1, mode="nearest")
    calm = np.flatnonzero(calmest & (cost <= np.percentile(cost, CALM)))
    reach = min(len(fit) // 4, round(SHORTEST * fps))
    ends = [int(np.argmin(cost[: reach + 1])), len(fit) - 1 - int(np.argmin(cost[::-1][: reach + 1]))]
    return np.union1d(calm, ends)


def blinks_of(fit: HeadFit, head: HeadModel, fps: float) -> np.ndarray:
    """Frames at which blinks begin: lids that lie lower for a moment than just before and after, [B], ascending.

    Two in quick succession count once.
    """
    from scipy.ndimage import percentile_filter

    shut = _lids(fit, head)
    low = shut > percentile_filter(shut, 30, 2 * round(_LID_REST / 2 * fps) + 1, mode="nearest") + _LIFT
    begins = np.flatnonzero(low & ~np.concatenate([[False], low[:-1]]))
    ends = np.flatnonzero(low & ~np.concatenate([low[1:], [False]]))
    return begins[np.concatenate([[True], begins[1:] - ends[:-1] > _DOUBLE * fps])] if len(begins) else begins


def unrest(fit: HeadFit, head: HeadModel, fps: float) -> np.ndarray:
    """How fast the head and its lids move in every frame, [T], in degrees a second; more near a blink."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d

    count = len(fit)
    before, after = np.maximum(np.arange(count) - 1, 0), np.minimum(np.arange(count) + 1, count - 1)
    turn = np.einsum("tij,tij->t", fit.rotation[before], fit.rotation[after])
    angle = np.degrees(np.arccos(np.clip((turn - 1) / 2, -1, 1)))
    shift = np.degrees(np.linalg.norm(fit.translation[after] - fit.translation[before], axis=1) / _STEP)
    shut = _lids(fit, head)
    speed = (angle + shift + LIDS * np.abs(shut[after] - shut[before])) * fps / np.maximum(after - before, 1)
    blink = np.zeros(count)
    blink[blinks_of(fit, head, fps)] = 1.0
    near = maximum_filter1d(blink, 2 * round(BLINK_APART * fps) + 1)
    return gaussian_filter1d(speed, 0.06 * fps, mode="nearest") + NEAR_BLINK * near


def _lids(fit: HeadFit, head: HeadModel) -> np.ndarray:
    """How far the lids are shut, [T], 0..1."""
    lids = [i for i, name in enumerate(head.expression_names) if name.startswith("eyeBlink")]
    return fit.psi[:, lids].max(1) if lids else np.zeros(len(fit))
