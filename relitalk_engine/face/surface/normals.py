"""N̂ of a frame from the implicit surface: nearest intersections at reduced size, detail from the head's mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.intersection import nearest_surface
from ...geometry.raster import Hits, cast, interpolate
from ...geometry.surface import inflate
from ..fitting import HeadFit
from .implicit import MovedSurface, visible_trust
from .start import INNER

SIDE = 224
"""Longest side of the image at which the surface is intersected, pixels."""
CALM = 0.05
"""Blur of the normals of hair and cloth, over SIDE."""
ROUND, ROUNDED = 0.3, 0.5
"""Cloth turns from the side to the front within so much of SIDE, in so far as its outline has a say in it."""
APART = 0.006
"""Metres that the surface stands before the mesh from which on the mesh loses its say."""
BELIEVED = 0.35
"""The most that the surface may change the mesh's normal, as a share of its length: some twenty degrees."""


@dataclass(frozen=True)
class Intersections:
    """What the pixels of a small image see of the surface.

    Attributes:
        mask: [h, w] bool.
        depth: [h, w] metres along -z, infinite where nothing is hit.
        normal: [h, w, 3] unit, camera frame; where nothing is hit, that of the nearest pixel that is.
        change: [h, w, 3] what training added to the gradient of the start, camera frame; zero where nothing is hit.
    """

    mask: np.ndarray
    depth: np.ndarray
    normal: np.ndarray
    change: np.ndarray


def intersect(moved: MovedSurface, fit: HeadFit, frame: int, psi: np.ndarray, size: tuple[int, int]) -> Intersections:
    """Nearest intersections with the surface, started from its ray-cast mesh.

    Args:
        moved: the surface on its head.
        fit: poses and camera.
        frame: which pose.
        psi: [E] actions.
        size: (height, width) of the image to see, which shows what the fit's whole image does.
    """
    import cv2

    surface = moved.surface
    rotation, translation = fit.rotation[frame], fit.translation[frame]
    scale = size[0] / fit.size[0]
    vertices = moved.pose(psi, rotation, translation)
    center = (fit.center[0] * scale, fit.center[1] * scale)
    hits = cast(vertices, moved.faces, fit.focal * scale, center, size)
    mask = hits.mask
    carried = np.concatenate([moved.vertices, moved.places.head[:, None], vertices], 1)
    seen = interpolate(hits, carried, moved.faces)[mask]
    rays = seen[:, 4:7] / np.linalg.norm(seen[:, 4:7], axis=1, keepdims=True)
    blend = seen[:, 3:4]
    turned, _ = surface.trunk.place(rotation, translation)
    inward = blend * (rays @ rotation) + (1 - blend) * (rays @ turned)
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    points, _ = nearest_surface(surface.grid, surface.distance, moved.gradient, seen[:, :3], inward)

    def to_camera(vectors: np.ndarray) -> np.ndarray:
        return blend * (vectors @ rotation.T) + (1 - blend) * (vectors @ turned.T)

    normal, change = np.zeros((*size, 3), np.float32), np.zeros((*size, 3), np.float32)
    gradient = to_camera(surface.grid.sample(moved.gradient, points))
    normal[mask] = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-6)
    change[mask] = to_camera(surface.grid.sample(moved.change, points))
    if mask.any() and not mask.all():
        _, label = cv2.distanceTransformWithLabels(
            (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        nearest = np.zeros((label.max() + 1, 3), np.float32)
        nearest[label[mask]] = normal[mask]
        normal[~mask] = nearest[label[~mask]]
    return Intersections(mask, hits.depth, normal, change)


def surface_normals(
    moved: MovedSurface,
    fit: HeadFit,
    frame: int,
    psi: np.ndarray,
    hits: Hits,
    mesh: np.ndarray,
    alpha: np.ndarray,
    hair: np.ndarray,
    cloth: np.ndarray,
) -> np.ndarray:
    """The normal N̂ of one frame.

    On the trusted part of the head it is the mesh's own, changed by what training changed in the surface's gradient;
    elsewhere it is the gradient, calmed on hair and cloth, of which the surface knows little but the outline; cloth is
    rounder than that, as its inflated silhouette says. Beyond the surface its outline goes on, and further out, where
    the matte shows what the surface knows nothing of (a hand), the inflated silhouette.

    Args:
        moved: the surface on its head.
        fit: poses and camera.
        frame: which pose.
        psi: [E] actions, the frame's own or others.
        hits: what the pixels see of the head's mesh, [H, W].
        mesh: [V, 3] the mesh's vertex normals, camera frame.
        alpha: [H, W] the matte.
        hair: [H, W] 0..1.
        cloth: [H, W] 0..1.

    Returns:
        [H, W, 3] float32 unit normals, camera frame, z never negative.
    """
    import cv2

    loose = np.clip(hair + cloth, 0, 1)
    height, width = fit.size
    scale = min(1.0, SIDE / max(height, width))
    size = (round(height * scale), round(width * scale))
    found = intersect(moved, fit, frame, psi, size)
    head = moved.model
    own = np.maximum.reduce([head.regions[name] for name in (*INNER, "lips")])  # opens and closes: the mesh's alone
    trust = np.maximum(visible_trust(head), own)
    full = interpolate(hits, np.concatenate([mesh, trust[:, None], own[:, None]], 1), head.faces)

    def enlarge(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)

    def shrink(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)

    depth = cv2.resize(hits.depth, size[::-1], interpolation=cv2.INTER_NEAREST)
    both = np.isfinite(depth) & found.mask
    gap = np.where(both, depth, 0) - np.where(both, found.depth, 0)  # hair in front of the mesh hides it
    agree = enlarge(np.clip(2 - gap / APART, 0, 1).astype(np.float32))
    sure = (full[..., 3] * np.maximum(agree, full[..., 4]) * hits.mask)[..., None]
    sure *= 1 - loose[..., None]
    soft = 0.004 * width
    sure = cv2.GaussianBlur(sure, (0, 0), soft)[..., None]
    away = cv2.distanceTransform((~found.mask).astype(np.uint8), cv2.DIST_L2, 5)[..., None]
    outline = shrink(alpha)
    body = inflate(outline, 0.1 * SIDE)
    near = np.exp(-((away / (0.03 * SIDE)) ** 2))
    beyond = near * cv2.GaussianBlur(found.normal, (0, 0), 0.02 * SIDE) + (1 - near) * body
    spread = np.where(found.mask[..., None], found.normal, beyond)
    hangs, worn = shrink(loose)[..., None], shrink(cloth)[..., None]
    spread = spread + hangs * (_calmed(spread, hangs) - spread)
    spread = spread + ROUNDED * worn * (inflate(outline, ROUND * SIDE) - spread)
    still = np.clip(3 * cv2.GaussianBlur(full[..., 4], (0, 0), 0.016 * width), 0, 1)[..., None]
    change = enlarge(found.change)
    change *= np.minimum(1, BELIEVED / np.maximum(np.linalg.norm(change, axis=-1, keepdims=True), 1e-6))
    detailed = full[..., :3] + (1 - still) * change
    normal = sure * detailed + (1 - sure) * enlarge(spread)
    normal[..., 2] = np.maximum(normal[..., 2], 0)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    return normal.astype(np.float32)


def _calmed(normals: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Normals [h, w, 3] without creases where `where` [h, w, 1] is 1."""
    import cv2

    reach = CALM * SIDE
    weight = cv2.GaussianBlur(where, (0, 0), reach)[..., None]
    return cv2.GaussianBlur(normals * where, (0, 0), reach) / np.maximum(weight, 1e-3)
