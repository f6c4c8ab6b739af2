"""What the driven head tells the networks in each frame's window: N̂, lips and mouth, where it is, how it is lit."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..geometry.raster import Hits, cast, interpolate
from ..geometry.surface import vertex_normals
from ..lighting.sh import shade
from .warp import blurred

HOLD = 0.4
"""Beyond the head's outline its motion and its light fade out over this share of the window."""
DARKEST = 0.3
"""Shading is not divided by below this share of its mean."""
REACH = 0.06
"""Blur that carries shading across the outline, as a share of the window."""


@dataclass(frozen=True)
class Guides:
    """The driven head in one window of S² samples. Camera frame.

    Attributes:
        planes: [S, S, 6] N̂ (x, y, z), where the head is seen, lips, mouth's inside.
        hold: [S, S] 0..1, where pixels move and are lit with the head.
        hits: what the samples see of the head.
    """

    planes: np.ndarray
    hold: np.ndarray
    hits: Hits


@dataclass(frozen=True)
class SourceLight:
    """The clip's own light, its mean over the face divided out: shading near 1.

    Attributes:
        sh: [9, 3] radiance coefficients, camera frame; None: a light that shades nothing.
    """

    sh: np.ndarray | None

    @classmethod
    def of(cls, sh: np.ndarray | None, head: HeadModel, fit: HeadFit) -> SourceLight:
        """From the clip's light, so scaled that the face's mean shading is 1 in each channel."""
        if sh is None:
            return cls(None)
        face = (head.regions["skin"] > 0.5) & (head.template[:, 2] > -0.04)
        frames = np.unique(np.linspace(0, len(fit) - 1, 8).astype(int))
        levels = []
        for frame in frames:
            normals = vertex_normals(fit.vertices(head, int(frame)), head.faces)[face]
            levels.append(np.maximum(shade(sh, normals[normals[:, 2] > 0.1]), 0).mean(0))
        level = np.mean(levels, 0)
        return cls((sh / np.maximum(level, 1e-4)).astype(np.float32))

    def on(self, normals: np.ndarray) -> np.ndarray:
        """[V, 3] shading of vertices with normals [V, 3]."""
        if self.sh is None:
            return np.ones_like(normals)
        return np.maximum(shade(self.sh, normals), DARKEST).astype(np.float32)


def head_normals(head: HeadModel, fit: HeadFit, frame: int, psi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and normals [V, 3] of a driven frame; the mouth's inside faces as the head does."""
    vertices = fit.vertices(head, frame, psi)
    inner = head.regions["mouth_interior"][:, None]
    normals = (1 - inner) * vertex_normals(vertices, head.faces) + inner * fit.rotation[frame][:, 2]
    return vertices, normals.astype(np.float32)


def guides(
    head: HeadModel,
    fit: HeadFit,
    vertices: np.ndarray,
    normals: np.ndarray,
    view: tuple[float, float, float],
    size: int,
    device: str = "cpu",
) -> Guides:
    """Rasterise the driven head in a window.

    Args:
        head: the model.
        fit: its camera.
        vertices: [V, 3] camera frame.
        normals: [V, 3].
        view: x, y, side of the window in pixels.
        size: samples a side.
        device: torch device that the work may use.
    """
    x, y, side = view
    scale = size / side
    center = ((fit.center[0] - x) * scale, (fit.center[1] - y) * scale)
    hits = cast(vertices, head.faces, fit.focal * scale, center, (size, size), device=device)
    fields = np.concatenate([normals, head.regions["lips"][:, None], head.regions["mouth_interior"][:, None]], 1)
    seen = interpolate(hits, fields, head.faces)
    length = np.linalg.norm(seen[..., :3], axis=-1, keepdims=True)
    normal = seen[..., :3] / np.maximum(length, 1e-6)
    mask = hits.mask.astype(np.float32)
    planes = np.concatenate([normal, mask[..., None], seen[..., 3:]], -1)
    gap = cv2.distanceTransform(1 - hits.mask.astype(np.uint8), cv2.DIST_L2, 5) if hits.mask.any() else 1e3 * (1 - mask)
    fade = np.clip(1 - gap / (HOLD * size), 0, 1)
    return Guides(planes.astype(np.float32), (fade * fade * (3 - 2 * fade)).astype(np.float32), hits)


def shading_map(head: HeadModel, guide: Guides, shading: np.ndarray) -> np.ndarray:
    """Shading of the driven window from any frame's vertex shading: smooth, and 1 away from the head.

    Args:
        head: the model.
        guide: the driven window.
        shading: [V, 3] of the driven frame, or of the frame whose pixels were warped there.

    Returns:
        [S/2, S/2, 3] float32, positive.
    """
    hits, hold = guide.hits, guide.hold[::2, ::2, None]
    half = Hits(hits.triangle[::2, ::2], hits.bary[::2, ::2], hits.depth[::2, ::2])  # it is smooth
    mask = half.mask.astype(np.float32)[..., None]
    seen = interpolate(half, shading, head.faces)
    total = blurred(np.concatenate([seen * mask, mask], -1), REACH * mask.shape[0] / 2)
    smooth = (total[..., :3] + 1e-3) / (total[..., 3:] + 1e-3)
    return (hold * smooth + 1 - hold).astype(np.float32)
