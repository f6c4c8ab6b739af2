"""Mouths blended in two bands, so that several of them do not blur into a mean."""

from __future__ import annotations

import cv2
import numpy as np

FINE = 0.018
"""Detail finer than this (outer-eye distances) is taken from one mouth, not from a mean that would blur it."""
DECIDED = 16.0
"""Power of the shares by which that one is chosen."""


def mix_bands(mouths: np.ndarray, shares: np.ndarray, sigma: float) -> np.ndarray:
    """Blend mouths in two bands: soft shares for what is broad, nearly one mouth for what is fine.

    Args:
        mouths: [K, h, w, C].
        shares: [h, w, K].
        sigma: of the Gaussian between the bands, pixels.

    Returns:
        [h, w, C].

    Source: Burt and Adelson 1983, with two bands.
    """
    sharp = (np.maximum(shares, 0) / np.maximum(shares.max(-1, keepdims=True), 1e-6)) ** DECIDED
    sharp *= shares.sum(-1, keepdims=True) / np.maximum(sharp.sum(-1, keepdims=True), 1e-6)
    picture = np.zeros(mouths.shape[1:], np.float32)
    for k, mouth in enumerate(mouths):
        broad = cv2.GaussianBlur(mouth, (0, 0), max(sigma, 0.6))
        picture += shares[..., k, None] * broad + sharp[..., k, None] * (mouth - broad)
    return picture
