"""Self-shadowing: per-vertex radiance transfer with visibility, in the head frame."""

from __future__ import annotations

import numpy as np

from ..lighting import sh
from .raster import occluded


def sphere_directions(count: int) -> np.ndarray:
    """[count, 3] directions spread evenly over the sphere (a Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    azimuth = np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - z * z)
    return np.stack([ring * np.cos(azimuth), ring * np.sin(azimuth), z], -1).astype(np.float32)


def transfer(
    vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray, directions: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """Diffuse radiance transfer with and without the head's own shadow.

    T[v] = 1/pi · integral of Y(w) · max(0, n·w) · visible(w), so that T · L (L: radiance SH in the same frame) is the
    shading that reaches the vertex.

    Args:
        vertices: [V, 3], metres.
        normals: [V, 3] unit.
        faces: [F, 3].
        directions: samples of the sphere.

    Returns:
        T and T0, both [V, 9] float32.

    Source: Sloan et al. 2002, precomputed radiance transfer.
    """
    rays = sphere_directions(directions)
    basis = sh.basis(rays) * (4 * np.pi / directions) / np.pi
    cosine = np.maximum(normals @ rays.T, 0)
    bare = (cosine @ basis).astype(np.float32)
    visible = np.ones_like(cosine)
    origins = vertices + 1e-3 * normals
    facing, toward = np.nonzero(cosine)
    visible[facing, toward] = ~occluded(vertices, faces, origins[facing], rays[toward])
    return ((cosine * visible) @ basis).astype(np.float32), bare
