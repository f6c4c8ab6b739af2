"""Every frame's own picture: pose and expression are moved until the skin lies where it is seen.

Landmarks are right to a percent of the eyes' distance and tremble; the skin's own detail says more. Each frame is held
against how the clip's skin looks, starting from the fit to the landmarks and never far from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...events import Reporter
from ..head_model import HeadModel
from .skin import Skin, Spots, bands, learn_skin, sample

if TYPE_CHECKING:
    from ..fitting import HeadFit

SHARE = 0.1
"""Spots are not independent: what one of them counts."""
FLOOR = 0.03
"""Least expected deviation of a band."""
DOUBTFUL = 2.0
"""A spot that is off by this many expected deviations counts half (Cauchy)."""
LOST = 0.35
"""A frame whose spots count less than this on average is left to its neighbours."""
NEAR = (0.02, 0.02, 0.02, 0.004, 0.004, 0.01)
"""How far a frame whose whole face was followed may lie off: radians and metres."""
FAR = (0.2, 0.2, 0.2, 0.02, 0.02, 0.06)
"""Likewise where only the upper face counts, whose landmarks lean towards the face that covers the lower one."""
AGAIN = tuple(0.2 * x for x in FAR)
"""Likewise where that was done, and nose and cheeks are looked at too."""
STILL = 0.002
"""Metres by which mouth actions may move a spot of these."""
ACTION, UPPER_ACTION = 0.03, 0.1
"""Likewise for actions."""
STEPS, UPPER_STEPS = (0, 3, 3), (10, 4, 4)
"""Gauss-Newton steps in each band."""
ABOVE_NOSE = 0.024
"""Above the nose's base (m), nothing of the face is covered."""
BENDS = (0.002, 0.002, 0.002, 0.0003, 0.0003, 0.001)
ACTION_BEND = 0.05
"""Usual second differences of what the fit to the landmarks is off by, at 25 frames a second."""
UPPER_BEND = 3.0
"""Those of turn and move are so many times as large where only the upper face counts: the fit is off by more."""
PIECE, MARGIN = 256, 16
"""Frames that are smoothed at once, and how many more on either side are looked at."""
STILL_ACTIONS = ("eyeLook", "tongue")
UPPER_ACTIONS = ("brow", "eyeBlink", "eyeSquint", "eyeWide", "cheekSquint")
SKIN_FRAMES = 150
"""Frames at most from which the skin is learnt."""


def refine(
    fit: HeadFit,
    head: HeadModel,
    frames: Callable[[int], np.ndarray],
    weight: float,
    upper_only: bool,
    fps: float,
    reporter: Reporter,
    rows: np.ndarray | None = None,
) -> HeadFit:
    """Refine a fit by its pictures.

    Args:
        fit: fit to the landmarks; with `skin`, that is what the frames are held against, else it is learnt from them.
        head: the head model.
        frames: index to [H, W, 3] uint8 RGB, read in order.
        weight: of the pictures.
        upper_only: nothing below the nose's bridge is looked at.
        fps: frames per second.
        reporter: hears the progress and may cancel.
        rows: [T] rows of the frames, near those of the nose's base, below which nothing is looked at. The fit was
            refined without them, and is moved a little; spots that go with the mouth do not count.

    Returns:
        The fit with other poses and actions, and with the skin.

    Source: Lucas and Kanade 1981 on a deforming head; its texture after Matthews and Baker 2004.
    """
    rest = fit.shape(head, np.zeros(len(head.expression_names), np.float32))
    spots = Spots(head, rest, fit.focal, fit.center, fit.size)
    scale = spots.scale(fit.translation)
    learnt = fit.skin is None
    skin = fit.skin or _skin(fit, spots, frames, scale)
    finder = _Finder(spots, head, skin, scale, weight, upper_only, rows)
    moves = np.zeros((len(fit), finder.count))
    surety = np.zeros((len(fit), finder.count, finder.count), np.float32)
    for index in reporter.steps("fit: skin", range(len(fit))):
        if fit.valid[index]:
            moves[index], surety[index] = finder.find(fit, index, bands(frames(index), scale))
    moves = _smooth(moves, surety, finder.prior, finder.bends / (fps / 25.0) ** 2)
    psi = fit.psi.copy()
    psi[:, finder.actions] = np.clip(psi[:, finder.actions] + moves[:, 6:], 0, 1)
    better = replace(
        fit,
        psi=psi,
        rotation=(_turns(moves[:, :3]) @ fit.rotation).astype(np.float32),
        translation=(fit.translation + moves[:, 3:6]).astype(np.float32),
        skin=skin,
    )
    return replace(better, skin=_skin(better, spots, frames, scale)) if learnt else better


def _skin(fit: HeadFit, spots: Spots, frames: Callable[[int], np.ndarray], scale: float) -> Skin:
    """How the skin looks in frames from all over the clip."""
    usable = np.flatnonzero(fit.valid) if fit.valid.any() else np.arange(len(fit))
    chosen = usable[np.unique(np.linspace(0, len(usable) - 1, min(SKIN_FRAMES, len(usable))).round().astype(int))]
    reach = np.quantile(fit.rotation[chosen, :2, 2], (0.02, 0.98), axis=0)
    poses = ((fit.psi[i], fit.rotation[i], fit.translation[i], lambda i=i: frames(int(i))) for i in chosen)
    return learn_skin(spots, poses, reach, scale)


