"""Where the person is, roughly: mediapipe's selfie segmentation."""

from __future__ import annotations

import os

import numpy as np


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
        """[H, W] float32, 0..1: how surely a pixel of [H, W, 3] uint8 is person; the mean of the frame and its mirror.

        Every frame stands alone: mediapipe would smooth over time otherwise.
        """
        there = self._once(rgb)
        back = self._once(np.ascontiguousarray(rgb[:, ::-1]))[:, ::-1]
        return 0.5 * (there + back)

    def _once(self, rgb: np.ndarray) -> np.ndarray:
        self._net.reset()
        return np.asarray(self._net.process(rgb).segmentation_mask, np.float32)
