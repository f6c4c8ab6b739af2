"""The join without a seam: what is painted takes on the clip's values at the rim of the removed area."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

FALL, STEEP = 0.13, 0.025
"""The correction falls to 1/e over this share of the box's shorter side; what exceeds `MILD` falls over the second."""
MILD = 0.06
"""A misfit up to this (encoded) is light or colour and may spread; more is another thing, such as a strand of hair."""
GRAIN, FADE = 4.0, 10
"""What varies along the rim within so many pixels is grain: it is carried straight inwards and fades over so many."""


def close_rim(painted: np.ndarray, around: np.ndarray, open_sides: tuple[bool, bool, bool, bool]) -> np.ndarray:
    """Add the smooth field that makes a painted box meet its surroundings.

    The field is 2 h₁ - h₂, of two that obey the screened Laplace equation ∇²h = h / l², one with half the l of the
    other and both with the surroundings' misfit on the rim: it leaves the rim without a slope. They are solved exactly
    in sines and cosines. Grain, which would end in it within a pixel and leave a line, goes straight inwards.

    Args:
        painted: [h + 2, w + 2, C] the box, painted one pixel beyond its sides.
        around: [h + 2, w + 2, C] the footage there; only its outermost pixels are read.
        open_sides: top, bottom, left, right: True where the box ends at the image's own edge and has no rim.

    Returns:
        [h, w, C] painted + h, without the rim.

    Source: Perez et al. 2003 (seamless cloning), screened after Bhat et al. 2008.
    """
    box = painted[1:-1, 1:-1]
    if all(open_sides):
        return box.copy()
    misfit = around.astype(np.float64) - painted
    mild = np.clip(misfit, -MILD, MILD)
    broad = _broad(mild)
    field = _screened(broad, open_sides, FALL) + _screened(misfit - mild, open_sides, STEEP)
    return (box + field + _inwards(mild - broad, open_sides)).astype(painted.dtype)


def _broad(rim: np.ndarray) -> np.ndarray:
    """The outermost pixels of `rim` [h + 2, w + 2, C], smooth along each side."""
    broad = rim.copy()
    for side in (np.s_[0, 1:-1], np.s_[-1, 1:-1], np.s_[1:-1, 0], np.s_[1:-1, -1]):
        broad[side] = gaussian_filter1d(rim[side], GRAIN, axis=0, mode="nearest")
    return broad


def _inwards(grain: np.ndarray, open_sides: tuple[bool, bool, bool, bool]) -> np.ndarray:
    """The field [h, w, C] that carries the outermost pixels of `grain` [h + 2, w + 2, C] straight inwards."""
    height, width = grain.shape[0] - 2, grain.shape[1] - 2
    down, along = (_fade(n)[:, None] for n in (height, width))
    top, bottom, left, right = (0.0 if is_open else 1.0 for is_open in open_sides)
    rows = top * down[..., None] * grain[0, 1:-1] + bottom * down[::-1, :, None] * grain[-1, 1:-1]
    columns = left * along * grain[1:-1, 0][:, None] + right * along[::-1] * grain[1:-1, -1][:, None]
    return rows + columns


def _fade(count: int) -> np.ndarray:
    """[count] from nearly 1 to 0 over FADE pixels, without a slope at either end."""
    there = np.clip(np.arange(1, count + 1) / FADE, 0, 1)
    return 1 - there**2 * (3 - 2 * there)


def _screened(rim: np.ndarray, open_sides: tuple[bool, bool, bool, bool], fall: float) -> np.ndarray:
    """The field [h, w, C] with the values of the outermost pixels of `rim` [h + 2, w + 2, C] about it."""
    height, width = rim.shape[0] - 2, rim.shape[1] - 2
    load = np.zeros((height, width, rim.shape[2]))
    top, bottom, left, right = open_sides
    load[0] += 0 if top else rim[0, 1:-1]
    load[-1] += 0 if bottom else rim[-1, 1:-1]
    load[:, 0] += 0 if left else rim[1:-1, 0]
    load[:, -1] += 0 if right else rim[1:-1, -1]
    rows, columns = _transform(height, top, bottom), _transform(width, left, right)
    eigen, screen = rows.eigenvalues[:, None] + columns.eigenvalues[None], 1.0 / (fall * min(height, width)) ** 2
    flat = 2.0 / (eigen + screen) - 1.0 / (eigen + 4 * screen)
    return columns.backward(rows.backward(columns.forward(rows.forward(load, 0), 1) * flat[..., None], 0), 1)


@dataclass(frozen=True)
class _Transform:
    """Sines and cosines that diagonalise the second difference along one axis: a matrix, applied along that axis.

    Attributes:
        basis: [n, n] columns are the modes.
        inverse: [n, n].
        eigenvalues: [n].
    """

    basis: np.ndarray
    inverse: np.ndarray
    eigenvalues: np.ndarray

    def forward(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Values to modes along an axis."""
        return np.moveaxis(np.tensordot(self.inverse, values, (1, axis)), 0, axis)

    def backward(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Modes to values along an axis."""
        return np.moveaxis(np.tensordot(self.basis, values, (1, axis)), 0, axis)


@lru_cache(maxsize=16)
def _transform(count: int, first_open: bool, last_open: bool) -> _Transform:
    """Zero beyond a closed end (sines), no slope at an open one (cosines); the mixed kinds are quarter waves."""
    k, n = np.arange(count), np.arange(count)
    if first_open and last_open:
        angle = np.pi * k / count
        basis = np.cos(np.outer(n + 0.5, angle))
    elif not first_open and not last_open:
        angle = np.pi * (k + 1) / (count + 1)
        basis = np.sin(np.outer(n + 1, angle))
    else:
        angle = np.pi * (k + 0.5) / (count + 0.5)
        basis = np.sin(np.outer(n + 1, angle))
        basis = basis[::-1] if first_open else basis
    basis = basis / np.linalg.norm(basis, axis=0)
    return _Transform(basis, basis.T, 2 - 2 * np.cos(angle))
