"""Retrieved mouths meet the footage about the removed area: collar, hair and jaw line run on across the rim."""

from __future__ import annotations

import cv2
import numpy as np

from .warp import blurred, pull, window_map

SPREAD = 0.1
"""How far the flow of the surroundings is averaged, as a share of the window."""
FALL = 0.4
"""Inside the removed area the flow falls to 1/e over this share of the window."""
MOST = 0.1
"""The flow is at most this share of the window."""
ROUNDS = 2
"""Times that the flow is looked for: what is large is found in steps."""
TEXTURE = 0.02
"""Squared gradient under which a flow means little: what is flat would say that nothing moved."""
SOFT = 2.0
"""Samples over which the head's flow goes over into that of what is beside it."""


def rim_flow(base: np.ndarray, known: np.ndarray, layers: np.ndarray, head: np.ndarray) -> np.ndarray:
    """How each mouth must be shifted so that its surroundings lie on the footage's.

    Args:
        base: [S, S, 3] the footage, encoded; read only where it is known.
        known: [S, S] 1 where it is.
        layers: [K, S, S, 5] mouths.
        head: [S, S] 1 where the head is; it and what is beside it move apart.

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
    steps = cv2.Sobel(grey, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(grey, cv2.CV_32F, 0, 1) ** 2
    texture = cv2.GaussianBlur(steps * seen, (0, 0), 2)
    texture /= texture + TEXTURE
    soft = cv2.GaussianBlur(head, (0, 0), SOFT)
    place = window_map((0.0, 0.0, float(size)), size)
    for k, layer in enumerate(layers):
        trust = seen * (layer[..., 4] > 0.99)
        for _ in range(ROUNDS):
            picture = pull(layer[..., :3].mean(-1, keepdims=True), place + flows[k], sharp=False)[..., 0]
            asked = np.where(trust > 0, grey, picture)
            flow = np.clip(finder.calc(_bytes(asked), _bytes(picture), None), -MOST * size, MOST * size)
            for part, share in ((head, soft), (1 - head, 1 - soft)):
                weight = trust * texture * part
                sums = blurred(np.dstack([flow * weight[..., None], weight]), SPREAD * size)
                flows[k] += sums[..., :2] / np.maximum(sums[..., 2:], 1e-4) * (share * fade)[..., None]
    return flows


def shifted(layers: np.ndarray, flows: np.ndarray) -> np.ndarray:
    """Mouths [K, S, S, 5] read at the places of `rim_flow`."""
    if not len(layers):
        return layers
    place = window_map((0.0, 0.0, float(flows.shape[1])), flows.shape[1])
    return np.stack([pull(layer, place + flow) for layer, flow in zip(layers, flows, strict=True)])


def one_after_another(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The flows [K, S, S, 2] that read in one step what `first` and then `second` read in two."""
    place = window_map((0.0, 0.0, float(first.shape[1])), first.shape[1])
    return np.stack([b + pull(a, place + b, sharp=False) for a, b in zip(first, second, strict=True)])


def _bytes(grey: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
