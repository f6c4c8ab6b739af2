"""How far the person's outline lies outside the fitted head's: a beard, full cheeks, and what a turned head shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..face.trunk import Trunk
from .warp import pull

if TYPE_CHECKING:
    from ..face.fitting import HeadFit
    from ..face.head_model import HeadModel
    from .bank import Frames
    from .motion import Motion

LOOKS = 100
"""Frames that are looked at, at most."""
REACH, STEPS = 0.15, 61
"""The outline is looked for so far (outer-eye distances) on either side of the head's, at so many places."""
SURE = 0.3
"""The matte must fall from one less this to this, or there is hair, neck or shoulder beyond."""
FEWEST = 0.2
"""Share of the frames that must show a piece of the outline."""
LOOSE = 0.02
"""Deviation (outer-eye distances) beyond which what was found follows no rule."""
RIDGE = 0.001
"""Pull of the slopes to none, over all frames."""


@dataclass(frozen=True)
class Outline:
    """Offsets of the 2 x bands outline points of `Motion`, linear in the head's direction, in outer-eye distances.

    Attributes:
        slopes: [P, 3] offset outwards of a head seen from the clip's middle, and per sine of its turn and its nod;
            zero where the clip does not show it.
        reach: [2, 2] least and largest direction that the clip shows.
        trunk: where neck and trunk stand in the clip.
    """

    slopes: np.ndarray
    reach: np.ndarray
    trunk: Trunk

    def at(self, rotation: np.ndarray) -> np.ndarray:
        """[T, P] under rotations [T, 3, 3]; beyond what the clip shows it stays as at the end of that."""
        return _directions(rotation, self.reach) @ self.slopes.T


def _directions(rotation: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """[T, 3]: one, and the directions within reach, from their middle."""
    seen = np.clip(rotation[:, :2, 2], *reach) - reach.mean(0)
    return np.column_stack([np.ones(len(seen)), seen])


def learn_outline(head: HeadModel, fit: HeadFit, motion: Motion, alpha: Frames | None) -> Outline:
    """From the clip's mattes.

    Args:
        head: the head model.
        fit: the clip's.
        motion: `Motion.of` it, with no outline given.
        alpha: frame number to [H, W] matte, 0..1 or uint8; None: nothing is learnt.
    """
    usable = np.flatnonzero(fit.valid) if fit.valid.any() else np.arange(len(fit))
    chosen = usable[np.unique(np.linspace(0, len(usable) - 1, min(LOOKS, len(usable))).round().astype(int))]
    turned = motion.rotation[chosen]
    reach = np.quantile(turned[:, :2, 2], (0.02, 0.98), axis=0)
    points, outwards = motion.outline[chosen], motion.outwards[chosen]
    slopes = np.zeros((points.shape[1], 3))
    trunk = Trunk.of(head, fit)
    if alpha is None:
        return Outline(slopes, reach, trunk)
    found = np.stack([_offsets(alpha(int(t)), points[k], outwards[k] * motion.unit[t]) for k, t in enumerate(chosen)])
    directions = _directions(turned, reach)
    pull_back = np.diag([0.0, RIDGE, RIDGE]) * len(chosen)
    for p, offsets in enumerate(found.T):
        known = np.isfinite(offsets)
        if known.sum() < max(FEWEST * len(chosen), 6):
            continue
        parts = directions[known]
        rule = np.linalg.solve(parts.T @ parts + pull_back, parts.T @ offsets[known])
        if np.std(offsets[known] - parts @ rule) < LOOSE:
            slopes[p] = rule
    return Outline(slopes, reach, trunk)


def _offsets(alpha: np.ndarray, points: np.ndarray, outwards: np.ndarray) -> np.ndarray:
    """[P] where the matte ends beside points [P, 2], along `outwards` [P, 2], in units of that; NaN: not seen to."""
    steps = np.linspace(-REACH, REACH, STEPS)
    places = points[:, None] + steps[None, :, None] * outwards[:, None]
    inside = ((places > 1) & (places < np.array(alpha.shape[::-1]) - 1)).all((1, 2))
    matte = pull(alpha[..., None].astype(np.float32), places.astype(np.float32), sharp=False)[..., 0]
    matte = matte / (255.0 if alpha.dtype == np.uint8 else 1.0)
    ends = (matte[:, :-1] >= 0.5) & (matte[:, 1:] < 0.5)
    seen = inside & (matte[:, 0] > 1 - SURE) & (matte[:, -1] < SURE) & ends.any(1)
    nearest = np.where(ends, np.abs(steps[:-1]), np.inf).argmin(1)
    return np.where(seen, steps[nearest] + REACH / (STEPS - 1), np.nan)
