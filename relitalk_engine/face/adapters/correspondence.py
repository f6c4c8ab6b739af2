"""Which point of Anny's head answers each point of another head, so that regions and actions can be carried over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.surface import vertex_normals
from ..head_model import HeadModel

PARTS = ("eye_l", "eye_r", "mouth_interior", "skin")
"""Each part of the other head looks for its like in the same part of Anny's; the sockets count as skin."""
TURN = 0.02
"""Metres that a difference of one between two unit normals counts for: lips face each other a millimetre apart."""
ROUNDS = 6
SPREAD = 24
"""Samples along a triangle's sides are one over this of the largest head's width apart, or nearer."""


@dataclass(frozen=True)
class Correspondence:
    """Another head's vertices on Anny's surface.

    Attributes:
        corners: [V, 3] three of Anny's vertices under each vertex of the other head.
        bary: [V, 3] their weights.
        turn: [3, 3] Anny's axes times the scale, in the other head's frame.
        shape: [S] Anny's shape that resembles the other head.
        warped: [A, 3] Anny's vertices laid onto the other head.
    """

    corners: np.ndarray
    bary: np.ndarray
    turn: np.ndarray
    shape: np.ndarray
    warped: np.ndarray

    def values(self, field: np.ndarray) -> np.ndarray:
        """[..., V] of a field [..., A] on Anny's vertices."""
        return np.einsum("vk,...vk->...v", self.bary, field[..., self.corners])

    def motions(self, field: np.ndarray) -> np.ndarray:
        """[..., V, 3] in the other head's frame, of displacements [..., A, 3] of Anny's vertices."""
        return np.einsum("vk,...vkc->...vc", self.bary, field[..., self.corners, :]) @ self.turn.T


def correspond(
    anny: HeadModel,
    template: np.ndarray,
    faces: np.ndarray,
    landmarks: np.ndarray,
    regions: dict[str, np.ndarray],
) -> Correspondence:
    """Lay Anny's head onto another one.

    Anny's shape and a similarity are fitted to the landmarks and, by closest points, to the whole outer surface; what
    the landmarks still miss is bent away smoothly.

    Args:
        anny: the head that is known all over.
        template: [V, 3] of the other head, in the head frame.
        faces: [F, 3] its triangles.
        landmarks: [478, 3] mediapipe's points on it.
        regions: [V] masks of its PARTS.
    """
    from scipy.interpolate import RBFInterpolator
    from scipy.spatial import cKDTree

    marks, mark_basis = anny.at_landmarks(anny.template), anny.at_landmarks(anny.shape_basis)
    skin = np.flatnonzero((anny.regions["skin"] > 0.5) & (anny.regions["eye_cavity"] < 0.5))[::3]
    tree = cKDTree(template[regions["skin"] > 0.5])
    surface = tree.data
    normals = vertex_normals(template, faces)[regions["skin"] > 0.5]
    shape = np.zeros(len(anny.shape_basis))
    for step in range(ROUNDS):
        posed = marks + np.tensordot(shape, mark_basis, 1)
        turn, move = _similarity(posed, landmarks)
        scale = np.cbrt(np.linalg.det(turn))
        rows = [(_flat(mark_basis @ turn.T), (landmarks - marks @ turn.T - move).ravel(), 0.002)]
        if step:
            body = anny.template[skin] + np.tensordot(shape, anny.shape_basis[:, skin], 1)
            distance, near = tree.query(body @ turn.T + move)
            fits = distance < 0.03
            chosen, along = skin[fits], normals[near[fits]]
            basis = np.einsum("svc,vc->sv", anny.shape_basis[:, chosen] @ turn.T, along)
            rest = surface[near[fits]] - anny.template[chosen] @ turn.T - move
            rows.append((basis, (rest * along).sum(1), 0.004))
        normal = np.eye(len(shape)) + sum(b @ b.T / (sigma**2 * b.shape[1] / 60) for b, _, sigma in rows)
        shape = np.linalg.solve(normal, sum(b @ r / (sigma**2 * b.shape[1] / 60) for b, r, sigma in rows))
    turn, move = _similarity(marks + np.tensordot(shape, mark_basis, 1), landmarks)
    warped = (anny.template + np.tensordot(shape, anny.shape_basis, 1)) @ turn.T + move
    bend = RBFInterpolator(
        *_distinct(anny.at_landmarks(warped), landmarks), kernel="linear", degree=0, smoothing=1e-3 * scale
    )
    warped = warped + bend(warped)
    corners, bary = _closest(anny, warped, template, faces, regions)
    return Correspondence(corners, bary, turn, shape, warped)


def _flat(basis: np.ndarray) -> np.ndarray:
    return basis.reshape(len(basis), -1)


def _similarity(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scaled rotation [3, 3] and translation [3] with target ≈ source @ turn.T + move (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    left, stretch, right = np.linalg.svd(b.T @ a)
    sign = np.array([1, 1, np.sign(np.linalg.det(left @ right))])
    turn = (left * sign) @ right * (stretch @ sign / (a**2).sum())
    return turn, target.mean(0) - source.mean(0) @ turn.T


def _distinct(points: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points, each place once, and how far each is from its target."""
    _, first = np.unique((points * 1e4).round(), axis=0, return_index=True)
    return points[first], (target - points)[first]


def _closest(anny, warped, template, faces, regions) -> tuple[np.ndarray, np.ndarray]:
    """Corners [V, 3] and weights [V, 3] of the nearest point of the same part that faces the same way."""
    from scipy.spatial import cKDTree

    grid = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)], np.float32) / 4
    normals, own = vertex_normals(warped, anny.faces), vertex_normals(template, faces)
    corners, bary = np.zeros((len(template), 3), np.int64), np.zeros((len(template), 3))
    bary[:, 0] = 1
    for part in PARTS:
        mine = regions[part] > 0.5
        theirs = anny.faces[(anny.regions[part][anny.faces] > 0.5).all(1)]
        places = np.einsum("gk,fkc->fgc", grid, warped[theirs]).reshape(-1, 3)
        ways = np.einsum("gk,fkc->fgc", grid, normals[theirs]).reshape(-1, 3)
        tree = cKDTree(np.concatenate([places, TURN * ways], 1))
        if mine.any():
            _, near = tree.query(np.concatenate([template[mine], TURN * own[mine]], 1))
            corners[mine], bary[mine] = theirs[near // len(grid)], grid[near % len(grid)]
    return corners, bary