class _Finder:
    """Gauss-Newton for single frames: turn, move and some actions.

    Args:
        spots: the person's.
        head: the head model.
        skin: how it looks.
        scale: of the compared pictures.
        weight: of the pictures.
        upper_only: nothing below the nose's bridge is looked at.
        rows: [T] of `refine`.
    """

    def __init__(
        self,
        spots: Spots,
        head: HeadModel,
        skin: Skin,
        scale: float,
        weight: float,
        upper_only: bool,
        rows: np.ndarray | None,
    ) -> None:
        names = head.expression_names
        self.actions = [
            i
            for i, name in enumerate(names)
            if (name.startswith(UPPER_ACTIONS) if upper_only else not name.startswith(STILL_ACTIONS))
        ]
        self.count = 6 + len(self.actions)
        spread = [
            *(NEAR if not upper_only else FAR if rows is None else AGAIN),
            *[UPPER_ACTION if upper_only and rows is None else ACTION] * len(self.actions),
        ]
        self.prior = 1 / np.square(spread)
        bends = np.multiply(BENDS, UPPER_BEND if upper_only else 1.0)
        self.bends = np.array([*bends, *[ACTION_BEND] * len(self.actions)])
        self._steps = UPPER_STEPS if upper_only else STEPS
        self._spots, self._skin, self._scale, self._share = spots, skin, scale, SHARE * weight
        self._moving = spots.actions[self.actions]
        bridge = head.at_landmarks(head.template)[2, 1] + ABOVE_NOSE
        self._rows = rows
        if rows is None:
            self._looked_at = spots.template[:, 1] > (bridge if upper_only else -np.inf)
        else:
            self._looked_at = np.linalg.norm(spots.actions[head.mouth_actions], axis=-1).max(0) < STILL

    def find(self, fit: HeadFit, index: int, pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """How far one frame lies off.

        Returns:
            [count] axis-angle, metres, actions; and [count, count] how surely.
        """
        psi, rotation, translation = (
            x[index].astype(np.float64) for x in (fit.psi, fit.rotation, fit.translation)
        )
        first, move = psi[self.actions].copy(), np.zeros(self.count)
        last = np.inf if self._rows is None else self._rows[index]
        surety, counted = np.zeros((self.count, self.count)), 0.0
        for k, steps in enumerate(self._steps):
            looks, deviations = (x[k] for x in self._skin.at(rotation))
            for _ in range(steps):
                turned, pixels, seen = self._spots.place(psi, rotation, translation)
                used = np.flatnonzero(self._looked_at & (seen > 0) & (deviations > 0) & (pixels[:, 1] < last))
                if len(used) < self.count:
                    return np.zeros(self.count), np.zeros((self.count, self.count))
                found = sample(pictures[k], pixels[used], self._scale)
                off, expected = looks[used] - found[:, 0], np.maximum(deviations[used], FLOOR)
                doubt = 1 / (1 + (off / (DOUBTFUL * expected)) ** 2)
                slope = self._spots.slope(turned[used] + translation, found[:, 1:] * self._scale)
                acting = np.einsum("nc,anc->na", slope @ rotation, self._moving[:, used])
                matrix = np.column_stack([np.cross(turned[used], slope), slope, acting])
                trust = self._share * seen[used] * doubt / expected**2
                surety = matrix.T @ (matrix * trust[:, None])
                wanted = matrix.T @ (trust * off) - self.prior * move
                step = np.linalg.solve(surety + np.diag(self.prior), wanted)
                rotation, translation = _turns(step[None, :3])[0] @ rotation, translation + step[3:6]
                move += step
                psi[self.actions] = np.clip(first + move[6:], 0, 1)
                move[6:] = psi[self.actions] - first
                counted = float((seen[used] * doubt).sum() / seen[used].sum())
        if counted < LOST:
            return np.zeros(self.count), np.zeros((self.count, self.count))
        return move, surety


def _turns(axes: np.ndarray) -> np.ndarray:
    """Axis-angle [T, 3] to matrices [T, 3, 3]."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(axes).as_matrix()


def _smooth(moves: np.ndarray, surety: np.ndarray, prior: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """[T, M] moves that bend little in time, each as near to what was found as that is sure: least squares.

    Args:
        moves: [T, M] found.
        surety: [T, M, M].
        prior: [M] surety of no move.
        bends: [M] usual second differences.
    """
    import scipy.sparse as sparse
    from scipy.sparse.linalg import spsolve

    total, count = moves.shape
    result = moves.copy()
    for start in range(0, total if total > 2 else 0, PIECE):
        low, high = max(start - MARGIN, 0), min(start + PIECE + MARGIN, total)
        if high - low < 3:
            low = high - 3
        held = surety[low:high] + np.diag(prior)
        steps = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(high - low - 2, high - low))
        calm = sparse.kron(steps.T @ steps, sparse.diags(1 / bends**2))
        wanted = np.einsum("tij,tj->ti", held, moves[low:high])
        found = spsolve((sparse.block_diag(held) + calm).tocsc(), wanted.reshape(-1)).reshape(-1, count)
        end = min(start + PIECE, total)
        result[start:end] = found[start - low : end - low]
    return result
