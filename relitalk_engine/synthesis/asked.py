"""What training asks for: every frame of the clip where it stands, and where covered footage would have it stand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..events import Reporter
from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from .around import look, unlike
from .bank import Frames
from .boxes import Boxes, boxes
from .motion import Motion
from .outline import Outline
from .retrieval import Plan, plan

TURN = np.radians((2.0, 1.3, 0.3))
"""By how much a pose that is read off the upper face alone is wrong, in pitch, yaw and roll: standard deviations."""
SHIFT, DEPTH = (0.006, 0.01), 0.012
"""Likewise across and down in outer-eye distances, and in depth as a share of it."""
APART = 0.45
"""Seconds about a training frame whose mouths it may not see."""


@dataclass(frozen=True)
class Asked:
    """T frames to be painted in training; the first half are the clip's own, in order, the second half swayed.

    Attributes:
        own: [T] the clip's frame that each one is.
        fit: its pose.
        motion: `Motion.of` it.
        boxes: its areas.
        plan: mouths to show there, never its own.
    """

    own: np.ndarray
    fit: HeadFit
    motion: Motion
    boxes: Boxes
    plan: Plan

    @classmethod
    def of(
        cls,
        head: HeadModel,
        fit: HeadFit,
        motion: Motion,
        outline: Outline,
        sweep: np.ndarray,
        areas: tuple[float, float],
        layers: int,
        rgb: Frames,
        fps: float,
        rng: np.random.Generator,
        reporter: Reporter,
    ) -> Asked:
        """From the clip's fit, motion and outline; `areas` are the sides of the removed and the driven one."""
        asked = sway(fit, motion, rng)
        own = np.tile(np.arange(len(fit)), 2)
        moved = Motion.of(head, asked, outline=outline)
        where = boxes(head, asked, moved, sweep, *areas)
        pairs = []
        for t in reporter.steps("surroundings", range(len(fit))):
            picture = rgb(t)
            pairs.append([look(picture, where.removed[k], moved, k) for k in (t, t + len(fit))])
        seen = np.concatenate(np.swapaxes(pairs, 0, 1))
        around = unlike(seen, seen[: len(fit)])
        return cls(own, asked, moved, where, _strangers(moved, motion, own, layers, fit.valid, fps, around))


def sway(fit: HeadFit, motion: Motion, rng: np.random.Generator) -> HeadFit:
    """The clip's poses, then all of them once more as they would be read off footage whose lower face is covered.

    They are right between the eyes, which are seen, and a little turned about them.
    """
    count = len(fit)
    turn = Rotation.from_rotvec(rng.normal(size=(count, 3)) * TURN).as_matrix()
    drift = rng.normal(size=(count, 3)) * (*SHIFT, DEPTH)
    eyes = motion.unit * -fit.translation[:, 2] / fit.focal  # outer-eye distance in metres
    place = fit.translation * (1 + drift[:, 2:]) + np.pad(drift[:, :2] * eyes[:, None], ((0, 0), (0, 1)))
    both = fit.select(np.tile(np.arange(count), 2))
    return replace(
        both,
        rotation=np.concatenate([fit.rotation, turn @ fit.rotation]).astype(np.float32),
        translation=np.concatenate([fit.translation, place]).astype(np.float32),
    )


def _strangers(
    asked: Motion, clip: Motion, own: np.ndarray, layers: int, usable: np.ndarray, fps: float, around: np.ndarray
) -> Plan:
    """Mouths for training: every other frame sees near ones, the rest only ones from far away in the clip.

    A take asks for mouths and poses that the clip has not quite got; the networks must have seen such.
    """
    near = plan(asked, clip, layers, usable, own, round(APART * fps), around)
    far = plan(asked, clip, layers, usable, own, max(len(clip) // 4, round(APART * fps)), around)
    odd = own % 2 == 1
    for mine, other in ((near.source, far.source), (near.weight, far.weight), (near.cost, far.cost)):
        mine[odd] = other[odd]
    return near
