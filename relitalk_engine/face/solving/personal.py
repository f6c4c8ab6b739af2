"""What a face has beyond the head model's own shapes: smooth displacements of the space around it."""

from __future__ import annotations

import numpy as np

from ..head_model import HeadModel

SCALES = ((0.045, 0.004, 60), (0.022, 0.0025, 140))
"""Reach of a displacement, its standard deviation (both metres), and centres at most: the broad and the fine."""
SPACING = 0.35
"""Centres stand no closer than this share of the reach."""


def personal_fields(head: HeadModel) -> np.ndarray:
    """Smooth fields whose coefficients are unit Gaussians, one per axis.

    Two Gaussian processes over the template, conditioned on centres spread over mediapipe's points: what lies far from
    the face stays where the model has it.

    Args:
        head: the head model.

    Returns:
        [V, J] float32, metres; displacement = fields @ coefficients [J, 3].
    """
    points = head.at_landmarks(head.template)[:468].astype(np.float64)
    fields = []
    for reach, deviation, most in SCALES:
        centres = points[_spread(points, most, SPACING * reach)]
        among = _kernel(centres, centres, reach) + 1e-3 * np.eye(len(centres))
        whitened = np.linalg.solve(np.linalg.cholesky(among), _kernel(centres, head.template, reach))
        fields.append(deviation * whitened.T)
    return np.concatenate(fields, 1).astype(np.float32)


def _kernel(a: np.ndarray, b: np.ndarray, reach: float) -> np.ndarray:
    squares = ((a[:, None] - b[None]) ** 2).sum(-1)
    return np.exp(-squares / (2 * reach * reach))


def _spread(points: np.ndarray, most: int, spacing: float) -> list[int]:
    """Farthest points first, from the first on; ends when they come closer than the spacing."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < most and distance.max() > spacing:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen
