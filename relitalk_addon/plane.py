"""The portrait's mesh: a plane of true size, or one that stands out as the fitted head does.

Plane's own axes: x right, y up, z towards the viewer; (0, 0, 0) between the eyes; metres.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from ..relitalk_engine.take import Placement, Take
from . import head_motion

HEAD_WIDTH = 0.15
"""Metres across a head at the ears, for takes that do not know their size."""
CELLS = 72
"""Cells of the relief's grid along its longer side."""
SAMPLES = 12
"""Points on each of the head's triangles that tell its depth."""
SOFT = 3
"""Times that the relief is smoothed, so that no cliff tears the picture at the outline."""


def placement(take: Take, say: Callable[[str], None]) -> Placement:
    """Where the eyes are and how large a pixel is; guessed from the driven area where the take does not know."""
    if take.info.placement is not None:
        return take.info.placement
    width, height = take.info.size
    if take.info.driven:
        x, y, w, h = np.mean(np.array(take.info.driven, float), axis=0)
        guess = Placement((x + w / 2, y - 0.4 * h), HEAD_WIDTH / (2.2 * w))
    else:
        guess = Placement((width / 2, 0.42 * height), 2.4 * HEAD_WIDTH / width)
    say("The take does not say how large the head is: its size is a guess.")
    return guess


def shape(mesh: bpy.types.Mesh, take: Take, place: Placement, relief: bool) -> None:
    """Give a mesh the portrait's shape and its UV; what lies on it, such as materials, stays.

    Args:
        mesh: the portrait's.
        take: the take.
        place: of `placement`.
        relief: let the face stand out. Seen from where the clip was filmed, the picture is the same.

    Raises:
        ReliTalkError: a relief is asked for and the take holds no head.
    """
    width, height = take.info.size
    pixels = _grid(width, height, CELLS if relief else 1)
    rows, columns = pixels.shape[:2]
    eyes, size = np.array(place.eye_centre), place.metres_per_pixel
    points = np.dstack([(pixels - eyes) * [size, -size], np.zeros((rows, columns))])
    if relief:
        head = head_motion.read_head(take)
        lens = np.array([*(head.center - eyes) * [size, -size], head.focal * size])
        share = _depth(take, head, pixels) / lens[2]
        points = lens + (points - lens) * share[..., None]
    corner = np.arange(rows * columns).reshape(rows, columns)
    faces = np.stack([corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:], corner[:-1, :-1]], axis=-1).reshape(-1, 4)
    mesh.clear_geometry()
    mesh.from_pydata(points.reshape(-1, 3).tolist(), [], faces.tolist())
    layer = mesh.uv_layers.new(name="UVMap")
    uv = (pixels * [1 / width, -1 / height] + [0.0, 1.0]).reshape(-1, 2)[faces.reshape(-1)]
    layer.data.foreach_set("uv", uv.reshape(-1))
    mesh.update()


def _grid(width: int, height: int, cells: int) -> np.ndarray:
    """Pixels of the grid's corners, [rows, columns, 2]."""
    across, down = (max(1, round(cells * side / max(width, height))) for side in (width, height))
    return np.stack(np.meshgrid(np.linspace(0, width, across + 1), np.linspace(0, height, down + 1)), axis=-1)


def _depth(take: Take, head: head_motion.Head, pixels: np.ndarray) -> np.ndarray:
    """Metres from the camera to the head at the grid's corners, of the take's middle frame; smooth beyond the head."""
    motion = head_motion.read_motion(take)
    middle = (take.info.frames[0] + take.info.frames[1]) // 2
    vertices = head.neutral + np.tensordot(motion.psi[middle], head.actions, 1)
    vertices = vertices @ motion.rotation[middle].T + motion.translation[middle]
    shares = np.random.default_rng(0).dirichlet(np.ones(3), SAMPLES)
    points = np.einsum("sk,fkc->fsc", shares, vertices[head.faces]).reshape(-1, 3)
    away = -points[:, 2]
    seen = points[:, :2] * (head.focal / away)[:, None] * [1, -1] + head.center
    rows, columns = pixels.shape[:2]
    width, height = pixels[-1, -1]
    at = np.rint(seen / [width, height] * [columns - 1, rows - 1]).astype(int)
    inside = ((at >= 0) & (at < [columns, rows])).all(1)
    nearest = np.full((rows, columns), np.inf)
    np.minimum.at(nearest, (at[inside, 1], at[inside, 0]), away[inside])
    eyes = float(-motion.translation[middle, 2])
    known = np.isfinite(nearest)
    depth = np.where(known, np.minimum(nearest, eyes + 0.08), eyes + 0.05)
    weight = known.astype(float)
    for _ in range(rows):  # beyond the head its depth goes on, and fades to that of its neck
        weight_around, depth_around = _blurred(weight), _blurred(depth * weight)
        grown = np.where(weight_around > 1e-3, depth_around / np.maximum(weight_around, 1e-3), depth)
        depth = np.where(known, depth, 0.97 * grown + 0.03 * (eyes + 0.05))
        weight = np.where(known, 1.0, np.maximum(weight, 0.97 * weight_around))
    for _ in range(SOFT):
        depth = _blurred(depth)
    return depth


def _blurred(values: np.ndarray) -> np.ndarray:
    """The mean of 3×3."""
    padded = np.pad(values, 1, mode="edge")
    return sum(padded[i : i + values.shape[0], j : j + values.shape[1]] for i in range(3) for j in range(3)) / 9.0
