"""Contact sheets: what the figures are of, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..media import images

ERROR_FULL = 0.25
"""Difference of sRGB values that is drawn as full."""
GREY = 0.5


def over_grey(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[H, W, 3] with grey where the mask [H, W] is not."""
    return np.where(mask[..., None], rgb, GREY)


def row(truth: np.ndarray, ours: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Truth, ours and the error side by side, [H, 3 W, 3] sRGB values.

    The error is the mean difference of the channels: red where ours is too bright, blue where it is too dark.
    """
    error = (ours - truth).mean(-1) / ERROR_FULL * mask
    drawn = 1.0 - np.stack([np.maximum(-error, 0), np.abs(error), np.maximum(error, 0)], -1)
    return np.concatenate([over_grey(truth, mask), over_grey(ours, mask), np.clip(drawn, 0, 1)], 1)


def write(path: Path, rows: list[np.ndarray]) -> None:
    """Write rows of one width, one below the other, as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write_png(path, np.rint(np.clip(np.concatenate(rows), 0, 1) * 255).astype(np.uint8))
