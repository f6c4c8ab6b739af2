"""The join without a seam: what is painted takes on the clip's values at the rim of the removed area."""

from __future__ import annotations

import numpy as np

FALL = 0.18
"""The correction falls to 1/e over this share of the box's shorter side."""


def close_rim(painted: np.ndarray, around: np.ndarray, open_sides: tuple[bool, bool, bool, bool]) -> np.ndarray:
    """Add the smooth field that makes a painted box meet its surroundings.

    The field h obeys the screened Laplace equation ∇²h = h / l², with the surroundings' misfit on the rim; it is solved
    exactly by sine and cosine transforms.

    Args:
        painted: [h + 2, w + 2, C] the box, painted one pixel beyond its sides.
        around: [h + 2, w + 2, C] the footage there; only its outermost pixels are read.
        open_sides: top, bottom, left, right: True where the box ends at the image's own edge and has no rim.

    Returns:
        [h, w, C] painted + h, without the rim.

    Source: Perez et al. 2003 (seamless cloning), screened after Bhat et al. 2008.
    """
    from scipy.fft import dct, dst, idct, idst

    box = painted[1:-1, 1:-1]
    height, width = box.shape[:2]
    if all(open_sides):
        return box.copy()
    load = np.zeros(box.shape, np.float64)
    top, bottom, left, right = open_sides
    if not top:
        load[0] += around[0, 1:-1] - painted[0, 1:-1]
    if not bottom:
        load[-1] += around[-1, 1:-1] - painted[-1, 1:-1]
    if not left:
        load[:, 0] += around[1:-1, 0] - painted[1:-1, 0]
    if not right:
        load[:, -1] += around[1:-1, -1] - painted[1:-1, -1]

    # half-sample grids: DST-1 between two rims, DCT-2 between two free edges, the quarter-wave kinds where they mix
    def plan(count: int, first: bool, last: bool):
        k = np.arange(count)
        if not first and not last:
            angle = np.pi * (k + 1) / (count + 1)
            return (lambda a, i: dst(a, 1, axis=i)), (lambda a, i: idst(a, 1, axis=i)), angle, False
        if first and last:
            return (lambda a, i: dct(a, 2, axis=i)), (lambda a, i: idct(a, 2, axis=i)), np.pi * k / count, False
        flip = first
        angle = np.pi * (k + 0.5) / (count + 0.5)
        basis = np.sin(np.outer(np.arange(1, count + 1), angle))
        inverse = basis.T * (4.0 / (2 * count + 1))

        def apply(matrix: np.ndarray, a: np.ndarray, i: int) -> np.ndarray:
            return np.moveaxis(np.tensordot(matrix, a, (1, i)), 0, i)

        return (lambda a, i: apply(inverse, a, i)), (lambda a, i: apply(basis, a, i)), angle, flip

    forward_y, back_y, angle_y, flip_y = plan(height, top, bottom)
    forward_x, back_x, angle_x, flip_x = plan(width, left, right)
    load = load[::-1] if flip_y else load
    load = load[:, ::-1] if flip_x else load
    screen = 1.0 / (FALL * min(height, width)) ** 2
    eigen = (2 - 2 * np.cos(angle_y))[:, None] + (2 - 2 * np.cos(angle_x))[None] + screen
    field = back_x(back_y(forward_x(forward_y(load, 0), 1) / eigen[..., None], 0), 1)
    field = field[::-1] if flip_y else field
    field = field[:, ::-1] if flip_x else field
    return (box + field).astype(painted.dtype)
