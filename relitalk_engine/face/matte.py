"""The person's matte and foreground colour."""

from __future__ import annotations

import numpy as np

from .backdrop import Backdrop
from .edges import MIXED, MIXED_REACH, NOISE, UNSURE, Behind, Mixture, Palette, behind, linear, squared
from .segmentation import Segmenter

REACH = 0.05
"""How far from the mask's edge the true one may lie, as a share of the frame's larger side."""
CLOSE = 0.012
"""Where every pixel is looked at."""
SURE_WITHIN = 0.02
"""How far within its outline the fitted head is surely person."""
DISTANCE, MASK = 0.004, 4.0
"""How fast the mask is believed: distance from its edge for one unit of logit, and logits of the mask itself."""


class Matter:
    """Mattes of the frames of one footage.

    Args:
        backdrop: what is behind the person, where it is known.
    """

    def __init__(self, backdrop: Backdrop | None = None) -> None:
        self.backdrop = backdrop
        self._segmenter = Segmenter()

    def close(self) -> None:
        """Release mediapipe's graph."""
        self._segmenter.close()

    def alpha(self, rgb: np.ndarray, solid: np.ndarray | None = None) -> np.ndarray:
        """Alpha of one frame.

        Args:
            rgb: [H, W, 3] uint8.
            solid: [H, W] bool, surely foreground (the fitted head's inside), if known.

        Returns:
            [H, W] float32, 0..1.
        """
        import cv2

        mask = self._segmenter.mask(rgb)
        if solid is None:
            solid = np.zeros(mask.shape, bool)
        else:
            # At its outline the fitted head may lie outside the true one.
            solid = cv2.erode(solid.astype(np.uint8), _disc(SURE_WITHIN, mask.shape)) > 0
            mask = np.maximum(mask, solid)
            mask = mask * _connected(mask > 0.1, solid)
        depth = _depth(mask)
        outside = (depth < -0.02) & (mask < 0.12)
        back = behind(rgb, outside, self.backdrop)
        unlike = _unlike(rgb, back)
        # What looks as the background does there tells nothing of the person.
        inside = ((depth > 0.015) & (mask > 0.85)) | (solid & (depth > 0.005))
        inside &= (unlike > 2) | (depth > REACH)
        told = np.abs(depth) < CLOSE
        told |= (np.abs(depth) < REACH) & np.where(depth < 0, unlike > 2, unlike < 60)
        told &= ~(solid & (depth > 0.01))
        alpha = (depth > 0).astype(np.float32)
        rows, columns = np.nonzero(told)
        if not inside.any() or not len(rows):
            return alpha
        palette = Palette.around(linear(rgb), inside, rows, columns)
        mixture = Mixture.of(rgb, palette, back, rows, columns)
        deep = depth[rows, columns]
        logit = deep / DISTANCE + MASK * (2 * mask[rows, columns] - 1)
        mixed = MIXED * np.exp(-np.square(deep / MIXED_REACH)) / (1 + back.variance[rows, columns] / UNSURE**2)
        mean, doubt = mixture.alpha(1 / (1 + np.exp(-np.clip(logit, -30, 30))), mixed)
        alpha[rows, columns] = np.clip((mean - 0.03) / 0.94, 0, 1)
        unsure = np.zeros_like(alpha)
        unsure[rows, columns] = np.clip(10 * doubt, 0, 1)
        radius = max(2, round(3 * max(mask.shape) / 512))
        smooth = cv2.ximgproc.guidedFilter(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), alpha, radius, 20.0)
        return np.clip(alpha + unsure * (np.clip((smooth - 0.04) / 0.92, 0, 1) - alpha), 0, 1)


def _disc(radius: float, shape: tuple[int, ...]) -> np.ndarray:
    """A round kernel; its radius is a share of the frame's larger side."""
    import cv2

    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(radius * max(shape))) + 1,) * 2)


def _depth(mask: np.ndarray) -> np.ndarray:
    """[H, W] distance into the mask, below 0 outside, as a share of the frame's larger side."""
    import cv2

    hard = (mask > 0.5).astype(np.uint8)
    inward, outward = (cv2.distanceTransform(side, cv2.DIST_L2, 5) for side in (hard, 1 - hard))
    return (inward - outward) / np.float32(max(mask.shape))


def _unlike(rgb: np.ndarray, back: Behind) -> np.ndarray:
    """[H, W] squared difference from the background over what noise and doubt would make."""
    import cv2

    away = squared(rgb.astype(np.float32) - back.colour) / (back.variance + NOISE**2)
    return cv2.GaussianBlur(away, (0, 0), 1.5 * max(rgb.shape) / 512)


def _connected(mask: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """[H, W] bool: the parts of a mask that touch the seed; other people and specks fall away."""
    import cv2

    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    keep = np.unique(labels[seed & mask])
    return np.isin(labels, keep[keep > 0])


def foreground(rgb: np.ndarray, alpha: np.ndarray, backdrop: Backdrop | None = None) -> np.ndarray:
    """Colour of the person alone, so that no old background shines through soft edges.

    Args:
        rgb: [H, W, 3] uint8, sRGB.
        alpha: [H, W] 0..1, its matte.
        backdrop: what is behind the person, where it is known.

    Returns:
        [H, W, 3] float32, linear; the frame itself where alpha is 1, and the person's colours nearby where it is 0.
    """
    import cv2

    image = linear(rgb)
    solid, clear = alpha > 0.995, alpha < 0.005
    inside = cv2.erode(solid.astype(np.uint8), _disc(0.004, alpha.shape)) > 0
    outside = cv2.erode(clear.astype(np.uint8), _disc(0.004, alpha.shape)) > 0
    near = cv2.dilate((~clear).astype(np.uint8), _disc(0.01, alpha.shape)) > 0
    rows, columns = np.nonzero(near & ~solid)
    if not inside.any() or not len(rows):
        return image
    palette = Palette.around(image, inside, rows, columns)
    mixture = Mixture.of(rgb, palette, behind(rgb, outside, backdrop), rows, columns)
    image[rows, columns] = mixture.colour(alpha[rows, columns].astype(np.float32))
    return image
