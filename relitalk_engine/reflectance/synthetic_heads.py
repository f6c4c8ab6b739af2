"""Heads that never were, for the decomposition's prior: their shape, what each pixel sees, and what it sees it by.

A head of the default model in a random shape, expression and pose, with hair over its scalp and shoulders below it.
Beside the truth stands what a fit would have made of it: another shape nearby, and a surface that hair and cloth blur.
Rays to a few hundred directions, kept as bits, let any light shade it later with its cast shadows.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..face.head_model import HeadModel
from ..geometry.raster import Hits, cast, interpolate, occluded
from ..geometry.surface import vertex_normals
from ..geometry.visibility import sphere_directions, transfer
from ..lighting import sh
from .batch import COMB, shrink

DIRECTIONS = 192
"""Directions that light can come from."""
HEAD, CAP, CURTAIN, TORSO = range(4)
"""Parts of a body, in the order of their faces."""
MARKS = ("lips", "brows", "ears", "neck", "scalp", "eye_l", "eye_r", "mouth_interior")
"""Regions of the head that are painted differently."""
OPEN_MARKS = ("mouth_interior", "eye_l", "eye_r")
FIT_SHAPE, FIT_ACTIONS, FIT_TURN = 0.45, 0.12, 0.03
"""Deviations of a fit from the truth: of the shape, in its own; of an action; of the pose, in radians."""
WARP, WAVER = 0.012, 0.10
"""How far a fit's outlines lie beside the picture's, as a share of its width; how far its normals waver."""


_Piece = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Vertices [V, 3], where they are on the neutral head [V, 3], faces [F, 3]."""


@dataclass(frozen=True)
class HeadView:
    """One head as one camera sees it; [S, S, ...] over the picture, P pixels of it are inside."""

    alpha: np.ndarray
    """[S, S] float16, matte."""
    inside: np.ndarray
    """[P] flat indices of the pixels that see the body."""
    normal: np.ndarray
    """[P, 3] float16, true, camera frame."""
    place: np.ndarray
    """[P, 3] float32, where on the body, in the neutral head's metres: what paint is a function of."""
    parts: np.ndarray
    """[P, 4] float16, shares of HEAD, CAP, CURTAIN and TORSO."""
    marks: np.ndarray
    """[P, len(MARKS)] float16, shares of the head's regions."""
    visible: np.ndarray
    """[P, DIRECTIONS / 8] uint8, bits: light from there arrives."""
    directions: np.ndarray
    """[DIRECTIONS, 3] float32, camera frame, as evenly spread as can be."""
    fitted: np.ndarray
    """[S, S, 3] float16, N̂: what a fit would say of the normal."""
    transfer: np.ndarray
    """[S, S, 9] float16, the fitted head's radiance transfer."""
    transfer0: np.ndarray
    """[S, S, 9] float16, the same without visibility."""


@dataclass(frozen=True)
class _Body:
    """A posed body in the camera's frame."""

    vertices: np.ndarray
    rest: np.ndarray
    faces: np.ndarray
    ends: tuple[int, ...]
    """One past the last face of each part."""


