"""Where mediapipe's 478 points lie on a head model: mediapipe itself is shown the head's picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ReliTalkError
from ...geometry.raster import Hits, cast, interpolate
from ...geometry.surface import vertex_normals
from ..landmarks import FaceTracker

LIP_RING = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
LIPS = LIP_RING + [
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 62, 96, 89, 179,
    86, 15, 316, 403, 319, 325, 292, 407, 272, 271, 268, 12, 38, 41, 42, 183, 76, 77, 90, 180, 85, 16, 315, 404,
    320, 307, 306, 408, 304, 303, 302, 11, 72, 73, 74, 184
]  # fmt: skip
IRISES = 468
"""The first of the iris points; they lie on the eyeballs, all others on the outer skin."""
SKIN, INSIDE, WHITE, IRIS = (0.62, 0.42, 0.33), (0.12, 0.03, 0.03), (0.85, 0.85, 0.85), (0.12, 0.07, 0.04)
LIP, BROW = (0.55, 0.2, 0.18), (0.1, 0.06, 0.04)
IRIS_RADIUS = 0.0062


@dataclass(frozen=True)
class Parts:
    """What of a head's surface is what, as face masks [F]."""

    eyes: np.ndarray
    """The eyeballs."""
    hidden: np.ndarray
    """Neither eyeball nor outer skin: sockets, the mouth's inside."""


def paint(vertices: np.ndarray, regions: dict[str, np.ndarray]) -> np.ndarray:
    """[V, 3] linear colours that make a head model look like a face; regions that are absent are left skin."""
    colors = np.tile(np.array(SKIN, np.float32), (len(vertices), 1))
    colors[regions["mouth_interior"] > 0.5] = INSIDE
    for side in ("eye_l", "eye_r"):
        ball = np.flatnonzero(regions[side] > 0.5)
        colors[ball] = WHITE
        reach = np.linalg.norm(vertices[ball] - vertices[ball][np.argmax(vertices[ball, 2])], axis=1)
        colors[ball[reach < IRIS_RADIUS]] = IRIS
    for name, color in (("lips", LIP), ("brows", BROW)):
        if name in regions:
            colors[regions[name] > 0.5] = color
    return colors


def portrait(vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray, size: int = 640) -> tuple[np.ndarray, Hits]:
    """A shaded picture of a head in the head frame, [size, size, 3] uint8, and what its pixels see."""
    placed = vertices + np.array([0, 0.02, -1.0], np.float32)
    hits = cast(placed, faces, 3.2 * size, (size / 2, size / 2), (size, size))
    normals = interpolate(hits, vertex_normals(placed, faces), faces)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
    light = 0.45 + 0.55 * np.clip(normals @ np.array([0, 0.35, 0.94]), 0, 1)[..., None]
    picture = interpolate(hits, colors, faces) * light
    picture[~hits.mask] = 0.75
    return (np.clip(picture, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8), hits


def embed(
    vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray, parts: Parts, parted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """mediapipe's points on a head's surface.

    Args:
        vertices: [V, 3] head frame, metres, the face looking at the viewer.
        faces: [F, 3].
        colors: [V, 3] linear.
        parts: eyeballs and what is no outer skin.
        parted: [V, 3] displacement that parts the lips; closed lips hide which point is upper and which lower.

    Returns:
        Triangles [478] and barycentric weights [478, 3].

    Raises:
        ReliTalkError: mediapipe sees no face in the picture.
    """
    triangle, bary = _seen(vertices, faces, colors, parts)
    open_triangle, open_bary = _seen(vertices + parted, faces, colors, parts)
    triangle[LIPS], bary[LIPS] = open_triangle[LIPS], open_bary[LIPS]
    return triangle, bary


def _seen(vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    picture, hits = portrait(vertices, faces, colors)
    tracker = FaceTracker()
    points = tracker.detect(picture)
    tracker.close()
    if points is None:
        raise ReliTalkError("bad_head", "No face is seen in a picture of this head model.", "Use another head model.")
    corners = vertices[faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
    outside = facing & ~parts.eyes & ~parts.hidden
    pixels = [np.argwhere(hits.mask & part[hits.triangle]) for part in (outside, parts.eyes)]
    triangle, bary = np.empty(len(points), np.int64), np.empty((len(points), 3), np.float32)
    for k, (u, v) in enumerate(points[:, :2]):
        seen = pixels[k >= IRISES]
        y, x = seen[np.argmin(((seen + 0.5 - (v, u)) ** 2).sum(1))]
        triangle[k], bary[k] = hits.triangle[y, x], hits.bary[y, x]
    return triangle, bary
