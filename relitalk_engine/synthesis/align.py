"""Retrieved mouths meet the footage about the removed area: collar, hair and jaw line run on across the rim."""

from __future__ import annotations

import cv2
import numpy as np

from .warp import pull, window_map

SPREAD = 0.06
"""How far the flow of the surroundings is averaged, as a share of the window."""
FALL = 0.2
"""Inside the removed area the flow falls to 1/e over this share of the window."""
MOST = 0.04
"""The flow is at most this share of the window."""


def rim_flow(base: np.ndarray, known: np.ndarray, layers: np.ndarray) -> np.ndarray:
    """How each mouth must be shifted so that its surroundings lie on the footage's.

    Args:
        base: [S, S, 3] the footage, encoded; read only where it is known.
        known: [S, S] 1 where it is.
        layers: [K, S, S, 5] mouths.

    Returns:
        [K, S, S, 2] where to read each mouth, relative to each sample, in samples.

    Source: dense inverse search flow, Kroeger et al. 2016.
    """
    size = known.shape[0]
    flows = np.zeros((len(layers), size, size, 2), np.float32)
    seen = (cv2.erode(known, np.ones((3, 3), np.uint8)) > 0.5).astype(np.float32)
    if seen.sum() < size:
        return flows
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    fade = np.exp(-cv2.distanceTransform(1 - seen.astype(np.uint8), cv2.DIST_L2, 5) / (FALL * size))
    grey = base.mean(-1)
    for k, layer in enumerate(layers):
        trust = seen * (layer[..., 4] > 0.99)
        picture = layer[..., :3].mean(-1)
        asked = np.where(trust > 0, grey, picture)
        flow = finder.calc(_bytes(asked), _bytes(picture), None)
        flow = np.clip(flow, -MOST * size, MOST * size) * trust[..., None]
        sums = cv2.GaussianBlur(np.dstack([flow, trust]), (0, 0), SPREAD * size)
        flows[k] = sums[..., :2] / np.maximum(sums[..., 2:], 1e-3) * fade[..., None]
    return flows


def shifted(layers: np.ndarray, flows: np.ndarray) -> np.ndarray:
    """Mouths [K, S, S, 5] read at the places of `rim_flow`."""
    if not len(layers):
        return layers
    place = window_map((0.0, 0.0, float(flows.shape[1])), flows.shape[1])
    return np.stack([pull(layer, place + flow) for layer, flow in zip(layers, flows, strict=True)])


def _bytes(grey: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
