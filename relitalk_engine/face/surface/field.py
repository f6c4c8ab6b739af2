"""Smooth learned fields on grids, in torch: splines over several scales, so that coarse change comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...geometry.grid import Grid

if TYPE_CHECKING:
    from torch import Tensor


def subdivide(field: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A spline's next finer control points.

    Args:
        field: [C, x, y, z] control points.
        shape: of the finer grid, whose even samples lie on the coarser's.

    Returns:
        [C, *shape].

    Source: subdivision of quadratic B-splines, by linear refinement and a binomial filter.
    """
    import torch
    import torch.nn.functional as functional

    fine = [2 * n - 1 for n in field.shape[1:]]
    field = functional.interpolate(field[None], size=fine, mode="trilinear", align_corners=True)[0]
    for axis in (1, 2, 3):
        n = field.shape[axis]
        first, last = field.narrow(axis, 0, 1), field.narrow(axis, n - 1, 1)
        before = torch.cat([first, field.narrow(axis, 0, n - 1)], axis)
        after = torch.cat([field.narrow(axis, 1, n - 1), last], axis)
        field = 0.5 * field + 0.25 * (before + after)
    return field[:, : shape[0], : shape[1], : shape[2]]


class SplineField:
    """A learned field [C, X, Y, Z], the sum of splines of several scales.

    Attributes:
        levels: control points per scale, the coarsest first; what training changes.
        grid: that of the finest scale.
    """

    def __init__(self, grid: Grid, channels: int, scales: int, device: str) -> None:
        import torch

        self.grid = grid
        self._grids = [grid.coarser(2**k) for k in range(scales)][::-1]
        self.levels = [torch.zeros(channels, *g.shape, device=device, requires_grad=True) for g in self._grids]

    def __call__(self) -> Tensor:
        """[C, X, Y, Z] on the finest grid."""
        field = self.levels[0]
        for grid, level in zip(self._grids[1:], self.levels[1:], strict=True):
            field = subdivide(field, grid.shape) + level
        return field

    def baked(self, grid: Grid) -> np.ndarray:
        """[C, X, Y, Z] float32 on a grid twice as fine."""
        import torch

        with torch.no_grad():
            return subdivide(self(), grid.shape).cpu().numpy()


def slopes(field: Tensor, step: float) -> Tensor:
    """[3, X, Y, Z] central differences of [X, Y, Z], per metre, zero on the border."""
    import torch
    import torch.nn.functional as functional

    inner = field[None, None]
    padded = functional.pad(inner, (1, 1, 1, 1, 1, 1), mode="replicate")[0, 0]
    parts = [
        padded[2:, 1:-1, 1:-1] - padded[:-2, 1:-1, 1:-1],
        padded[1:-1, 2:, 1:-1] - padded[1:-1, :-2, 1:-1],
        padded[1:-1, 1:-1, 2:] - padded[1:-1, 1:-1, :-2],
    ]
    return torch.stack(parts) / (2 * step)


def lookup(grid: Grid, points: np.ndarray, device: str) -> Tensor:
    """Places [1, 1, 1, N, 3] for `at`, of points [N, 3] in metres."""
    import torch

    last = np.array(grid.shape, np.float32) - 1
    place = 2 * grid.index(points) / last - 1
    return torch.tensor(place[:, ::-1].copy(), dtype=torch.float32, device=device)[None, None, None]


def at(field: Tensor, places: Tensor) -> Tensor:
    """[N, C] of a field [C, X, Y, Z] at places from `lookup`."""
    import torch.nn.functional as functional

    return functional.grid_sample(field[None], places, align_corners=True, padding_mode="border")[0, :, 0, 0].T
