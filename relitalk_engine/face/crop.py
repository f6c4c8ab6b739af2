"""One steady square of the video that holds head and shoulders."""

from __future__ import annotations

import numpy as np

from .landmarks import Track

FOREHEAD, CHIN = 10, 152
HEAD_OVER_FACE = 1.45
"""Height of the head with hair over the distance from hairline to chin."""


def find_crop(track: Track, width: int, height: int) -> tuple[int, int, int, int]:
    """Square crop from the head's track.

    A clip that is square already and whose head fills a quarter of its height or more is used whole; else the square is
    2.3 heads wide, widened to where the head goes, and kept inside the frame.

    Args:
        track: landmarks in the whole frame.
        width: of the frame, pixels.
        height: of the frame, pixels.

    Returns:
        x, y, width, height in pixels; even numbers, width == height.
    """
    good = track.points[track.valid]
    head = HEAD_OVER_FACE * np.median(np.linalg.norm(good[:, FOREHEAD] - good[:, CHIN], axis=-1))
    if width == height and head >= height / 4:
        side = width - width % 2
        return 0, 0, side, side
    middle = good.mean(1)
    low, high = np.percentile(middle, 2, axis=0), np.percentile(middle, 98, axis=0)
    side = int(min(2.3 * head + float((high - low).max()), width, height)) // 2 * 2
    center = (low + high) / 2 + (0, 0.18 * head)  # the shoulders below count for more than the air above
    x = int(np.clip(center[0] - side / 2, 0, width - side))
    y = int(np.clip(center[1] - side / 2, 0, height - side))
    return x, y, side, side
