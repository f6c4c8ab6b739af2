"""Which real mouths of the clip stand in for each driven frame: near in lips and pose, steady over the take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .motion import Motion
from .warp import LIPS


@dataclass(frozen=True)
class Taste:
    """What counts as near, in outer-eye distances of lip error.

    Attributes:
        lips: cost of an outer-eye distance between the lips.
        opening: cost of a mouth e times as open: closed lips must close.
        turn: cost of a degree of head turn.
        place: cost of standing an outer-eye distance away in the picture: neck, collar and background move with it.
    """

    lips: float
    opening: float
    turn: float
    place: float


MOUTH = Taste(1.0, 0.02, 1 / 150.0, 0.1)
"""For the mouth itself."""
SURROUNDINGS = Taste(0.3, 0.0, 1 / 40.0, 0.15)
"""For cheeks, jaw line, neck and hair about it."""
AROUND = 1.0
"""Cost of what is seen about the removed area being wholly unlike the footage, for the surroundings."""
JUMP = 0.002
"""Cost of leaving one run of the clip for another: little, for a run keeps its own time, and not the take's."""
BREAK = 0.5
"""Cost of the lips' change where a run is left, per outer-eye distance."""
APART = 4
"""Layers take their mouths at least this many frames apart."""
CLOSED = 0.02
"""Gaps well below this (outer-eye distances) are all closed lips."""
ALIKE = 0.4
"""Mouths whose openings (logarithms) differ by more than this do not fade into each other."""
SAME_RUN = 3
"""A step of up to this many frames stays within a run."""
FADE = 4
"""Frames before and after a change of run over which one fades into the other."""


@dataclass(frozen=True)
class Plan:
    """The mouths of each frame, the best first; the last of several is chosen for the head's pose.

    Attributes:
        source: [T, K, 2] frames of the clip; the second fades in where a run changes.
        weight: [T, K, 2] their shares, adding up to 1.
        cost: [T] the first layer's cost, in outer-eye distances: how far the clip is from what was asked.
    """

    source: np.ndarray
    weight: np.ndarray
    cost: np.ndarray


def distances(driven: Motion, bank: Motion, taste: Taste = MOUTH) -> np.ndarray:
    """[T, N] cost of showing frame n of the clip for driven frame t."""
    asked, have = (m.lips.reshape(len(m), -1).astype(np.float64) for m in (driven, bank))
    points = driven.lips.shape[1]
    square = (asked**2).sum(1)[:, None] + (have**2).sum(1)[None] - 2 * asked @ have.T
    lips = np.sqrt(np.maximum(square, 0) / points)
    trace = driven.rotation.reshape(len(driven), 9) @ bank.rotation.reshape(len(bank), 9).T
    turn = np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
    place = np.linalg.norm(driven.centre[:, None] - bank.centre[None], axis=-1) / driven.unit[:, None]
    opening = np.abs(_opening(driven)[:, None] - _opening(bank)[None])
    cost = taste.lips * lips + taste.opening * opening + taste.turn * turn + taste.place * place
    return cost.astype(np.float32)


def _opening(motion: Motion) -> np.ndarray:
    """[T] logarithm of the gap between the inner lips' middles, about even from `CLOSED` up."""
    upper, lower = (motion.lips[:, LIPS.index(point)] for point in (13, 14))
    return np.log(np.linalg.norm(upper - lower, axis=-1) + CLOSED)


