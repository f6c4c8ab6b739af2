"""Normals of the visible surface: the fitted mesh, continued over hair and clothes by an inflated silhouette."""

from __future__ import annotations

import numpy as np

from .raster import Hits, interpolate


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


def inflate(alpha: np.ndarray, radius: float) -> np.ndarray:
    """Normals of the smooth body that a silhouette suggests.

    The height rises like a quarter circle within `radius` of the outline and stays flat further in; the frame's own
    edges are no outline.

    Args:
        alpha: [H, W] 0..1.
        radius: pixels over which the surface turns from the side to the front.

    Returns:
        [H, W, 3] unit normals in the camera frame.
    """
    import cv2

    scale = min(1.0, 160 / max(alpha.shape))
    small = cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    reach = max(radius * scale, 2.0)
    pad = int(2 * reach) + 2
    solid = (cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REPLICATE) > 0.5).astype(np.uint8)
    solid[:pad] = 0  # above the frame there is no more head
    distance = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    inward = np.clip(distance / reach, 0, 1)
    height = reach * np.sqrt(np.clip(1 - (1 - inward) ** 2, 0, 1))
    height = cv2.GaussianBlur(height, (0, 0), 0.18 * reach + 0.8)
    dy, dx = np.gradient(height)
    normals = np.stack([-dx, dy, np.ones_like(dx)], -1)[pad:-pad, pad:-pad]
    normals = cv2.resize(normals.astype(np.float32), alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def normal_map(hits: Hits, normals: np.ndarray, trust: np.ndarray, faces: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The rough normal N̂ wherever there is foreground.

    The mesh's interpolated normal, joined with a soft edge to the inflated silhouette where hair, collar and shoulders
    reach beyond the head model.

    Args:
        hits: what the pixels see, [H, W].
        normals: [V, 3] vertex normals, camera frame.
        trust: [V] 0..1, how far the mesh is the visible surface there (the scalp lies under hair).
        faces: [F, 3].
        alpha: [H, W] matte.

    Returns:
        [H, W, 3] float32 unit normals, camera frame, z never negative.
    """
    import cv2

    seen = interpolate(hits, np.concatenate([normals, trust[:, None]], 1), faces)
    mesh = seen[..., :3]
    mesh[..., 2] = np.maximum(mesh[..., 2], 0)
    width = float(np.sqrt(max(hits.mask.sum(), 1)))
    body = inflate(np.maximum(alpha, hits.mask), 0.28 * width)
    inside = cv2.distanceTransform(hits.mask.astype(np.uint8), cv2.DIST_L2, 5)
    weight = np.clip(inside / (0.1 * width), 0, 1)
    sure = cv2.GaussianBlur(seen[..., 3], (0, 0), 0.02 * width + 0.5)
    weight = (weight * weight * (3 - 2 * weight) * sure)[..., None]
    open_air = 1 - np.clip(alpha, 0, 1)[..., None]  # at a bare outline the mesh's own turn is the right one
    near_air = cv2.blur(open_air[..., 0], (0, 0) if width < 8 else (int(0.03 * width) * 2 + 1,) * 2)[..., None]
    weight = np.maximum(weight, np.clip(3 * near_air, 0, 1) * hits.mask[..., None])
    blended = weight * mesh + (1 - weight) * body
    blended /= np.maximum(np.linalg.norm(blended, axis=-1, keepdims=True), 1e-6)
    return blended.astype(np.float32)
