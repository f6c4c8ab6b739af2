"""Lip motion by kernel regression: solved in closed form, hard to beat where a clip has ten seconds to learn from."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

ANCHORS = 1500
"""Most training frames that are kept."""

NOISE, DRIFT = 0.15, 0.25
"""Variance of what sound cannot explain, over that of the motion: new in every frame, and lasting."""

LASTING = 1.5
"""Eighty milliseconds that the lasting part takes to fade: frames beside each other are not two witnesses."""


@dataclass(frozen=True)
class Inputs:
    """What F_exp sees of every frame.

    Attributes:
        lips: [T, 18] V_lip by words, by sound and by ear, along the directions in which visemes differ;
            [T, 6] with VOCA.
        traits: [T, 3A] articulatory traits, likewise.
        spectrum: [T, 12] log-mel cosines.
        level: [T, 2] loudness and its change.
        voice: [T, 2] voicing, speech.
        learnt: [T, D] what a user's own network hears; D is 0 where there is none.
    """

    lips: np.ndarray
    traits: np.ndarray
    spectrum: np.ndarray
    level: np.ndarray
    voice: np.ndarray
    learnt: np.ndarray

    def __len__(self) -> int:
        return len(self.lips)

    def columns(self) -> tuple[np.ndarray, ...]:
        """The groups in order."""
        return tuple(getattr(self, f.name) for f in fields(self))

    def sound(self) -> np.ndarray:
        """All but the lips, [T, D]."""
        return np.concatenate(self.columns()[1:], 1)

    def pick(self, rows: np.ndarray | slice) -> Inputs:
        """Some of the frames."""
        return Inputs(*(group[rows] for group in self.columns()))


@dataclass(frozen=True)
class Scaling:
    """Centre and spread of columns, with a floor on the spread of those that hardly move."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Scaling:
        """Of columns [T, D]."""
        return cls(x.mean(0), x.std(0) + 0.02 * np.abs(x).max(0) + 1e-6)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Scale columns [T, D]."""
        return ((x - self.mean) / self.spread).astype(np.float32)


@dataclass(frozen=True)
class Kernel:
    """Gaussian-process regression of lip motion.

    Attributes:
        scaling: of the design.
        weights: [D] how much each column of the design counts.
        anchors: [N, D] scaled and weighted designs of the training frames.
        dual: [N, C] coefficients.
        mean: [C].
        step: frames in 80 ms.
    """

    scaling: Scaling
    weights: np.ndarray
    anchors: np.ndarray
    dual: np.ndarray
    mean: np.ndarray
    step: int

    @classmethod
    def fit(cls, inputs: Inputs, target: np.ndarray, rows: np.ndarray, step: int) -> Kernel:
        """Solve for targets [T, C] on the frames ``rows``."""
        rows = rows[:: -(-len(rows) // ANCHORS)]
        design, weights = _design(inputs, step)
        scaling = Scaling.of(design[rows])
        anchors = scaling(design[rows]) * weights
        mean = target[rows].mean(0)
        apart = np.abs(rows[:, None] - rows) / (LASTING * step)
        noise = NOISE * np.eye(len(rows)) + DRIFT * np.exp(-apart)
        gram = _gaussian(anchors, anchors, weights) + noise
        dual = np.linalg.solve(gram, (target[rows] - mean).astype(np.float64)).astype(np.float32)
        return cls(scaling, weights, anchors, dual, mean.astype(np.float32), step)

    def __call__(self, inputs: Inputs) -> np.ndarray:
        """Predict [T, C]."""
        design = self.scaling(_design(inputs, self.step)[0]) * self.weights
        return _gaussian(design, self.anchors, self.weights) @ self.dual + self.mean


def _design(inputs: Inputs, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Lips and traits 80 ms before, now and 80 ms after, the rest now [T, D]; and the columns' weights [D]."""
    frames = np.arange(len(inputs))
    lips, traits, *still = inputs.columns()
    third = traits.shape[1] // 3
    columns: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for shift in (-step, 0, step):
        at = np.clip(frames + shift, 0, len(frames) - 1)
        columns += [lips[at], traits[at]]
        weights += [np.ones(lips.shape[1]), np.full(third, 0.5), np.full(2 * third, 0.7)]
    for group, weight in zip(still, (2.0, 0.5, 1.0, 1.0), strict=True):
        columns.append(group)
        weights.append(np.full(group.shape[1], weight))
    return np.concatenate(columns, 1), np.concatenate(weights).astype(np.float32)


def _gaussian(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Kernel [len(a), len(b)], as wide as two frames typically differ."""
    distance = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.exp(-0.5 * np.maximum(distance, 0.0) / (weights**2).sum())
