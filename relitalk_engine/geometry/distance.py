"""Signed distances: to a mesh, to round bodies, and their smooth union. Negative inside, metres."""

from __future__ import annotations

import numpy as np

from .surface import vertex_normals


def mesh_distance(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, neighbours: int = 6) -> np.ndarray:
    """Signed distance to a mesh that may be open; an opening is closed by its rim's tangent planes.

    Args:
        points: [..., 3].
        vertices: [V, 3].
        faces: [F, 3], the outer surface alone, counter-clockwise from outside.
        neighbours: surface samples that are averaged, which rounds the mesh's edges.

    Returns:
        [...] float32.

    Source: Shen et al. 2004, implicit moving least squares, of degree 0.
    """
    from scipy.spatial import cKDTree

    used = np.unique(faces)
    normals = vertex_normals(vertices, faces)
    corners = vertices[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    places = np.concatenate([vertices[used], corners.mean(1)])
    directions = np.concatenate([normals[used], flat])
    distance, index = cKDTree(places).query(points.reshape(-1, 3).astype(np.float64), neighbours)
    width = distance.mean(1, keepdims=True) + 1e-6
    weight = np.exp(-((distance / width) ** 2))
    weight /= weight.sum(1, keepdims=True)
    plane = np.zeros(len(distance))
    for k in range(neighbours):
        offset = points.reshape(-1, 3) - places[index[:, k]]
        plane += weight[:, k] * (offset * directions[index[:, k]]).sum(1)
    nearest = distance[:, 0]
    far = np.clip(nearest / 0.02 - 0.5, 0, 1)  # tangent planes tell the distance near the surface, points further away
    signed = (1 - far) * plane + far * np.sign(plane) * nearest
    return signed.reshape(points.shape[:-1]).astype(np.float32)


def capsule(points: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float | tuple[float, float]) -> np.ndarray:
    """Signed distance [...] of points [..., 3] to a round rod from `start` to `end`, its radius given at both ends."""
    first, last = radius if isinstance(radius, tuple) else (radius, radius)
    axis = np.asarray(end, np.float32) - np.asarray(start, np.float32)
    along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    gap = np.linalg.norm(points - start - along[..., None] * axis, axis=-1)
    return (gap - first - (last - first) * along).astype(np.float32)


def smooth_union(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """Union of two signed distances, their crease filled over `width` metres.

    Source: Quilez 2013, polynomial smooth minimum.
    """
    share = np.clip(0.5 + 0.5 * (second - first) / width, 0, 1)
    return second + share * (first - second) - width * share * (1 - share)