def make_view(head: HeadModel, rng: np.random.Generator, size: int) -> HeadView:
    """Draw a person and look at it.

    Args:
        head: the head model.
        rng: where the person comes from.
        size: rows and columns of the picture.
    """
    beta = rng.normal(0, 0.8, len(head.shape_basis))
    psi = _actions(head, rng)
    body, pose = _pose(_build(head, beta, psi, rng), rng)
    focal, centre = pose.camera(size, rng)
    fine = cast(body.vertices, body.faces, 2 * focal, (2 * centre[0], 2 * centre[1]), (2 * size, 2 * size))
    normals = vertex_normals(body.vertices, body.faces)
    count = len(head.template)
    inward = head.regions["mouth_interior"][:, None]
    normals[:count] = (1 - inward) * normals[:count] + inward * pose.rotation[:, 2]
    marks = np.zeros((len(body.vertices), len(MARKS)), np.float32)
    marks[:count] = np.stack([head.regions[name] for name in MARKS], -1)
    part = np.searchsorted(body.ends, fine.triangle, side="right")
    seen = fine.mask[..., None].astype(np.float32)
    columns = np.concatenate(
        [seen, interpolate(fine, normals, body.faces), interpolate(fine, marks, body.faces),
         np.stack([(part == k) * fine.mask for k in range(4)], -1)], -1
    )  # fmt: skip
    small = np.concatenate([shrink(columns[..., k : k + 4], size) for k in range(0, columns.shape[-1], 4)], -1)
    alpha = small[..., 0]
    inside = np.flatnonzero(alpha.reshape(-1) > 0.02)
    small = small.reshape(size * size, -1)[inside] / np.maximum(alpha.reshape(-1)[inside, None], 1e-3)
    normal = small[:, 1:4] / np.maximum(np.linalg.norm(small[:, 1:4], axis=1, keepdims=True), 1e-6)
    normal[:, 2] = np.maximum(normal[:, 2], 0.02)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    some = Hits(fine.triangle[1::2, 1::2], fine.bary[1::2, 1::2], fine.depth[1::2, 1::2])
    rest, points, flat = (
        _filled(interpolate(some, values, body.faces), some.mask).reshape(-1, 3)[inside]
        for values in (body.rest, body.vertices.astype(np.float32), normals)
    )
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0].astype(np.float32)
    directions = sphere_directions(DIRECTIONS) @ turn
    fitted, transfers = _fit(head, beta, psi, pose, rng, focal, centre, size, small, normal, inside)
    marked, parted = np.split(small[:, 4:].astype(np.float16), [len(MARKS)], 1)
    return HeadView(
        alpha.astype(np.float16), inside, normal.astype(np.float16), rest, parted, marked,
        _visible(body, points, flat, directions), directions, fitted.astype(np.float16), *transfers,
    )


def _visible(body: _Body, points: np.ndarray, normals: np.ndarray, directions: np.ndarray) -> np.ndarray:
    facing, toward = np.nonzero(normals @ directions.T > -0.2)
    visible = np.zeros((len(points), len(directions)), bool)
    blocked = occluded(body.vertices, body.faces, (points + 2e-3 * normals)[facing], directions[toward])
    visible[facing, toward] = ~blocked
    return np.packbits(visible, axis=1)


