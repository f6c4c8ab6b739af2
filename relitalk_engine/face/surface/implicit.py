"""The implicit surface around the fitted head: a signed distance in canonical space, moved by learned fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.grid import Grid, zero_level
from ..fitting import HeadFit
from ..head_model import HeadModel
from ..trunk import Trunk
from .start import outer_faces

FOLLOW = 0.03
"""Distance from the head's mesh over which its expression fades out, metres."""


@dataclass(frozen=True)
class ImplicitSurface:
    """What training leaves; all fields in canonical space, that is the head frame with the clip's mean expression.

    Attributes:
        grid: where the distances are known.
        distance: [X, Y, Z] signed distance of the visible surface, metres, negative inside.
        start: [X, Y, Z] that of the start, which on the face is the head model's own.
        coarse: where the fields of motion are known.
        skinning: [x, y, z] 0..1, how far a point follows the head rather than the trunk.
        bend: [x, y, z, K, 3] what the surface adds to the head model's expressions, per mode, metres.
        modes: [K, E] actions of each mode.
        mean: [E] the clip's mean expression.
        trunk: how the trunk follows.
    """

    grid: Grid
    distance: np.ndarray
    start: np.ndarray
    coarse: Grid
    skinning: np.ndarray
    bend: np.ndarray
    modes: np.ndarray
    mean: np.ndarray
    trunk: Trunk

    def tensors(self) -> dict[str, np.ndarray]:
        """What the subject's weights hold of it."""
        return {
            "grid": _written(self.grid),
            "coarse": _written(self.coarse),
            "distance": self.distance.astype(np.float16),
            "start": self.start.astype(np.float16),
            "skinning": self.skinning.astype(np.float16),
            "bend": self.bend.astype(np.float16),
            "modes": self.modes.astype(np.float32),
            "mean": self.mean.astype(np.float32),
            "trunk": self.trunk.tensor,
        }

    @classmethod
    def from_tensors(cls, data: dict[str, np.ndarray]) -> ImplicitSurface:
        """The inverse of `tensors`."""
        fields = {name: data[name].astype(np.float32) for name in ("distance", "start", "skinning", "bend")}
        return cls(
            grid=_read(data["grid"], fields["distance"]),
            coarse=_read(data["coarse"], fields["skinning"]),
            modes=data["modes"],
            mean=data["mean"],
            trunk=Trunk.from_tensor(data["trunk"]),
            **fields,
        )


def _written(grid: Grid) -> np.ndarray:
    return np.array([*grid.low, grid.step], np.float64)


def _read(values: np.ndarray, field: np.ndarray) -> Grid:
    x, y, z, step = (float(v) for v in values)
    return Grid((x, y, z), step, (field.shape[0], field.shape[1], field.shape[2]))


@dataclass(frozen=True)
class Places:
    """Points of canonical space with all that moves them.

    Attributes:
        points: [N, 3] canonical.
        near: [N, 4] nearest vertices of the head model.
        share: [N, 4] how far they follow each of these vertices' expression; adds up to 1 on the head, less beyond.
        head: [N] how far they follow the head rather than the trunk.
        bend: [N, K, 3] learned addition per mode.
        trust: [N] 0..1, how far the head's mesh is the visible surface there.
    """

    points: np.ndarray
    near: np.ndarray
    share: np.ndarray
    head: np.ndarray
    bend: np.ndarray
    trust: np.ndarray


