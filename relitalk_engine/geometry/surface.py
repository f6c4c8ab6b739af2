"""Normals of the visible surface: the fitted mesh, continued over hair and clothes by an inflated silhouette."""

from __future__ import annotations

import numpy as np


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals.

    Args:
        vertices: [V, 3].
        faces: [F, 3], counter-clockwise seen from outside.

    Returns:
        [V, 3] float32.
    """
    corners = vertices[faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(vertices), 3))
    for k in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, k], areas[:, axis], len(vertices))
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)).astype(np.float32)
