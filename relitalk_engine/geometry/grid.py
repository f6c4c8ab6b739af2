"""Fields on a regular grid in space: sampling, gradient, and the mesh of a zero level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """A box of samples.

    Attributes:
        low: [3] place of the first sample, metres.
        step: distance of neighbours, metres.
        shape: samples along x, y, z.
    """

    low: tuple[float, float, float]
    step: float
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, low: np.ndarray, high: np.ndarray, step: float) -> Grid:
        """The smallest grid of a step that covers a box.

        Args:
            low: [3] least corner, metres.
            high: [3] greatest corner.
            step: metres.
        """
        x, y, z = (int(n) for n in np.ceil((np.asarray(high) - np.asarray(low)) / step).astype(int) + 1)
        return cls((float(low[0]), float(low[1]), float(low[2])), step, (x, y, z))

    def coarser(self, factor: int) -> Grid:
        """A grid over the same box whose step is `factor` times as long."""
        x, y, z = (-(-(n - 1) // factor) + 1 for n in self.shape)
        return Grid(self.low, self.step * factor, (x, y, z))

    def points(self) -> np.ndarray:
        """[X, Y, Z, 3] places of the samples, float32."""
        axes = [self.low[k] + self.step * np.arange(self.shape[k], dtype=np.float32) for k in range(3)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1).astype(np.float32)

    def index(self, points: np.ndarray) -> np.ndarray:
        """Fractional indices [..., 3] of points [..., 3]."""
        return np.asarray((points - np.asarray(self.low, np.float32)) / np.float32(self.step))

    def sample(self, field: np.ndarray, points: np.ndarray) -> np.ndarray:
        """A field between its samples, trilinear; beyond the box its border goes on.

        Args:
            field: [X, Y, Z] or [X, Y, Z, C].
            points: [..., 3], metres.

        Returns:
            [...] or [..., C] float32.
        """
        from scipy.ndimage import map_coordinates

        place = self.index(points).reshape(-1, 3).T
        channels = field[..., None] if field.ndim == 3 else field
        found = np.stack(
            [map_coordinates(channels[..., c], place, np.float32, 1, "nearest") for c in range(channels.shape[3])], -1
        )
        return found.reshape(*points.shape[:-1], *field.shape[3:])

    def gradient(self, field: np.ndarray) -> np.ndarray:
        """[X, Y, Z, 3] central differences of a field [X, Y, Z], per metre."""
        return np.stack(np.gradient(field.astype(np.float32), self.step), -1)


def zero_level(grid: Grid, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh of a field's zero level: a vertex per cell that it crosses, a quad per edge.

    Args:
        grid: where the field is known.
        field: [X, Y, Z], negative inside.

    Returns:
        vertices [V, 3] float32 in metres, faces [F, 3] counter-clockwise from outside. A level that leaves the box is
        open there.

    Source: Gibson 1998, surface nets.
    """
    inside = field < 0
    corners = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    nx, ny, nz = (n - 1 for n in field.shape)

    def corner(values: np.ndarray, at: tuple[int, int, int]) -> np.ndarray:
        return values[at[0] : at[0] + nx, at[1] : at[1] + ny, at[2] : at[2] + nz]

    count = sum(corner(inside, at).astype(np.int8) for at in corners)
    cells = np.argwhere((count > 0) & (count < 8))
    number = np.full((nx, ny, nz), -1, np.int64)
    number[tuple(cells.T)] = np.arange(len(cells))
    total = np.zeros((len(cells), 3))
    crossings = np.zeros(len(cells))
    value = {at: field[tuple((cells + at).T)].astype(np.float64) for at in corners}
    for axis in range(3):
        for at in corners:
            if at[axis]:
                continue
            end = (at[0] + (axis == 0), at[1] + (axis == 1), at[2] + (axis == 2))
            a, b = value[at], value[end]
            crossed = (a < 0) != (b < 0)
            share = np.where(crossed, a / np.where(crossed, a - b, 1), 0)
            place = np.tile(np.array(at, float), (len(cells), 1))
            place[:, axis] += share
            total += place * crossed[:, None]
            crossings += crossed
    vertices = (cells + total / crossings[:, None]) * grid.step + np.asarray(grid.low)
    faces = [_quads(inside, number, axis) for axis in range(3)]
    return vertices.astype(np.float32), np.concatenate(faces)


def _quads(inside: np.ndarray, number: np.ndarray, axis: int) -> np.ndarray:
    """Triangles [F, 3] of the quads about the crossed edges along one axis."""
    turned = np.moveaxis(inside, axis, 0)
    cells = np.moveaxis(number, axis, 0)
    order = 1 if axis != 1 else -1  # moving y to the front turns the other two about
    start, end = turned[:-1, 1:-1, 1:-1], turned[1:, 1:-1, 1:-1]
    i, j, k = np.nonzero(start != end)
    around = np.stack([cells[i, j, k], cells[i, j + 1, k], cells[i, j + 1, k + 1], cells[i, j, k + 1]], -1)
    flip = start[i, j, k] == (order < 0)
    around[flip] = around[flip][:, ::-1]
    return np.concatenate([around[:, [0, 1, 2]], around[:, [0, 2, 3]]])
