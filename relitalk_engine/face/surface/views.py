"""What the implicit surface is trained on: silhouette rays, and the light on its points, of a few frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.raster import Hits, cast
from ...geometry.surface import vertex_normals
from ..fitting import HeadFit
from ..head_model import HeadModel
from .implicit import ImplicitSurface, MovedSurface, expressed

WIDTH = 320
"""Longest side of the images that training looks at, pixels."""
DEPTHS = np.arange(-0.13, 0.22, 0.009, dtype=np.float32)
"""Where a silhouette ray is probed, metres behind the head's origin."""


@dataclass(frozen=True)
class View:
    """One training frame, made small.

    Attributes:
        frame: its number in the fit.
        image: [h, w, 3] linear light, slightly blurred.
        alpha: [h, w].
        skin: [h, w] how surely it is bare skin.
    """

    frame: int
    image: np.ndarray
    alpha: np.ndarray
    skin: np.ndarray


@dataclass(frozen=True)
class Rays:
    """Silhouette rays of one frame.

    Attributes:
        points: [M, D, 3] probes in canonical space.
        alpha: [M] whether the person is seen along the ray.
    """

    points: np.ndarray
    alpha: np.ndarray


@dataclass(frozen=True)
class Sight:
    """What one frame sees of the surface's points.

    Attributes:
        index: [N] which points.
        mesh: [N, 3] the head mesh's normals there, camera frame.
        base: [N, 3] points after the head model's expression, before skinning, head frame.
        weight: [N] 0..1, less where the surface is seen at a slant.
    """

    index: np.ndarray
    mesh: np.ndarray
    base: np.ndarray
    weight: np.ndarray


def view(frame: int, rgb: np.ndarray, alpha: np.ndarray, skin: np.ndarray) -> View:
    """A training frame from a frame of the crop.

    Args:
        frame: its number.
        rgb: [H, W, 3] uint8.
        alpha: [H, W].
        skin: [H, W].
    """
    import cv2

    from ...media.images import srgb_to_linear

    scale = min(1.0, WIDTH / max(alpha.shape))
    size = (round(alpha.shape[1] * scale), round(alpha.shape[0] * scale))
    linear = srgb_to_linear(rgb.astype(np.float32) / 255).astype(np.float32)
    small = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (linear, alpha, skin)]
    return View(frame, cv2.GaussianBlur(small[0], (0, 0), 0.8), small[1], cv2.erode(small[2], np.ones((3, 3))))


def choose_frames(fit: HeadFit, count: int) -> np.ndarray:
    """Frames that show the head from as many sides as there are: evenly over the clip, and the extreme turns."""
    good = np.flatnonzero(fit.valid)
    even = good[np.unique(np.linspace(0, len(good) - 1, max(count - 4, 1)).astype(int))]
    facing = fit.rotation[good][:, :, 2]
    extreme = [good[pick(facing[:, k])] for k in (0, 1) for pick in (np.argmin, np.argmax)]
    return np.unique(np.concatenate([even, extreme]))[: count + 4]


def silhouette_rays(
    surface: ImplicitSurface,
    moved: MovedSurface,
    fit: HeadFit,
    seen: View,
    count: int,
    rng: np.random.Generator,
) -> Rays:
    """Rays about the matte's edge, and where surface and matte do not agree.

    Args:
        surface: whose fields of motion take the rays into canonical space.
        moved: the same, on its head.
        fit: poses and camera.
        seen: the frame.
        count: M.
        rng: draws the rays.
    """
    import cv2
    from scipy.spatial import cKDTree

    height, width = seen.alpha.shape
    scale = height / fit.size[0]
    psi, rotation, translation = fit.psi[seen.frame], fit.rotation[seen.frame], fit.translation[seen.frame]
    center = (fit.center[0] * scale, fit.center[1] * scale)
    now = cast(moved.pose(psi, rotation, translation), moved.faces, fit.focal * scale, center, (height, width)).mask
    inside = (seen.alpha > 0.5).astype(np.uint8)
    edge = cv2.distanceTransform(inside, cv2.DIST_L2, 5) + cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    chance = np.exp(-edge / (0.03 * width)) + 1.0 * ((inside > 0) != now) + 0.02
    chosen = rng.choice(height * width, count, p=(chance / chance.sum()).ravel())
    row, column = np.divmod(chosen, width)
    x = (column + 0.5 - center[0]) / (fit.focal * scale)
    y = (center[1] - row - 0.5) / (fit.focal * scale)
    depth = DEPTHS - translation[2]
    probes = np.stack([x[:, None] * depth, y[:, None] * depth, np.broadcast_to(-depth, (count, len(depth)))], -1)
    turned, shifted = surface.trunk.place(rotation, translation)
    with_head, with_trunk = (probes - translation) @ rotation, (probes - shifted) @ turned
    points = with_head
    for _ in range(2):
        blend = surface.coarse.sample(surface.skinning, points)[..., None]
        points = blend * with_head + (1 - blend) * with_trunk
    change = np.tensordot((psi - surface.mean).astype(np.float32), moved.model.expression_basis, 1)
    distance, near = cKDTree(moved.rest + change).query(points.reshape(-1, 3), distance_upper_bound=0.05)
    known = np.isfinite(distance)
    fade = np.where(known, np.exp(-((np.where(known, distance, 0) / 0.03) ** 2)), 0)
    back = (fade[:, None] * change[np.where(known, near, 0)]).reshape(points.shape)
    return Rays((points - back).astype(np.float32), seen.alpha[row, column])


def bare_skin(head: HeadModel, fit: HeadFit, views: list[View]) -> np.ndarray:
    """[V] how much of the time a vertex of the head model, when it faces the camera, is seen to be bare skin."""
    total, bare = np.zeros(len(head.template)), np.zeros(len(head.template))
    for seen in views:
        vertices = fit.vertices(head, seen.frame)
        height, width = seen.alpha.shape
        scale = height / fit.size[0]
        center = (fit.center[0] * scale, fit.center[1] * scale)
        hits = cast(vertices, head.faces, fit.focal * scale, center, (height, width))
        normals = vertex_normals(vertices, head.faces)
        index, row, column, _ = _visible(vertices, normals, hits, fit.focal * scale, center)
        total[index] += 1
        bare[index] += seen.skin[row, column]
    return (bare / np.maximum(total, 1)).astype(np.float32)


def _visible(
    vertices: np.ndarray, normals: np.ndarray, hits: Hits, focal: float, center: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Which vertices [N] the image sees, in which row and column, and the cosine at which they face it."""
    height, width = hits.depth.shape
    place = vertices[:, :2] * (focal / -vertices[:, 2:])
    column = np.floor(place[:, 0] + center[0]).astype(int)
    row = np.floor(center[1] - place[:, 1]).astype(int)
    framed = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    depth = np.full(len(vertices), np.inf)
    depth[framed] = hits.depth[row[framed], column[framed]]
    facing = -(normals * vertices).sum(1) / np.linalg.norm(vertices, axis=1)
    index = np.flatnonzero((np.abs(-vertices[:, 2] - depth) < 0.006) & (facing > 0.2))
    return index, row[index], column[index], facing[index]


def sights(moved: MovedSurface, fit: HeadFit, seen: View) -> Sight:
    """Which points of the surface's mesh one frame sees, and how they stand there."""
    head, places = moved.model, moved.places
    height, width = seen.alpha.shape
    scale = height / fit.size[0]
    psi, rotation, translation = fit.psi[seen.frame], fit.rotation[seen.frame], fit.translation[seen.frame]
    center = (fit.center[0] * scale, fit.center[1] * scale)
    vertices = moved.pose(psi, rotation, translation)
    hits = cast(vertices, moved.faces, fit.focal * scale, center, (height, width))
    normals = vertex_normals(vertices, moved.faces)
    index, _, _, facing = _visible(vertices, normals, hits, fit.focal * scale, center)
    mesh = vertex_normals(fit.vertices(head, seen.frame), head.faces)
    near = np.einsum("nk,nkc->nc", places.share[index], mesh[places.near[index]])
    return Sight(
        index=index,
        mesh=near / np.maximum(np.linalg.norm(near, axis=1, keepdims=True), 1e-6),
        base=expressed(moved.surface, head, places, psi)[index],
        weight=np.clip((facing - 0.2) / 0.3, 0, 1).astype(np.float32),
    )