def _filled(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Pixels at the edge whose own centre saw nothing take what their neighbours saw."""
    cover = cv2.blur(mask.astype(np.float32), (3, 3))[..., None]
    near = cv2.blur(values * mask[..., None].astype(np.float32), (3, 3)) / np.maximum(cover, 1e-6)
    return np.where(mask[..., None], values, near).astype(np.float32)


def _actions(head: HeadModel, rng: np.random.Generator) -> np.ndarray:
    """[E] a face that speaks, smiles or looks somewhere."""
    count = len(head.expression_names)
    psi = rng.random(count) ** 2 * (rng.random(count) < 0.12)
    for name, most in (("jawOpen", 0.5), ("tongueOut", 0.0), ("eyeBlinkLeft", 0.3)):
        psi[head.index(name)] = most * rng.random() ** 2
    closed = 0.9 if rng.random() < 0.06 else psi[head.index("eyeBlinkLeft")[0]]
    psi[head.index("eyeBlinkLeft", "eyeBlinkRight")] = closed
    return 0.7 * psi


def _build(head: HeadModel, beta: np.ndarray, psi: np.ndarray, rng: np.random.Generator) -> _Body:
    """The unposed body: head, hair and shoulders."""
    vertices = head.vertices(beta, psi)
    pieces: list[_Piece] = [(vertices, head.template, head.faces)]
    thick = rng.uniform(0.003, 0.035)
    long = rng.random() < 0.4
    bald = rng.random() < 0.08
    none: _Piece = (np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    pieces.append(none if bald else _cap(vertices, head.faces, thick + 0.008 * long, rng))
    pieces.append(_curtain(vertices, thick + 0.01, rng) if long and not bald else none)
    pieces.append(_torso(vertices, rng))
    starts = np.cumsum([0, *[len(v) for v, _, _ in pieces]])
    faces = np.concatenate([f + s for (_, _, f), s in zip(pieces, starts, strict=False)])
    ends = tuple(int(n) for n in np.cumsum([len(f) for _, _, f in pieces]))
    return _Body(
        np.concatenate([v for v, _, _ in pieces]).astype(np.float64),
        np.concatenate([r for _, r, _ in pieces]).astype(np.float32), faces, ends,
    )


def _grid_faces(rows: int, columns: int, closed: bool) -> np.ndarray:
    """Triangles of a grid of points whose rows run around; counter-clockwise where columns turn left."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    right = (column + 1) % columns
    a, b = row * columns + column, row * columns + right
    c, d = b + columns, a + columns
    return np.concatenate([np.stack([a, d, c], -1).reshape(-1, 3), np.stack([a, c, b], -1).reshape(-1, 3)])


def _waves(points: np.ndarray, rng: np.random.Generator, length: float, waves: int = 8) -> np.ndarray:
    """[N] smooth noise of deviation 1 over points [N, 3]; ``length`` is about its wave's."""
    turn = rng.normal(size=(3, waves)) * (2 * np.pi / length / np.sqrt(3))
    return np.sin(points @ turn + rng.uniform(0, 2 * np.pi, waves)).sum(1) * np.sqrt(2 / waves)


def _cap(vertices: np.ndarray, faces: np.ndarray, thick: float, rng: np.random.Generator) -> _Piece:
    """Hair on the skull: the skull seen from its middle, thickened above the hairline."""
    rows, columns = 56, 112
    middle = np.array([0.0, 0.01, -0.08])
    polar = np.linspace(0, 0.72 * np.pi, rows)[:, None]
    around = 2 * np.pi * np.arange(columns) / columns
    rays = np.stack(
        [np.sin(polar) * np.sin(around), np.cos(polar) + 0 * around, np.sin(polar) * np.cos(around)], -1
    ).reshape(-1, 3)  # fmt: skip
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(vertices[faces], np.float32))
    start = np.broadcast_to(middle, rays.shape).astype(np.float32).copy()
    reach = scene.run(start, rays.astype(np.float32), query="INTERSECT", output=True)["tfar"]
    reach = np.where(reach < 0.3, reach, 0.09)
    skull = middle + reach[:, None] * rays
    top = vertices[:, 1].max()
    front = rng.uniform(0.50, 0.74) * top + rng.normal(0, 0.1) * np.abs(skull[:, 0]) + 0.004 * _waves(skull, rng, 0.03)
    side = rng.uniform(-0.085, -0.045)
    nape = rng.uniform(-0.09, -0.04)
    ear = rng.uniform(-0.015, 0.02)
    x, y, z = skull.T
    line = np.maximum(y - front, np.minimum(side + 0.35 * np.clip(y - ear, 0, 1) - z, y - ear))
    line = np.maximum(line, np.minimum(-0.105 - z, y - nape))
    lift = thick * np.clip(line / 0.02, -0.6, 1) * (1 + 0.25 * np.clip(_waves(skull, rng, 0.06), -1.5, 1.5))
    lift = lift + np.where(line > 0, 0.0015, -0.002)
    shell = skull + lift[:, None] * rays
    triangles = _grid_faces(rows, columns, True)
    return shell, shell.copy(), triangles[(line[triangles] > -0.012).any(1)]


def _curtain(vertices: np.ndarray, thick: float, rng: np.random.Generator) -> _Piece:
    """Long hair that falls from the cap at the back and the sides."""
    rows, columns = 40, 72
    half = np.radians(rng.uniform(95, 135))
    angle = np.linspace(-half, half, columns)[None]
    low = rng.uniform(-0.28, -0.09)
    height = np.linspace(0.05, low, rows)[:, None]
    wide = np.abs(vertices[:, 0]).max() - 0.012 + thick
    deep = 0.098 + thick
    drop = np.clip((0.03 - height) / 0.25, 0, 1)
    flare = 1 + rng.uniform(-0.25, 0.25) * drop
    curl = rng.uniform(0, 0.03) * np.sin(height * rng.uniform(40, 120) + angle * rng.uniform(2, 9)) * drop
    inward = np.clip((height - 0.02) / 0.04, 0, 1) * 0.15
    radius = (flare + curl - inward) * np.ones_like(angle)
    points = np.stack(
        [wide * radius * np.sin(angle), height + 0 * angle, -0.085 - deep * radius * np.cos(angle)], -1
    ).reshape(-1, 3)  # fmt: skip
    points += 0.004 * _waves(points, rng, 0.07)[:, None] * np.array([1, 0, 1])
    return points, points.copy(), _grid_faces(rows, columns, False)[:, ::-1]


