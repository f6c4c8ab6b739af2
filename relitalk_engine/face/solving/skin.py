"""What every spot of the skin looks like, whichever way the head is turned: the picture that frames are held against.

Logarithms of grey in bands of detail, so that a light's level and what changes slowly over the face drop out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...geometry.surface import vertex_normals
from ..head_model import HeadModel

OFF_SKIN = ("ears", "neck", "scalp", "eye_l", "eye_r", "eye_cavity", "mouth_interior")
ON_SKIN = ("skin", "lips", "brows")
BEHIND_CHEEKS = -0.05
"""No vertex further back (m) than this is compared."""
EYES_PX = 75.0
"""Distance of the outer eye corners in the pictures that are compared."""
BANDS = ((4.0, 14.0), (2.0, 9.0), (1.0, 6.0))
"""Gaussians between which a band lies, in pixels of those pictures; the coarse first."""
DARK = 0.05
"""Added to grey before its logarithm."""
FACING = 0.3
"""Least cosine between normal and view of a vertex that is compared."""
EDGE = 2.0
"""Pixels from the border of a picture that are not compared."""
TURN = 0.15
"""The head's direction, as sines, over the unit of the look's slopes."""
RIDGE = 0.15
"""Pull of these slopes to none, in frames looked straight at, over all of them."""
SEEN = 0.02
"""A spot is known that was seen for this share of the best seen one's time."""


@dataclass(frozen=True)
class Skin:
    """How the skin looks, linear in the head's direction.

    Attributes:
        looks: [L, N, 4] per band and spot: the look straight on, its two slopes, and how far frames deviate from that;
            zero deviation where a spot was not seen.
        reach: [2, 2] least and largest direction that was seen.
    """

    looks: np.ndarray
    reach: np.ndarray

    def at(self, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Looks [L, N] and deviations [L, N] under a rotation [3, 3]."""
        return self.looks[..., :3] @ _slopes(rotation, self.reach), self.looks[..., 3]


def _slopes(rotation: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """[3] weights of a look's parts under a rotation [3, 3]."""
    turned = np.clip(rotation[:2, 2], *reach) - reach.mean(0)
    return np.array([1.0, *(turned / TURN)])


class Spots:
    """The vertices that are compared, as a person's head places them.

    Args:
        head: the head model.
        rest: [V, 3] the person's head without expression.
        focal: pixels.
        center: principal point, pixels.
        size: (height, width) of the frames.
    """

    def __init__(
        self, head: HeadModel, rest: np.ndarray, focal: float, center: tuple[float, float], size: tuple[int, int]
    ) -> None:
        regions = head.regions
        on, off = (
            np.maximum.reduce([regions[name] for name in names if name in regions]) for names in (ON_SKIN, OFF_SKIN)
        )
        chosen = np.flatnonzero((on > 0.5) & (off < 0.1) & (head.template[:, 2] > BEHIND_CHEEKS))
        self.template = head.template[chosen]
        self.actions = head.expression_basis[:, chosen].astype(np.float64)
        self._rest = rest[chosen].astype(np.float64)
        self._normals = vertex_normals(rest, head.faces)[chosen]
        self._focal, self._center = focal, np.array(center)
        self._far = np.array(size[::-1]) - EDGE
        points = head.at_landmarks(head.template)
        self._eyes = float(np.linalg.norm(points[33] - points[263]))

    def __len__(self) -> int:
        return len(self._rest)

    def scale(self, translation: np.ndarray) -> float:
        """Size of the compared pictures over the frames', from translations [T, 3]."""
        return EYES_PX / (self._focal * self._eyes / float(np.median(-translation[:, 2])))

    def place(
        self, psi: np.ndarray, rotation: np.ndarray, translation: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Turned points [N, 3] before they are moved, their pixels [N, 2], and how well they are seen [N], 0..1."""
        moved = (psi @ self.actions.reshape(len(psi), -1)).reshape(-1, 3)
        turned = (self._rest + moved) @ rotation.T
        points = turned + translation
        pixels = points[:, :2] * np.array([1, -1]) * (self._focal / -points[:, 2:]) + self._center
        facing = -((self._normals @ rotation.T) * points).sum(1) / np.linalg.norm(points, axis=1)
        inside = ((pixels > EDGE) & (pixels < self._far)).all(1)
        return turned, pixels, np.clip((facing - FACING) / FACING, 0, 1) * inside

    def slope(self, points: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """[N, 3] how a value changes with camera-frame points [N, 3], from its steps [N, 2] per pixel."""
        scale = (self._focal / -points[:, 2])[:, None]
        across = steps * np.array([1, -1]) * scale
        return np.column_stack([across, (across * points[:, :2]).sum(1) / -points[:, 2]])


def bands(rgb: np.ndarray, scale: float) -> list[np.ndarray]:
    """Per band the [h, w, 3] picture and its steps across and down, of a frame [H, W, 3] uint8 at a scale."""
    import cv2

    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    if scale < 1:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.4 / scale)
    size = tuple(max(8, round(side * scale)) for side in grey.shape[::-1])
    grey = np.log(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR) + DARK)
    found = []
    for fine, broad in BANDS:
        band = cv2.GaussianBlur(grey, (0, 0), fine) - cv2.GaussianBlur(grey, (0, 0), broad)
        found.append(np.dstack([band, *(cv2.Sobel(band, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1)))]))
    return found


def sample(picture: np.ndarray, pixels: np.ndarray, scale: float) -> np.ndarray:
    """[N, C] of a picture at a scale, at pixels [N, 2] of the frame."""
    import cv2

    at = (pixels * scale - 0.5).astype(np.float32)[:, None]
    return cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]


def learn_skin(
    spots: Spots, poses: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray, Any]], reach: np.ndarray, scale: float
) -> Skin:
    """Gather how the skin looks, frame by frame.

    Args:
        spots: the person's.
        poses: actions, rotation, translation and a call that gives the picture, per frame.
        reach: [2, 2] of `Skin`.
        scale: of the compared pictures.
    """
    parts = np.zeros((len(spots), 3, 3))
    values = np.zeros((len(BANDS), len(spots), 3))
    squares = np.zeros((len(BANDS), len(spots)))
    for psi, rotation, translation, picture in poses:
        _, pixels, seen = spots.place(psi, rotation, translation)
        slopes = _slopes(rotation, reach)
        parts += seen[:, None, None] * np.outer(slopes, slopes)
        for k, band in enumerate(bands(picture(), scale)):
            value = sample(band[..., :1], pixels, scale).reshape(-1)
            values[k] += (seen * value)[:, None] * slopes
            squares[k] += seen * value**2
    total = parts[:, 0, 0]
    pull = np.diag([1e-3, RIDGE, RIDGE]) * np.maximum(total, 1e-3)[:, None, None]
    looks = np.linalg.solve(parts + pull, values[..., None])[..., 0]
    spread = np.sqrt(np.maximum(squares - (looks * values).sum(-1), 1e-8) / np.maximum(total, 1e-3))
    known = total > SEEN * total.max()
    return Skin(np.concatenate([looks, (spread * known)[..., None]], -1).astype(np.float32), reach.astype(np.float32))
