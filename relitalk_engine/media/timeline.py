"""One constant frame rate out of the times that a file gives its frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

HIGHEST_RATE = 60
COMMON_RATES = tuple(Fraction(n, d) for n, d in (
    (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1),
    (12, 1), (15000, 1001), (15, 1), (90, 1), (100, 1), (120000, 1001), (120, 1), (240000, 1001), (240, 1),
))


@dataclass(frozen=True)
class Timeline:
    """Which stored frame stands at which frame of a constant rate.

    Attributes:
        fps: the constant rate, 60 or less.
        times: [T] int64, for each frame the time of the stored one that stands there, in the file's units.
        variable: whether the file's own times are uneven.
    """

    fps: Fraction
    times: np.ndarray
    variable: bool


def counted(frames: int, named: list[Fraction]) -> Timeline:
    """The timeline of a file without times: its frames in order; `named` are the rates that it names, best first."""
    return _steady(np.arange(frames, dtype=np.int64), named[0] if named else Fraction(25))


def timed(times: np.ndarray, tick: Fraction, named: list[Fraction]) -> Timeline:
    """The timeline of a file with times.

    Even times keep every frame (above 60 a second every second one, until it is 60 or less). Uneven ones are made
    constant at their average rate, or their usual one where frames were left out, with the nearest frame at each time.

    Args:
        times: [n] int64, rising, one or more.
        tick: seconds a unit of them.
        named: the rates that the file names, best first.
    """
    if len(times) == 1:
        return _steady(times, named[0] if named else Fraction(25))
    gaps = np.diff(times)
    mean = (times[-1] - times[0]) / (len(times) - 1)
    span = int(times[-1] - times[0]) * tick
    if np.abs(gaps - mean).max() <= 1.5 + 0.02 * mean:
        return _steady(times, _steady_rate(named, span, len(times) - 1))
    average = (len(times) - 1) / span
    usual = 1 / (Fraction(float(np.median(gaps))) * tick)  # that of a phone which leaves some frames out
    rate = _common(average, 0.01) or _common(usual, 0.03) or max(average, usual).limit_denominator(1001)
    fps = rate / _step(rate)
    frames = max(1, round((span + 1 / rate) * fps))
    wanted = times[0] + np.arange(frames) * float(1 / fps / tick)
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    nearest = after - (wanted - times[after - 1] <= times[after] - wanted)
    return Timeline(fps, times[nearest], True)


def _steady(times: np.ndarray, rate: Fraction) -> Timeline:
    step = _step(rate)
    return Timeline(rate / step, times[::step], False)


def _step(rate: Fraction) -> int:
    step = 1
    while rate / step > HIGHEST_RATE:
        step *= 2
    return step


def _common(rate: Fraction, tolerance: float) -> Fraction | None:
    """The common frame rate nearest to `rate`, if it is within the relative tolerance."""
    best = min(COMMON_RATES, key=lambda r: abs(r - rate))
    return best if abs(best / rate - 1) <= tolerance else None


def _steady_rate(named: list[Fraction], span: Fraction, intervals: int) -> Fraction:
    """The exact rate of a steady clip: named by the file, or common, such that no frame drifts by half of one."""

    def fits(rate: Fraction) -> bool:
        return abs(rate * span - intervals) < Fraction(1, 2)

    measured = Fraction(intervals) / span
    near = [r for r in COMMON_RATES if fits(r) and abs(r / measured - 1) < 0.002]
    for rate in named:
        if rate in COMMON_RATES and fits(rate):
            return rate
    if near:
        return min(near, key=lambda r: abs(r - measured))
    return next((rate for rate in named if fits(rate)), measured.limit_denominator(10000))
