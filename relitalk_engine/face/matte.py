"""The person's matte and foreground colour."""

from __future__ import annotations

import os

import numpy as np


class Matter:
    """Soft person mask by mediapipe, its edge drawn by a guided filter on the picture itself."""

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        import mediapipe

        self._segmenter = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)

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

        self._segmenter.reset()  # mediapipe smooths over time otherwise: every frame must stand alone
        mask = np.asarray(self._segmenter.process(rgb).segmentation_mask, np.float32)
        if solid is not None:
            mask = np.maximum(mask, cv2.erode(solid.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32))
            mask = mask * _connected(mask > 0.1, solid)
        return _edges(rgb.astype(np.float32) / 255, mask)


def _edges(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Draw a soft mask's edge where the colours change.

    In a band about the edge each pixel is told apart by the mean colours of what is surely person and what is surely
    not, nearby, as far as these differ; where they do not, the mask decides.

    Args:
        image: [H, W, 3] 0..1.
        mask: [H, W] 0..1, right but for its edge.
    """
    import cv2

    scale = max(image.shape[:2]) / 512
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(2.5 * scale) + 1,) * 2)
    inside = cv2.erode((mask > 0.85).astype(np.uint8), disc).astype(np.float32)
    outside = cv2.erode((mask < 0.12).astype(np.uint8), disc).astype(np.float32)

    def nearby(where: np.ndarray) -> np.ndarray:
        weight = cv2.GaussianBlur(where, (0, 0), 7 * scale)[..., None]
        return cv2.GaussianBlur(image * where[..., None], (0, 0), 7 * scale) / np.maximum(weight, 1e-4)

    fore, back = nearby(inside), nearby(outside)
    apart = fore - back
    distance = (apart * apart).sum(-1)
    share = np.clip(((image - back) * apart).sum(-1) / np.maximum(distance, 1e-4), 0, 1)
    crisp = np.clip((mask - 0.3) / 0.5, 0, 1)
    told = distance / (distance + 0.12**2)
    alpha = np.where(inside > 0, 1, np.where(outside > 0, 0, told * share + (1 - told) * crisp))
    soft = cv2.ximgproc.guidedFilter(image, alpha.astype(np.float32), max(2, round(3 * scale)), 3e-4)
    return np.clip((soft - 0.04) / 0.92, 0, 1).astype(np.float32)


def _connected(mask: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """[H, W] bool: the parts of a mask that touch the seed; other people and specks fall away."""
    import cv2

    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    keep = np.unique(labels[seed & mask])
    return np.isin(labels, keep[keep > 0])


def foreground(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colour of the person alone, so that no old background shines through soft edges.

    Args:
        image: [H, W, 3] float, any encoding that blends as the matte does.
        alpha: [H, W] 0..1.

    Returns:
        [H, W, 3] float32; where alpha is 1 the image itself.

    Source: Forte 2021, Approximate Fast Foreground Colour Estimation (blur fusion, two passes).
    """
    import cv2

    a = alpha[..., None].astype(np.float32)
    image = image.astype(np.float32)
    fore, back = image, image
    for radius in (max(image.shape[0] // 12, 5), max(image.shape[0] // 90, 2)):
        kernel = (2 * radius + 1, 2 * radius + 1)
        weight = cv2.blur(a, kernel)[..., None]
        blurred = cv2.blur(fore * a, kernel) / (weight + 1e-5)
        behind = cv2.blur(back * (1 - a), kernel) / (1 - weight + 1e-5)
        fore = np.clip(blurred + a * (image - a * blurred - (1 - a) * behind), 0, None)
        back = behind
    return np.where(a > 0.999, image, fore)
