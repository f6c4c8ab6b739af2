"""Where the person is, roughly: mediapipe's selfie segmentation."""

from __future__ import annotations

import os

import numpy as np

MARGIN = 0.1
"""Width of the margin, as a share of the frame's height."""


class Segmenter:
    """Soft person mask of single frames; its edge is right to about one part in a hundred of the frame's width."""

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        import mediapipe

        self._net = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)

    def __enter__(self) -> Segmenter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release mediapipe's graph."""
        self._net.close()

    def mask(self, rgb: np.ndarray) -> np.ndarray:
        """[H, W] float32, 0..1: how surely a pixel of [H, W, 3] uint8 is person.

        The mean of two looks: at the frame, and at its mirror with a margin about it, as the net errs along the frame's
        edges. Every frame stands alone: mediapipe would smooth over time otherwise.
        """
        import cv2

        height, width = rgb.shape[:2]
        pad = round(MARGIN * height)
        mirror = cv2.copyMakeBorder(rgb[:, ::-1], pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        other = self._once(mirror)[pad : pad + height, pad : pad + width]
        return 0.5 * (self._once(rgb) + other[:, ::-1])

    def _once(self, rgb: np.ndarray) -> np.ndarray:
        self._net.reset()
        return np.asarray(self._net.process(np.ascontiguousarray(rgb)).segmentation_mask, np.float32)