class MovedSurface:
    """The implicit surface tied to its head model, ready to be posed."""

    def __init__(self, surface: ImplicitSurface, head: HeadModel, fit: HeadFit) -> None:
        self.surface, self.model = surface, head
        self.rest = fit.shape(head, surface.mean)
        self.vertices, self.faces = zero_level(surface.grid, surface.distance)
        self.gradient = surface.grid.gradient(surface.distance)
        self.change = surface.grid.gradient(surface.distance - surface.start)
        self.places = attach(surface, head, self.rest, self.vertices)

    def pose(self, psi: np.ndarray, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
        """[V, 3] the surface's mesh in the camera frame, for an expression and a head's pose."""
        return posed(self.surface, self.model, self.places, psi, rotation, translation)


def visible_trust(head: HeadModel) -> np.ndarray:
    """[V] 0..1, how far the head's mesh is what is seen: hair covers the scalp, and the neck's fit is free."""
    return (1 - np.maximum(head.regions["scalp"], 0.8 * head.regions["neck"])).astype(np.float32)


def attach(surface: ImplicitSurface, head: HeadModel, rest: np.ndarray, points: np.ndarray) -> Places:
    """Tie points [N, 3] of canonical space to the head model, whose vertices rest at `rest` [V, 3]."""
    from scipy.spatial import cKDTree

    outer = np.unique(outer_faces(head))
    distance, index = cKDTree(rest[outer]).query(points, 4)
    weight = 1 / (distance + 1e-3) ** 2
    weight /= weight.sum(1, keepdims=True)
    near = outer[index]
    follows = np.exp(-((distance[:, :1] / FOLLOW) ** 2))
    close = np.clip(2 - distance[:, 0] / 0.006, 0, 1)
    return Places(
        points=points,
        near=near,
        share=(weight * follows).astype(np.float32),
        head=surface.coarse.sample(surface.skinning, points),
        bend=surface.coarse.sample(surface.bend.reshape(*surface.bend.shape[:3], -1), points).reshape(
            len(points), *surface.bend.shape[3:]
        ),
        trust=((weight * visible_trust(head)[near]).sum(1) * close).astype(np.float32),
    )


def expressed(surface: ImplicitSurface, head: HeadModel, places: Places, psi: np.ndarray) -> np.ndarray:
    """Places [N, 3] in the head frame, moved by the head model's expression psi [E]."""
    moved = np.tensordot((psi - surface.mean).astype(np.float32), head.expression_basis, 1)
    return places.points + np.einsum("nk,nkc->nc", places.share, moved[places.near])


def posed(
    surface: ImplicitSurface,
    head: HeadModel,
    places: Places,
    psi: np.ndarray,
    rotation: np.ndarray,
    translation: np.ndarray,
) -> np.ndarray:
    """Places [N, 3] in the camera frame: expression first, then head and trunk blended.

    Args:
        surface: whose fields move them.
        head: the head model.
        places: what moves.
        psi: [E] actions.
        rotation: [3, 3] head to camera.
        translation: [3].
    """
    change = (psi - surface.mean).astype(np.float32)
    points = expressed(surface, head, places, psi)
    points = points + np.einsum("k,nkc->nc", surface.modes @ change, places.bend)
    turned, shifted = surface.trunk.place(rotation, translation)
    with_head = points @ rotation.T + translation
    with_trunk = points @ turned.T + shifted
    blend = places.head[:, None]
    return (blend * with_head + (1 - blend) * with_trunk).astype(np.float32)


def start_skinning(coarse: Grid, head: HeadModel, rest: np.ndarray, neck: np.ndarray) -> np.ndarray:
    """[x, y, z] where skinning starts: that of the nearest vertex of the head model, below it the trunk's.

    Args:
        coarse: where to know it.
        head: the head model.
        rest: [V, 3] its vertices.
        neck: [3] centre of the neck's end.
    """
    from scipy.ndimage import gaussian_filter
    from scipy.spatial import cKDTree

    points = coarse.points()
    _, index = cKDTree(rest).query(points.reshape(-1, 3))
    of_head = 1 - 0.6 * head.regions["neck"][index].reshape(coarse.shape)
    below = np.clip((neck[1] + 0.005 - points[..., 1]) / 0.06, 0, 1)
    return gaussian_filter(of_head * (1 - below), 0.012 / coarse.step).astype(np.float32)