def _torso(vertices: np.ndarray, rng: np.random.Generator) -> _Piece:
    """Neck base, shoulders and chest."""
    rows, columns = 40, 96
    neck = vertices[vertices[:, 1] < np.percentile(vertices[:, 1], 4)]
    middle, base = neck[:, 2].mean(), neck[:, 1].mean()
    around = 2 * np.pi * np.arange(columns)[None] / columns
    down = np.linspace(0, 1, rows)[:, None]
    throat = (np.abs(neck[:, 0]).max() - 0.002) * rng.uniform(0.84, 0.98)
    shoulder, slope = rng.uniform(0.165, 0.215), rng.uniform(0.055, 0.085)
    length = rng.uniform(0.0, 0.025)
    out = np.clip((down - 0.2) / 0.35, 0, 1)
    wide = throat + (shoulder - throat) * np.sin(out * np.pi / 2) ** 1.3
    deep = throat + (0.115 - throat) * np.clip((down - 0.2) / 0.3, 0, 1)
    height = base + 0.012 - (length + 0.012) * np.clip(down / 0.2, 0, 1) - slope * out**1.3
    height = height - 0.03 * out * (1 + np.cos(around)) - 0.4 * np.clip(down - 0.5, 0, 1)
    points = np.stack(
        [wide * np.sin(around), height + 0 * around, middle + deep * np.cos(around)], -1
    ).reshape(-1, 3)  # fmt: skip
    folds = np.clip(3 * (down - 0.3), 0, 1).repeat(columns)
    points[:, 2] += folds * 0.003 * _waves(points * np.array([1, 0.4, 1]), rng, 0.09) * np.sign(points[:, 2] - middle)
    return points, points.copy(), _grid_faces(rows, columns, True)


@dataclass(frozen=True)
class _Pose:
    """How the head stands before the camera."""

    rotation: np.ndarray
    trunk: np.ndarray
    shift: np.ndarray
    pivot: np.ndarray

    def move(self, points: np.ndarray, rigid: np.ndarray) -> np.ndarray:
        """Points of the body in the camera's frame; ``rigid`` [N] is 1 on the head and 0 on the shoulders."""
        away = points - self.pivot
        both = [away @ turn.T for turn in (self.rotation, self.trunk)]
        return both[1] + rigid[:, None] * (both[0] - both[1]) + self.pivot + self.shift

    def camera(self, size: int, rng: np.random.Generator) -> tuple[float, tuple[float, float]]:
        """Focal length and principal point, so that the face has a size that clips show."""
        width = size * rng.uniform(0.30, 0.58)
        focal = width * -self.shift[2] / 0.15
        u, v = rng.normal(0.5, 0.06) * size, rng.uniform(0.40, 0.55) * size
        return focal, (u - focal * self.shift[0] / -self.shift[2], v + focal * self.shift[1] / -self.shift[2])


def _turn(angles: np.ndarray) -> np.ndarray:
    """[3, 3] from pitch, yaw and roll."""
    pitch, yaw, roll = (cv2.Rodrigues(axis * angle)[0] for axis, angle in zip(np.eye(3), angles, strict=True))
    return pitch @ yaw @ roll


def _rigid(points: np.ndarray) -> np.ndarray:
    return np.clip((points[:, 1] + 0.135) / 0.05, 0, 1)


def _pose(body: _Body, rng: np.random.Generator) -> tuple[_Body, _Pose]:
    angles = np.clip(rng.normal(0, [0.13, 0.32, 0.08]), -0.8, 0.8)
    distance = rng.uniform(0.55, 1.8)
    trunk = _turn(angles * np.array([0.1, 0.5, 0.2]) + rng.normal(0, [0.03, 0.15, 0.03]))
    pose = _Pose(_turn(angles), trunk, np.array([0, 0, -distance]), np.array([0, -0.13, -0.11]))
    rigid = _rigid(body.rest)
    rigid[np.unique(body.faces[body.ends[2] :])] = 0
    return _Body(pose.move(body.vertices, rigid), body.rest, body.faces, body.ends), pose


