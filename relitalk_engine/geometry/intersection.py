"""Where rays meet an implicit surface, started from a guess such as a ray-cast mesh."""

from __future__ import annotations

import numpy as np

from .grid import Grid

FLAT = 0.15
"""Least slope of the distance along the ray for a step, so that grazing rays do not run away."""


def nearest_surface(
    grid: Grid,
    distance: np.ndarray,
    gradient: np.ndarray,
    start: np.ndarray,
    direction: np.ndarray,
    steps: int = 2,
    reach: float = 0.01,
) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps along each ray to the zero level of a signed distance.

    Args:
        grid: where the distance is known.
        distance: [X, Y, Z] metres, negative inside.
        gradient: [X, Y, Z, 3] its gradient.
        start: [N, 3] guesses, same frame.
        direction: [N, 3] unit, away from the eye.
        steps: Newton steps.
        reach: metres; no point goes further from its guess along the ray.

    Returns:
        points [N, 3], and the signed distance [N] that is left there: near 0 where the ray meets the surface.
    """
    travelled = np.zeros(len(start), np.float32)
    for _ in range(steps):
        points = start + travelled[:, None] * direction
        slope = (grid.sample(gradient, points) * direction).sum(-1)
        travelled -= grid.sample(distance, points) / np.minimum(slope, -FLAT)  # the eye is outside: it goes down
        travelled = np.clip(travelled, -reach, reach)
    points = start + travelled[:, None] * direction
    return points.astype(np.float32), grid.sample(distance, points)
