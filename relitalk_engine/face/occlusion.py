"""Frames in which something crosses the mouth: a hand, a microphone, a cup. Told by colours that the face never has."""

from __future__ import annotations

import numpy as np

from .landmarks import COUNT, IRISES, LIPS_INNER, OUTER_EYES

MOUTH_CORNERS, NOSE = (61, 291), 1
ZONE = 0.45
"""Landmarks this near the mouth's middle are looked at, in outer-eye distances."""
REACH, SIDE = 1.1, 96
"""The patch that is looked at, to either side of the mouth in outer-eye distances, and its samples a side."""
CLOSE = 0.1
"""Landmarks nearer to each other than this share one weight."""
FAINT, STRANGE = 4.0, 3.0
"""A landmark's colour is strange from so many times its usual error on; least error, Lab distance."""
COVERED, TOUCHED = 0.1, 0.05
"""Share of the zone that is strange in some frame of an occlusion, and in all of them."""
BRIEF = 0.2
"""Seconds; what is strange for less than about half of it is a slip of the track; half of it is added to each side."""
ROUNDS, RIDGE = 6, 0.02
"""Of the robust regression."""


def face_colours(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Colours at the landmarks about the mouth, smoothed over a twentieth of an outer-eye distance.

    Args:
        frame: [H, W, 3] uint8 RGB.
        points: [478, 2] landmarks, pixels.

    Returns:
        [478, 3] float16 Lab; of landmarks outside of the patch the colour at its rim.
    """
    import cv2

    unit = float(np.linalg.norm(points[OUTER_EYES[0]] - points[OUTER_EYES[1]]))
    middle = points[list(LIPS_INNER)].mean(0)
    height, width = frame.shape[:2]
    low = np.clip(np.floor(middle - REACH * unit), 0, (width - 2, height - 2)).astype(int)
    high = np.clip(np.ceil(middle + REACH * unit), low + 2, (width, height)).astype(int)
    patch = frame[low[1] : high[1], low[0] : high[0]]
    scale = SIDE / (2 * REACH * unit)
    size = np.maximum(np.rint((high - low) * scale), 2).astype(int)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(patch, (int(size[0]), int(size[1])), interpolation=way)
    small = cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), 1.2)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    places = ((points - low) * (size / (high - low)) - 0.5).astype(np.float32)
    found = cv2.remap(
        lab, places[None, :, 0], places[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return found[0].astype(np.float16)


def hidden_frames(points: np.ndarray, colours: np.ndarray, valid: np.ndarray, fps: float) -> np.ndarray:
    """Frames in which something lies over the mouth.

    What each landmark's colour should be is told from pose, mouth and place by a robust regression over the clip; where
    a part of the zone about the mouth is far from it for a while, something else is seen there. What is always there,
    such as a beard or paint, is the face's own.

    Args:
        points: [T, 478, 2] landmarks, pixels.
        colours: [T, 478, 3] of `face_colours`.
        valid: [T] bool, frames whose landmarks were found.
        fps: frames per second.

    Returns:
        [T] bool.
    """
    from scipy.ndimage import maximum_filter1d, median_filter

    if valid.sum() < 12:
        return np.zeros(len(points), bool)
    zone, weight = _zone(points[valid])
    error = _departure(_covariates(points[valid]), colours[valid][:, zone].astype(np.float64))
    usual = np.maximum(1.4826 * np.median(error, 0), FAINT)
    share = np.zeros(len(points))
    share[valid] = ((error > STRANGE * usual) * weight).sum(1) / weight.sum()
    window = max(1, round(BRIEF * fps)) | 1
    hidden = maximum_filter1d(_lasting(median_filter(share, window)), window)  # it comes and goes blurred
    return hidden & valid


def _zone(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks about the mouth, and their weights: those that crowd together count less."""
    unit = np.linalg.norm(points[:, OUTER_EYES[0]] - points[:, OUTER_EYES[1]], axis=-1)
    middle = points[:, list(LIPS_INNER)].mean(1, keepdims=True)
    usual = np.median((points - middle) / unit[:, None, None], 0)
    near = np.linalg.norm(usual, axis=-1) < ZONE
    near[IRISES[0] : COUNT] = False
    zone = np.flatnonzero(near)
    apart = np.linalg.norm(usual[zone, None] - usual[None, zone], axis=-1)
    return zone, 1 / (apart < CLOSE).sum(1)


def _covariates(points: np.ndarray) -> np.ndarray:
    """[T, 8] what a face's colours change with: one, turn, nod, turn squared, mouth's height and width, place."""
    a, b = (points[:, k].astype(np.float64) for k in OUTER_EYES)
    unit = np.linalg.norm(b - a, axis=-1)
    across = (b - a) / unit[:, None]
    down = np.stack([-across[:, 1], across[:, 0]], -1)
    nose = (points[:, NOSE] - (a + b) / 2) / unit[:, None]

    def span(pair: tuple[int, int]) -> np.ndarray:
        return np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1) / unit

    turn = (nose * across).sum(-1)
    place = points[:, NOSE] / unit.mean()
    columns = [turn, (nose * down).sum(-1), turn**2, span(LIPS_INNER), span(MOUTH_CORNERS), place[:, 0], place[:, 1]]
    values = np.stack(columns, -1)
    values = (values - np.median(values, 0)) / (values.std(0) + 1e-6)
    return np.concatenate([np.ones((len(values), 1)), np.clip(values, -3, 3)], 1)


def _departure(told_by: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """[T, P] how far colours [T, P, 3] are from what [T, K] tells of them (weights of Geman & McClure)."""
    ridge = len(seen) * np.diag([1e-6] + [RIDGE] * (told_by.shape[1] - 1))
    left = seen - np.median(seen, 0)
    for _ in range(ROUNDS):
        far = np.linalg.norm(left, axis=-1)
        weight = 1 / (1 + (far / (2 * (1.4826 * np.median(far, 0) + 1))) ** 2) ** 2
        normal = np.einsum("ti,tp,tj->pij", told_by, weight, told_by) + ridge
        right = np.einsum("ti,tp,tpc->pic", told_by, weight, seen)
        left = seen - np.einsum("ti,pic->tpc", told_by, np.linalg.solve(normal, right))
    return np.linalg.norm(left, axis=-1)


def _lasting(share: np.ndarray) -> np.ndarray:
    """[T] bool: stretches that are touched throughout and covered somewhere."""
    from scipy.ndimage import label

    stretches, count = label(share > TOUCHED)
    covered = [k for k in range(1, count + 1) if share[stretches == k].max() > COVERED]
    return np.isin(stretches, covered)
