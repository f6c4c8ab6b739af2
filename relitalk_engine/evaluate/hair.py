"""Strands for a rendered person: hair, brows and lashes, grown from the head's skin. Numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.head_model import HeadModel

POINTS = 10
"""Of each strand."""
UPPER_LIDS = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362))
"""Landmarks along the upper lids."""


@dataclass(frozen=True)
class Style:
    """How hair grows.

    Attributes:
        count: strands.
        length: metres, and its spread as a share.
        lift: how far it stands off the skin, 0..1.
        fall: how soon it hangs down, per metre.
        curl: radius of its curls, metres, and turns along it.
        radius: of a strand, metres.
    """

    count: int
    length: tuple[float, float]
    lift: float
    fall: float
    curl: tuple[float, float]
    radius: float


STYLES = {
    "crop": Style(16000, (0.009, 0.3), 0.75, 0.0, (0.0008, 2.0), 0.00013),
    "curly": Style(16000, (0.024, 0.25), 0.9, 0.0, (0.0025, 4.0), 0.00014),
    "short": Style(16000, (0.055, 0.3), 0.45, 12.0, (0.0015, 1.0), 0.00014),
    "long": Style(18000, (0.24, 0.12), 0.35, 40.0, (0.0035, 1.5), 0.00016),
}


@dataclass(frozen=True)
class Strands:
    """K strands of P points.

    Attributes:
        points: [K, P, 3] at rest, root first.
        radius: [K, P] metres.
        face: [K] the triangle each grows from.
        bary: [K, 3] where in it.
    """

    points: np.ndarray
    radius: np.ndarray
    face: np.ndarray
    bary: np.ndarray


def grow(head: HeadModel, rest: np.ndarray, style: str, rng: np.random.Generator) -> Strands:
    """Hair, brows and upper lashes of a head at rest [V, 3]."""
    parts = [_hair(head, rest, STYLES[style], rng), _brows(head, rest, style, rng), _lashes(head, rest, rng)]
    names = ("points", "radius", "face", "bary")
    return Strands(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _normals(rest: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (rest[faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    total = np.zeros_like(rest)
    for i in range(3):
        np.add.at(total, faces[:, i], cross)
    return total / np.maximum(np.linalg.norm(total, axis=-1, keepdims=True), 1e-12)


def _roots(
    head: HeadModel, rest: np.ndarray, weight: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Triangles, barycentric places, points and normals of `count` roots drawn by area and weight [V]."""
    corners = rest[head.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1)
    area *= (weight[head.faces].mean(1) > 0.05)
    draws = rng.choice(len(area), count * 3, p=area / area.sum())
    bary = rng.dirichlet((1, 1, 1), len(draws))
    keep = rng.random(len(draws)) < (weight[head.faces[draws]] * bary).sum(1)
    face, bary = draws[keep][:count], bary[keep][:count]
    points = (corners[face] * bary[..., None]).sum(1)
    normals = (_normals(rest, head.faces)[head.faces[face]] * bary[..., None]).sum(1)
    return face, bary, points, normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def _hair(head: HeadModel, rest: np.ndarray, style: Style, rng: np.random.Generator) -> Strands:
    weight = np.clip(1.6 * head.regions["scalp"] - 0.3, 0, 1)
    face, bary, root, normal = _roots(head, rest, weight, style.count, rng)
    count = len(root)
    scalp = rest[head.regions["scalp"] > 0.5]
    middle, half = (scalp.max(0) + scalp.min(0)) / 2, (scalp.max(0) - scalp.min(0)) / 2 + 0.004
    crown = middle + (0.0, half[1], -0.3 * half[2])
    away = root - crown
    comb = away - (away * normal).sum(-1, keepdims=True) * normal  # away from the crown, along the skin
    parting = np.stack([np.sign(root[:, 0] - 0.012), np.zeros(count), np.full(count, -0.35)], -1)
    comb = _unit(_unit(comb) + (1.2 * parting if style.fall > 20 else 0.0))
    length = style.length[0] * np.exp(rng.normal(0, style.length[1], count)).clip(0.3, 1.6)
    step = (length / (POINTS - 1))[:, None]
    clump = np.floor(root / 0.006)
    noise = np.stack([np.sin((clump * (12.9, 78.2, 37.7)).sum(-1) * k) for k in (1.0, 1.7, 2.3)], -1)
    stray = 0.45 * noise + rng.normal(0, 0.12, (count, 3))
    direction = _unit(style.lift * normal + (1 - style.lift) * comb + 0.5 * stray)
    place, points, spread = root.copy(), [root], rng.random(count)
    for _ in range(POINTS - 1):
        pull = 1 - np.exp(-style.fall * step)
        direction = _unit(direction * (1 - pull) + pull * (0.12 * comb + np.array([0.0, -1.0, 0.0]) + 0.10 * stray))
        place = place + step * direction
        depth = (place - middle) / half
        inside = np.linalg.norm(depth, axis=-1, keepdims=True)
        lifted = 1.02 + 0.10 * rng.random((count, 1)) if style.fall > 20 else 1.005
        low = np.clip((place[:, 1:2] - middle[1] + half[1]) / half[1], 0, 1)
        outside = middle + (place - middle) * np.where(inside < lifted, lifted / np.maximum(inside, 0.3), 1.0)
        place = place * (1 - low) + outside * low
        if style.fall > 20:  # long hair is put behind the cheeks
            beside = np.clip((0.075 - place[:, 1]) / 0.06, 0, 1) * np.clip((place[:, 2] + 0.07) / 0.05, 0, 1)
            wide = (0.074 + 0.010 * spread) * beside
            place[:, 0] = np.where(root[:, 0] > 0.012, 1, -1) * np.maximum(np.abs(place[:, 0]), wide)
        points.append(place)
    path = np.stack(points, 1)
    along = np.linspace(0, 1, POINTS)[:, None]
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1)) if style.curl[1] > 3 else noise[:, :1, None] * 3
    turns = 2 * np.pi * style.curl[1] * along[None] + phase
    side = _unit(np.cross(normal, comb))[:, None]
    path = path + style.curl[0] * np.minimum(along * 3, 1) * (np.sin(turns) * side + np.cos(turns) * normal[:, None])
    thick = style.radius * (1 - 0.6 * np.linspace(0, 1, POINTS) ** 3)
    return Strands(path, np.broadcast_to(thick, path.shape[:2]).copy(), face, bary)


