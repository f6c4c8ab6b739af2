"""How far the fitted head is from what was tracked, frame by frame."""

from __future__ import annotations

import numpy as np

from .fitting import HeadFit
from .head_model import HeadModel
from .landmarks import LIPS_INNER, OUTER_EYES, OVAL

INNER = [k for k in range(468) if k not in OVAL]
"""Landmarks that stick to the skin; the outline slides over it."""
LIDS = ((159, 145, 33, 133), (386, 374, 263, 362))
"""Upper lid, lower lid, outer and inner corner: right eye, left eye."""


def fitted_landmarks(head: HeadModel, fit: HeadFit) -> np.ndarray:
    """[T, 478, 2] mediapipe's points on the fitted head, pixels of the crop."""
    frames = range(len(fit))
    return np.stack([fit.project(fit.place(head.at_landmarks(fit.shape(head, fit.psi[i])), i)) for i in frames])


def reprojection(points: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """Root mean square distance of the inner landmarks, over the distance of the outer eye corners.

    Args:
        points: [T, 478, 2] of the fitted head.
        tracked: [T, 478, 2].

    Returns:
        [T].
    """
    square = ((points - tracked)[:, INNER] ** 2).sum(-1).mean(1)
    return np.sqrt(square) / _apart(tracked, *OUTER_EYES)


def mouth_opening(points: np.ndarray) -> np.ndarray:
    """[T] distance of the inner lips over that of the outer eye corners, from [T, 478, 2] landmarks."""
    return _apart(points, *LIPS_INNER) / _apart(points, *OUTER_EYES)


def eye_opening(points: np.ndarray) -> np.ndarray:
    """[T] distance of the lids over the eye's width, mean of both eyes, from [T, 478, 2] landmarks."""
    return np.mean([_apart(points, up, low) / _apart(points, out, inner) for up, low, out, inner in LIDS], 0)


def _apart(points: np.ndarray, a: int, b: int) -> np.ndarray:
    return np.linalg.norm(points[:, a] - points[:, b], axis=-1)