def _fit(head, beta, psi, pose: _Pose, rng: np.random.Generator, focal, centre, size, small, normal, inside):
    """What a fit makes of the view: N̂ [S, S, 3], and the transfer with and without visibility [S, S, 9]."""
    beta = beta + rng.normal(0, FIT_SHAPE * rng.random(), len(beta))
    psi = np.clip(psi + rng.normal(0, FIT_ACTIONS * rng.random(), len(psi)) * (rng.random(len(psi)) < 0.4), 0, 1)
    shape = head.vertices(beta, psi).astype(np.float64)
    wrong = _Pose(_turn(rng.normal(0, FIT_TURN * rng.random(), 3)) @ pose.rotation, pose.trunk, pose.shift, pose.pivot)
    placed = wrong.move(shape, _rigid(shape))
    mesh_normals = vertex_normals(placed, head.faces)
    inward = head.regions["mouth_interior"][:, None]
    shown = (1 - inward) * mesh_normals + inward * wrong.rotation[:, 2]
    hits = cast(placed, head.faces, focal, centre, (size, size))
    mesh = interpolate(hits, shown, head.faces)
    true = np.zeros((size * size, 3), np.float32)
    true[inside] = normal
    true = true.reshape(size, size, 3)
    cover = np.zeros(size * size, np.float32)
    cover[inside] = 1
    cover = cover.reshape(size, size)
    bare = np.zeros(size * size, np.float32)
    bare[inside] = small[:, 4 + len(MARKS)]
    bare = bare.reshape(size, size)

    def soft(values: np.ndarray, sigma: float) -> np.ndarray:
        weight = cv2.GaussianBlur(cover, (0, 0), sigma)[..., None]
        return cv2.GaussianBlur(values * cover[..., None], (0, 0), sigma) / np.maximum(weight, 1e-3)

    # The surface that is trained to the clip's outlines knows hair and cloth broadly and the face by its mesh.
    broad = soft(true, size * rng.uniform(0.6, 1.8) * COMB)
    face = np.where(hits.mask[..., None], mesh, broad)
    trust = cv2.GaussianBlur(bare * hits.mask, (0, 0), 0.008 * size)[..., None]
    fitted = broad + trust * (face - broad)
    fitted = _misplaced(fitted, rng, size)
    fitted = soft(fitted, size * rng.uniform(0.002, 0.008))
    waver = np.dstack([_smooth(rng, size) for _ in range(3)]) * np.float32(WAVER * rng.random())
    fitted = fitted + waver
    fitted /= np.maximum(np.linalg.norm(fitted, axis=-1, keepdims=True), 1e-6)
    fitted[..., 2] = np.maximum(fitted[..., 2], 0.02)
    fitted = cover[..., None] * fitted + (1 - cover[..., None]) * np.array([0, 0, 1], np.float32)
    fitted /= np.linalg.norm(fitted, axis=-1, keepdims=True)
    open_ = np.maximum.reduce([head.regions[name] for name in OPEN_MARKS])[:, None]
    shadowed, free = transfer(shape, vertex_normals(shape, head.faces), head.faces, 128)
    shadowed = shadowed + open_ * (free - shadowed)
    constant = np.zeros(9, np.float32)
    constant[0] = 3.5449
    maps = []
    for values in (shadowed, free):
        turned = sh.rotate(values.T, wrong.rotation).T.astype(np.float32)
        found = interpolate(hits, turned, head.faces)
        maps.append((found + (1 - hits.mask[..., None]) * constant).astype(np.float16))
    return fitted, maps


def _smooth(rng: np.random.Generator, size: int, cells: int = 7) -> np.ndarray:
    """[S, S] smooth noise of deviation about 1."""
    return cv2.resize(rng.normal(size=(cells, cells)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)


def _misplaced(values: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """A map whose features lie a little beside their place."""
    much = WARP * size * rng.random()
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    return cv2.remap(
        values.astype(np.float32), x + np.float32(much) * _smooth(rng, size), y + np.float32(much) * _smooth(rng, size),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