def plan(
    driven: Motion,
    bank: Motion,
    layers: int = 3,
    usable: np.ndarray | None = None,
    own: np.ndarray | None = None,
    apart_from_own: int = 0,
    around: np.ndarray | None = None,
) -> Plan:
    """Plan the whole take at once, by dynamic programming.

    Args:
        driven: the take.
        bank: the clip.
        layers: mouths per frame.
        usable: [N] bool, frames of the clip that may be shown; all if absent.
        own: [T] the clip's frame that each driven frame is (training); nothing is shown to itself.
        apart_from_own: frames around `own` that are left out too.
        around: [T, N] how unlike the surroundings are (`around.unlike`); None: nothing is known of them.

    Returns:
        Plan of T frames.
    """
    frames = np.arange(len(bank))
    barred = np.zeros((len(driven), len(bank)), np.float32)
    if usable is not None and usable.any():
        barred[:, ~usable] = 10.0
    if own is not None:
        barred[np.abs(frames[None] - own[:, None]) <= min(apart_from_own, max(len(bank) // 3 - 1, 0))] += 10.0
    jumps = _jumps(bank)
    source = np.empty((len(driven), layers, 2), np.int32)
    weight = np.empty((len(driven), layers, 2), np.float32)
    first = np.zeros(len(driven), np.float32)
    mouth = distances(driven, bank, MOUTH) + barred
    surroundings = distances(driven, bank, SURROUNDINGS) + barred
    if around is not None:
        surroundings += AROUND * around
    for layer in range(layers):
        last = layer == layers - 1 and layers > 1
        path = _viterbi(surroundings if last else mouth, jumps)
        source[:, layer], weight[:, layer] = _fade(path, _opening(bank))
        if layer == 0:
            first = mouth[np.arange(len(path)), path].copy()
        if len(bank) > 3 * APART * layers:
            mouth[np.abs(frames[None] - path[:, None]) <= APART] += 1.0
    return Plan(source, weight, first)


def _jumps(bank: Motion) -> np.ndarray:
    """[N, N] cost of showing frame j after frame i."""
    lips = bank.lips.reshape(len(bank), -1).astype(np.float64)
    nexts = lips[np.minimum(np.arange(len(bank)) + 1, len(bank) - 1)]
    square = (nexts**2).sum(1)[:, None] + (lips**2).sum(1)[None] - 2 * nexts @ lips.T
    cost = JUMP + BREAK * np.sqrt(np.maximum(square, 0) / bank.lips.shape[1])
    i = np.arange(len(bank))
    cost[i[:-1], i[1:]] = 0.0
    cost[i[1:], i[:-1]] = 0.0  # footage may run backwards
    cost[i, i] = JUMP / 4
    return cost.astype(np.float32)


def _viterbi(cost: np.ndarray, jumps: np.ndarray) -> np.ndarray:
    """[T] cheapest path through costs [T, N] with transitions [N, N]."""
    back = np.empty(cost.shape, np.int32)
    total = cost[0]
    columns = np.arange(cost.shape[1])
    for t in range(1, len(cost)):
        ways = total[:, None] + jumps
        back[t] = ways.argmin(0)
        total = ways[back[t], columns] + cost[t]
    path = np.empty(len(cost), np.int32)
    path[-1] = total.argmin()
    for t in range(len(cost) - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path


def _fade(path: np.ndarray, opening: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two sources a frame: its own run's and that of the run which it comes from or goes to, with their shares.

    Args:
        path: [T] frames of the clip.
        opening: [N] of the clip; an open mouth does not fade into a closed one, which would show both.
    """
    last = len(path) - 1
    starts = np.concatenate([[0], np.flatnonzero(np.abs(np.diff(path)) > SAME_RUN) + 1, [len(path)]])
    run = np.searchsorted(starts, np.arange(len(path)), side="right") - 1
    source = np.stack([path, path], 1).astype(np.int32)
    weight = np.tile(np.array([1.0, 0.0], np.float32), (len(path), 1))
    for t in range(len(path)):
        shares: dict[int, float] = {}
        for step in range(-FADE, FADE + 1):
            near = int(run[np.clip(t + step, 0, last)])
            shares[near] = shares.get(near, 0.0) + FADE + 1 - abs(step)
        own = shares.pop(int(run[t]))
        if not shares:
            continue
        other = max(shares, key=lambda r: (shares[r], -r))
        first, end = int(starts[other]), int(starts[other + 1]) - 1
        edge, inner = (first, min(first + 1, end)) if other > run[t] else (end, max(end - 1, first))
        slope = int(np.sign(path[inner] - path[edge])) * (1 if inner > edge else -1)
        source[t, 1] = np.clip(path[edge] + slope * (t - edge), 0, len(opening) - 1)
        alike = np.exp(-(((opening[source[t, 0]] - opening[source[t, 1]]) / ALIKE) ** 2))
        weight[t, 1] = alike * shares[other] / (own + shares[other])
        weight[t, 0] = 1 - weight[t, 1]
    return source, weight
