"""Where each pixel of a driven frame lies in another frame of the clip: a thin-plate spline through landmarks."""

from __future__ import annotations

import cv2
import numpy as np

LIPS_OUTER = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)  # fmt: skip
LIPS_INNER = (
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
)  # fmt: skip
LIPS = LIPS_OUTER + LIPS_INNER
CHIN = (149, 176, 148, 152, 377, 400, 378)
_CHEEKS = (
    1, 2, 98, 327, 4, 195, 50, 280, 205, 425, 187, 411, 147, 376, 192, 416, 207, 427, 206, 426, 216, 436, 212, 432,
    214, 434, 210, 430, 211, 431, 194, 418, 32, 262, 140, 369, 171, 396, 175, 199, 200, 18, 83, 313, 182, 406, 43, 273,
    57, 287, 186, 410, 92, 322, 165, 391, 167, 393, 164, 145, 374,
)  # fmt: skip
CONTROL = LIPS + CHIN + _CHEEKS
"""Mediapipe's points that the spline goes through."""

STIFFNESS = 0.003
"""How far the spline may miss its points, against their spread."""


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Thin-plate kernel r² log r between points [N, 2] and [M, 2]."""
    square = ((a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T).clip(1e-12)
    return (0.5 * square * np.log(square)).astype(np.float32)


class Spline:
    """A thin-plate spline whose knots lie in the driven frame; many source frames share its factorisation.

    Args:
        knots: [K, 2] landmarks of the driven frame, pixels.
        window: x, y, side of the square (pixels, real) in which it will be evaluated.
        cells: grid points a side; between them the map is linear.

    Source: Bookstein 1989; Wahba's smoothing term.
    """

    def __init__(self, knots: np.ndarray, window: tuple[float, float, float], cells: int = 72):
        """Factorise once for these knots."""
        x, y, side = window
        points = (knots - np.array([x + side / 2, y + side / 2])) / (side / 2)
        count = len(points)
        affine = np.concatenate([np.ones((count, 1)), points], 1)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(points, points) + STIFFNESS * np.eye(count)
        system[:count, count:] = affine
        system[count:, :count] = affine.T
        steps = (np.arange(cells) + 0.5) / cells * 2 - 1
        grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
        design = np.concatenate([_kernel(grid, points), np.ones((len(grid), 1)), grid], 1).astype(np.float32)
        solve = np.linalg.inv(system)[:, :count].astype(np.float32)
        self._matrix = design @ solve  # [cells², K]: landmarks of any source to its map
        self._cells = cells
        self._knots = knots.astype(np.float32)

    def displacement(self, source: np.ndarray, hold: np.ndarray | None = None) -> np.ndarray:
        """How far the matching pixel of a source frame lies from the driven frame's.

        Args:
            source: [K, 2] the same landmarks in the source frame, pixels.
            hold: [cells, cells] 0..1, where the head's motion applies; elsewhere pixels stay. None: everywhere.

        Returns:
            [cells, cells, 2] float32, pixels, at the centres of the window's cells.
        """
        moved = self._matrix @ (source.astype(np.float32) - self._knots)  # a spline keeps what is affine
        moved = moved.reshape(self._cells, self._cells, 2)
        return moved if hold is None else moved * hold[..., None]


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian of any width over an image [H, W(, C)], quick where it is wide: done on a smaller one."""
    step = int(sigma / 3)
    if step < 2:
        return cv2.GaussianBlur(image, (0, 0), sigma)
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / step), (width, height))


def window_map(window: tuple[float, float, float], size: int) -> np.ndarray:
    """Pixel positions of the centres of a square window's samples.

    Args:
        window: x, y, side in pixels (corner based: the first pixel of the image covers 0..1).
        size: samples a side.

    Returns:
        [size, size, 2] float32, (u, v) in the half-pixel convention.
    """
    x, y, side = window
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size * side
    return np.stack(np.meshgrid(steps + x, steps + y), -1).astype(np.float32)


def pull(image: np.ndarray, positions: np.ndarray, sharp: bool = True) -> np.ndarray:
    """Sample an image at real positions.

    Args:
        image: [H, W, C] uint8 or float32.
        positions: [h, w, 2] (u, v), pixel centres at +0.5.
        sharp: Catmull-Rom-like cubic instead of bilinear.

    Returns:
        [h, w, C] of the image's type; the border repeats outside.
    """
    moved = np.ascontiguousarray(positions - 0.5, np.float32)
    kind = cv2.INTER_CUBIC if sharp else cv2.INTER_LINEAR
    parts = [  # OpenCV takes four channels at a time
        cv2.remap(image[..., c : c + 4], moved[..., 0], moved[..., 1], kind, borderMode=cv2.BORDER_REPLICATE)
        for c in range(0, image.shape[2], 4)
    ]
    return np.concatenate([part.reshape(*positions.shape[:2], -1) for part in parts], -1)
