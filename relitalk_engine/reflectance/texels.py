"""The head's surface in its UV: which point of it every texel of a texture shows, and its mirror image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..face.head_model import HeadModel
from ..geometry.raster import Hits, cast
from ..geometry.surface import vertex_normals

SEAM = 0.1
"""Longest edge in UV of a triangle that lies on one island."""
SAME_SURFACE = 0.006
"""Metres between a texel's point and what the camera sees there, up to which they are one surface."""
MIRROR_MOST = 0.004
"""Metres between a mirrored point and the nearest texel's, up to which that texel is its mirror image."""


def corner_uv(head: HeadModel) -> np.ndarray:
    """UV of every corner of every triangle, [F, 3, 2]; a triangle across a seam keeps to one of its islands."""
    uv = head.uv[head.faces].astype(float)
    across = np.abs(uv - np.roll(uv, 1, axis=1)).max((1, 2)) > SEAM
    middle = np.median(uv[across], axis=1, keepdims=True)  # nearest to where most of its corners lie
    home = np.abs(uv[across] - middle).sum(-1).argmin(1)
    uv[across] = uv[across][np.arange(len(home)), home][:, None]
    return uv


@dataclass(frozen=True)
class Texels:
    """The texels of a square texture that show the head, N of them.

    Attributes:
        size: rows and columns of the texture.
        places: [N] where each lies, row-major.
        triangle: [N] the triangle it shows.
        bary: [N, 3] where on it.
        faces: [F, 3] of the head.
    """

    size: int
    places: np.ndarray
    triangle: np.ndarray
    bary: np.ndarray
    faces: np.ndarray

    @classmethod
    def of(cls, head: HeadModel, size: int) -> Texels:
        """The texels of a head's texture."""
        uv = corner_uv(head)
        corners = np.dstack([uv - 0.5, np.full_like(uv[..., :1], -1.0)]).reshape(-1, 3)
        apart = np.arange(len(corners)).reshape(-1, 3)
        hits = cast(corners, apart, size, (size / 2, size / 2), (size, size))
        places = np.flatnonzero(hits.mask)
        triangle, bary = hits.triangle.reshape(-1)[places], hits.bary.reshape(-1, 3)[places]
        return cls(size, places, triangle, bary, head.faces)

    def __len__(self) -> int:
        return len(self.places)

    def read(self, field: np.ndarray) -> np.ndarray:
        """A field per vertex [V, C] at the texels, [N, C] float32."""
        return np.einsum("nk,nkc->nc", self.bary, field[self.faces[self.triangle]]).astype(np.float32)

    def view(self, vertices: np.ndarray, hits: Hits, project: Callable[[np.ndarray], np.ndarray]) -> View:
        """The texels as a camera sees them.

        Args:
            vertices: [V, 3] of the head, camera frame.
            hits: what the camera's pixels see of it.
            project: camera frame [N, 3] to pixels [N, 2].
        """
        surface = self.read(np.concatenate([vertices, vertex_normals(vertices, self.faces)], 1))
        point, normal = surface[:, :3], surface[:, 3:]
        pixels = np.asarray(project(point), np.float32)
        length = np.linalg.norm(normal, axis=1) * np.linalg.norm(point, axis=1)
        facing = np.clip(-(normal * point).sum(1) / np.maximum(length, 1e-6), 0, 1)
        front = look_up(hits.depth, pixels, nearest=True)[:, 0]
        return View(pixels, facing * (np.abs(front + point[:, 2]) < SAME_SURFACE))

    def picture(self, values: np.ndarray) -> np.ndarray:
        """Values of the texels [N, C] in their places, [size, size, C]; 0 elsewhere."""
        whole = np.zeros((self.size * self.size, values.shape[1]), np.float32)
        whole[self.places] = values
        return whole.reshape(self.size, self.size, -1)

    def mirror(self, template: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The texel on the other half of the face, [N], and whether there is one, [N] bool.

        Args:
            template: [V, 3] the head model's mean shape, head frame, which is symmetric about x = 0.
        """
        from scipy.spatial import cKDTree

        points = self.read(template)
        away, other = cKDTree(points).query(points * np.array([-1, 1, 1], np.float32))
        return other, away < MIRROR_MOST


@dataclass(frozen=True)
class View:
    """Texels as a camera sees them.

    Attributes:
        pixels: [N, 2].
        facing: [N] cosine towards the camera; 0 where something else is in front.
    """

    pixels: np.ndarray
    facing: np.ndarray


def look_up(maps: np.ndarray, pixels: np.ndarray, nearest: bool = False) -> np.ndarray:
    """A map [H, W] or [H, W, C] at pixels [N, 2], [N, C]; 0 outside of it."""
    import cv2

    rows = -(-len(pixels) // 1024)  # OpenCV takes no row of more than 32767
    at = np.full((rows * 1024, 2), -1e4, np.float32)
    at[: len(pixels)] = pixels - np.float32(0.5)
    at = at.reshape(rows, 1024, 2)
    way = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    found = cv2.remap(maps, at[..., 0], at[..., 1], way, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return found.reshape(rows * 1024, -1)[: len(pixels)]


def filled(picture: np.ndarray) -> np.ndarray:
    """[S, S, 3] from values times weight and weight [S, S, 4]: holes take the mean of ever larger surroundings."""
    import cv2

    known = picture[..., 3:]
    sure = np.clip(known / 0.05, 0, 1)
    values = picture[..., :3] / np.maximum(known, 1e-6)
    if picture.shape[0] <= 4:
        return values * sure + (1 - sure) * (picture[..., :3].sum((0, 1)) / max(float(known.sum()), 1e-6))
    half = (picture.shape[1] // 2, picture.shape[0] // 2)
    # how often a texel was seen counts little beside whether it was
    small = cv2.resize(np.concatenate([values * sure, sure], -1), half, interpolation=cv2.INTER_AREA)
    around = cv2.resize(filled(small), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return values * sure + (1 - sure) * around


def place_in_texture(hits: Hits, uv: np.ndarray) -> np.ndarray:
    """Where pixels lie in a texture, [H, W, 2], x and y in shares of its sides from its upper left corner.

    Args:
        hits: what the pixels see.
        uv: [F, 3, 2] of the triangles' corners.
    """
    found = np.einsum("hwk,hwkc->hwc", hits.bary, uv[np.maximum(hits.triangle, 0)])
    return np.stack([found[..., 0], 1 - found[..., 1]], -1).astype(np.float32)
