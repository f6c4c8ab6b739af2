"""Where the implicit surface starts: the fitted head, a cap of hair, a neck and a trunk of usual size."""

from __future__ import annotations

import numpy as np

from ...geometry.distance import capsule, mesh_distance, smooth_union
from ...geometry.grid import Grid
from ..fitting import HeadFit
from ..head_model import HeadModel

INNER = ("mouth_interior", "eye_cavity", "eye_l", "eye_r")
"""Regions of the head model that lie behind its outer skin."""
HAIR = 0.008
"""Thickness of the hair that the surface starts with, metres."""
REACH = np.array([[-0.36, -0.36, -0.26], [0.36, 0.24, 0.10]])
"""Box in the head frame beyond which nothing is kept, metres."""


def outer_faces(head: HeadModel) -> np.ndarray:
    """[F, 3] the head model's faces without mouth, eyeballs and their hollows."""
    inner = np.maximum.reduce([head.regions[name] for name in INNER if name in head.regions]) > 0.5
    return head.faces[~inner[head.faces].any(1)]


def neck_rim(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre [3] and mean radius of the lowest opening of a mesh."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    kinds, count = np.unique(edges, axis=0, return_counts=True)
    border = vertices[np.unique(kinds[count == 1])]
    lowest = border[border[:, 1] < np.quantile(vertices[:, 1], 0.12)]
    centre = (lowest.min(0) + lowest.max(0)) / 2
    return centre, float(np.linalg.norm((lowest - centre)[:, [0, 2]], axis=1).mean())


def covering_grid(fit: HeadFit, step: float) -> Grid:
    """The grid over what the clip's frames show of the person, in the head frame."""
    height, width = fit.size
    seen = []
    for frame in np.unique(np.linspace(0, len(fit) - 1, 9).astype(int)):
        depth = -fit.translation[frame, 2]
        for u, v in ((0, 0), (width, 0), (0, height), (width, height)):
            x, y = (u - fit.center[0]) * depth / fit.focal, (fit.center[1] - v) * depth / fit.focal
            seen.append(np.array([x, y, -depth]) - fit.translation[frame])
    corners = np.array(seen)
    low = np.maximum(REACH[0], [corners[:, 0].min() - 0.05, corners[:, 1].min() - 0.05, -1])
    high = np.minimum(REACH[1], [corners[:, 0].max() + 0.05, corners[:, 1].max() + 0.03, 1])
    return Grid.around(np.minimum(low, [-0.15, -0.2, 0]), np.maximum(high, [0.13, 0.16, 0]), step)


def start_distance(grid: Grid, head: HeadModel, vertices: np.ndarray) -> np.ndarray:
    """[X, Y, Z] signed distance of head, hair, neck and trunk.

    Args:
        grid: where to know it.
        head: the head model.
        vertices: [V, 3] its fitted vertices, head frame.
    """
    faces = outer_faces(head)
    centre, radius = neck_rim(vertices, faces)
    coarse = grid.coarser(3)
    rough = mesh_distance(coarse.points(), vertices, faces)
    points = grid.points()
    distance = coarse.sample(rough, points)
    near = np.abs(distance) < 0.025
    distance[near] = mesh_distance(points[near], vertices, faces)
    hair = _nearness(coarse.points(), vertices[head.regions["scalp"] > 0.5], 0.025)
    distance -= HAIR * coarse.sample(hair, points)
    below = centre[1] + 0.01 - points[..., 1]
    distance = np.maximum(distance, below)  # the mesh is open there
    return smooth_union(distance, _trunk(points, centre, radius), 0.025).astype(np.float32)


def _nearness(points: np.ndarray, places: np.ndarray, reach: float) -> np.ndarray:
    """[...] 1 at the places [N, 3], falling to 0 at about twice `reach`."""
    from scipy.ndimage import gaussian_filter
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(places).query(points.reshape(-1, 3), distance_upper_bound=3 * reach)
    near = np.exp(-((np.minimum(distance, 3 * reach) / reach) ** 2)).reshape(points.shape[:-1])
    return gaussian_filter(near.astype(np.float32), 1)


def _trunk(points: np.ndarray, neck: np.ndarray, radius: float) -> np.ndarray:
    """Signed distance [...] of a neck and shoulders of usual size.

    The neck leans back on its way down, and the upper chest faces up by some thirty degrees.

    Args:
        points: [..., 3], head frame.
        neck: [3] centre of the end of the head's mesh.
        radius: its radius, metres.
    """

    def at(x: float, y: float, z: float) -> np.ndarray:
        return (neck + (x, y, z)).astype(np.float32)

    body = capsule(points, at(0, 0.03, 0), at(0, -0.12, -0.035), radius)
    for side in (-1.0, 1.0):
        slope = capsule(points, at(0, -0.08, -0.04), at(side * 0.15, -0.145, -0.025), (0.05, 0.055))
        body = smooth_union(body, slope, 0.05)
        chest = capsule(points, at(side * 0.06, -0.14, -0.03), at(side * 0.08, -0.42, 0), (0.07, 0.12))
        body = smooth_union(body, chest, 0.06)
    return body
