"""What is seen about the removed area: by neck, collar and hair the frames of the clip are told that fit footage."""

from __future__ import annotations

import cv2
import numpy as np

from ..events import Reporter
from .bank import Frames
from .boxes import CROP, erased
from .motion import Motion
from .warp import pull, window_map

SIZE = 44
"""Samples a side of the paper's crop: what is finer need not agree."""
FINER = 4
"""Samples are means over so many a side."""
CLEAR = 0.04
"""Outer-eye distances about the removed area that are not looked at."""


def look(rgb: np.ndarray, box: np.ndarray, motion: Motion, frame: int) -> np.ndarray:
    """The paper's crop of one frame, small, without its removed area.

    Args:
        rgb: [H, W, 3] uint8; nothing is read under the box.
        box: x, y, width, height of its removed area.
        motion: the head, and where it stands.
        frame: its number there.

    Returns:
        [SIZE, SIZE, 4] float32: encoded RGB, 0..1, and 1 where it is seen.
    """
    unit = float(motion.unit[frame])
    side = CROP * unit
    u, v = (float(c) for c in motion.centre[frame])
    places = window_map((u - side / 2, v - side / 2, side), SIZE * FINER)
    x, y, width, height = (int(c) for c in box)
    clear = CLEAR * unit
    across, down = places[..., 0], places[..., 1]
    hidden = (across > x - clear) & (across < x + width + clear) & (down > y - clear) & (down < y + height + clear)
    outside = (across < 0) | (across > rgb.shape[1]) | (down < 0) | (down > rgb.shape[0])
    seen = (~(hidden | outside)).astype(np.float32)
    colour = pull(erased(rgb, box), places, sharp=False).astype(np.float32) / 255 * seen[..., None]
    small = cv2.resize(np.dstack([colour, seen]), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    whole = small[..., 3:] > 0.99
    return small * whole


def looks(rgb: Frames, removed: np.ndarray, motion: Motion, shown: np.ndarray, reporter: Reporter) -> np.ndarray:
    """`look` at all frames of footage, each picture read once.

    Args:
        rgb: number to [H, W, 3] uint8.
        removed: [T, 4] boxes.
        motion: of T frames.
        shown: [T] the picture of each frame; frames that show the same one have the same pose.
        reporter: hears the progress and may cancel.

    Returns:
        [T, SIZE, SIZE, 4].
    """
    _, first, back = np.unique(shown, return_index=True, return_inverse=True)
    found = [look(rgb(int(shown[t])), removed[t], motion, t) for t in reporter.steps("surroundings", first, len(first))]
    return np.stack(found)[back]


def unlike(driven: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """How unlike the surroundings of footage and clip are.

    Args:
        driven: [T, SIZE, SIZE, 4] of `look`.
        clip: [N, SIZE, SIZE, 4].

    Returns:
        [T, N] root mean square difference where both are seen.
    """

    def flat(looks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = np.repeat(looks[..., 3:], 3, -1).reshape(len(looks), -1)
        return looks[..., :3].reshape(len(looks), -1), seen

    (a, in_a), (b, in_b) = flat(driven), flat(clip)
    square = a**2 @ in_b.T + in_a @ (b**2).T - 2 * a @ b.T
    return np.sqrt(np.maximum(square, 0) / np.maximum(in_a @ in_b.T, 1.0))
