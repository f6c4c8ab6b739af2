"""What is seen beside a turned jaw: neck and collar, which stay with the trunk, and are hidden and uncovered."""

from __future__ import annotations

import cv2
import numpy as np

from .motion import Motion
from .warp import CHIN, CONTROL, pull

CHIN_LOW = CONTROL.index(152)
BELOW, ABOVE = 0.5, 1.0
"""From the second height up (0 is the chin, 1 the mouth) what is beside the face moves with it, as hair does; below the
first it stays with the trunk."""
EARS = 1.4
"""Up to here, between mouth and ears, the trunk stands in where the head's motion finds nobody beside a face: a turned
jaw uncovers neck."""
TURN = 10.0
"""Frames that differ by much less than this (degrees) are told apart by the head's motion alone: it is better known."""
SOFT = 0.02
"""The outline of the jaw is so soft (outer-eye distances)."""


def behind(motion: Motion, frame: int, places: np.ndarray) -> np.ndarray:
    """Which places of a frame lie behind its face: within the outline of cheeks and jaw.

    Args:
        motion: the head.
        frame: its number there.
        places: [n, n, 2] pixels.

    Returns:
        [n, n] float32: 1 there, 0 beside it.
    """
    outline = motion.outline[frame]
    chin = motion.landmarks[frame, [CONTROL.index(point) for point in CHIN]]
    polygon = np.concatenate([outline[::2][::-1], chin, outline[1::2]])
    unit = float(motion.unit[frame])
    wide, fine = 4 * SOFT * unit, 1 / (SOFT * unit)
    low = polygon.min(0) - wide
    corner = np.ceil((polygon.max(0) + wide - low) * fine).astype(int)
    mask = np.zeros((corner[1], corner[0]), np.uint8)
    cv2.fillPoly(mask, [np.rint((polygon - low) * fine * 16 - 8).astype(np.int32)], 255, shift=4)
    soft = cv2.GaussianBlur(mask, (0, 0), 1).astype(np.float32) / 255
    return pull(soft[..., None], ((places - low) * fine).astype(np.float32), sharp=False)[..., 0]


class Beside:
    """What of one driven frame stays with the trunk.

    Attributes:
        places: [n, n, 2] pixels of the driven frame.
        share: [n, n] 0..1, where that may be.
        uncovered: [n, n] 0..1, where it may be if nobody is found there otherwise.
    """

    def __init__(self, motion: Motion, frame: int, places: np.ndarray) -> None:
        """Frame `frame` of the driven motion, at `places`."""
        self.places = places
        self._neck, self._unit, self._turn = motion.neck[frame], motion.unit[frame], motion.rotation[frame]
        up = motion.centre[frame] - motion.landmarks[frame, CHIN_LOW]
        height = (places - motion.landmarks[frame, CHIN_LOW]) @ up / max(float(up @ up), 1e-6)
        beside = 1 - behind(motion, frame, places)
        self.share, self.uncovered = (beside * np.clip((top - height) / (ABOVE - BELOW), 0, 1) for top in (ABOVE, EARS))

    def moved(self, with_head: np.ndarray, hold: np.ndarray, clip: Motion, index: int, matte: np.ndarray) -> np.ndarray:
        """Where to read a frame of the clip.

        What has its place behind that frame's face was hidden there, and is read as the head moved; but not off the
        backdrop, where the trunk's motion finds somebody.

        Args:
            with_head: [n, n, 2] how far everything would be if it moved with the head, pixels.
            hold: [n, n] 0..1, where anything moves.
            clip: the head in the clip.
            index: the frame.
            matte: [H, W] uint8, its matte.

        Returns:
            [n, n, 2] float32 likewise.
        """
        turned = np.degrees(np.arccos(np.clip((np.trace(self._turn.T @ clip.rotation[index]) - 1) / 2, -1, 1)))
        scale = clip.unit[index] / self._unit
        with_trunk = (clip.neck[index] + (self.places - self._neck) * scale - self.places) * hold[..., None]
        person = [
            pull(matte[..., None], (self.places + way).astype(np.float32), sharp=False)[..., 0].astype(np.float32)
            for way in (with_head, with_trunk)
        ]
        missed = np.clip((person[1] - person[0]) / 255, 0, 1)
        seen = 1 - behind(clip, index, self.places + with_trunk)
        share = np.maximum(self.share * seen, self.uncovered * missed)
        share = cv2.GaussianBlur(share * (1 - np.exp(-((turned / TURN) ** 2))), (0, 0), 0.7)[..., None]
        return (with_head + share * (with_trunk - with_head)).astype(np.float32)