def _brows(head: HeadModel, rest: np.ndarray, style: str, rng: np.random.Generator) -> Strands:
    weight = np.clip(head.regions["brows"] * 1.3 - 0.15, 0, 1)
    face, bary, root, normal = _roots(head, rest, weight, 900 if style == "long" else 1500, rng)
    outward = np.stack([np.sign(root[:, 0]), np.full(len(root), 0.30), np.zeros(len(root))], -1)
    outward[:, 1] += 0.6 * (np.abs(root[:, 0]) < 0.022)
    direction = _unit(outward - (outward * normal).sum(-1, keepdims=True) * normal + 0.22 * normal)
    direction = _unit(direction + rng.normal(0, 0.15, direction.shape))
    along = np.linspace(0, 1, POINTS)[None, :, None]
    length = rng.uniform(0.005, 0.009, (len(root), 1, 1))
    path = root[:, None] + length * (along * direction[:, None] - 0.25 * along**2 * normal[:, None])
    thick = 0.00011 * (1 - 0.7 * np.linspace(0, 1, POINTS))
    return Strands(path, np.broadcast_to(thick, path.shape[:2]).copy(), face, bary)


def _lashes(head: HeadModel, rest: np.ndarray, rng: np.random.Generator) -> Strands:
    lids = head.at_landmarks(rest)
    triangles, places = head.landmark_triangle, head.landmark_bary
    paths, faces, barys = [], [], []
    for line in UPPER_LIDS:
        knots = lids[list(line)]
        middle = knots.mean(0)
        for at in rng.uniform(0, len(line) - 1.001, 70):
            k, share = int(at), at - int(at)
            root = (1 - share) * knots[k] + share * knots[k + 1]
            out = _unit((root - middle) * (1.2, 0.4, 0.0) + np.array([0.0, 0.004, 0.012]))
            along = np.linspace(0, 1, POINTS)[:, None]
            paths.append(root + 0.0075 * (along * out + 0.4 * along**2 * np.array([0.0, 1.0, 0.0])))
            nearest = line[k if share < 0.5 else k + 1]
            faces.append(triangles[nearest])
            barys.append(places[nearest])
    path = np.array(paths)
    thick = 0.00009 * (1 - 0.7 * np.linspace(0, 1, POINTS))
    return Strands(path, np.broadcast_to(thick, path.shape[:2]).copy(), np.array(faces), np.array(barys))
