"""The pictures of the report: some frames of the clip, and what was found in each."""

from __future__ import annotations

import numpy as np

from ..events import Reporter
from ..face.matte import foreground
from ..face.observation import Observer
from ..geometry.raster import interpolate
from ..geometry.surface import vertex_normals
from ..lighting.rigs import directional
from ..media.images import encode_uint8, srgb_to_linear
from ..reflectance.passes import read_frame_passes
from ..reflectance.relight import BakedLight, bake, compose, decompose, relight
from .person import Person

TILE = 192
TINTS = {
    "skin": (235, 120, 100), "lips": (220, 40, 90), "eyes": (60, 170, 255), "mouth": (120, 0, 40),
    "teeth": (255, 255, 255), "brows": (90, 60, 20), "ears": (255, 200, 80), "neck": (250, 160, 60),
    "hair": (150, 100, 220), "beard": (230, 90, 230), "cloth": (70, 160, 110), "hands": (0, 220, 220),
    "other": (255, 0, 0),
}  # fmt: skip
GREEN = np.array([0, 177, 64], np.float32)


def strips(person: Person, chosen: np.ndarray, points: np.ndarray, reporter: Reporter) -> dict[str, np.ndarray]:
    """Rows of tiles.

    Args:
        person: the trained subject.
        chosen: [N] frames.
        points: [T, 478, 2] landmarks of the fitted head, pixels.
        reporter: hears the progress and may cancel.

    Returns:
        Name of the row to [TILE, N * TILE, 3] uint8.
    """
    import cv2

    exponent = person.reflectance.specular_exponent()
    lamps = bake(person.light, exponent), bake(directional(65, 25, 2.0), exponent)
    rows: dict[str, list[np.ndarray]] = {}
    with person.observer() as observer:
        for index in reporter.steps("report", chosen):
            for name, picture in _pictures(person, observer, int(index), points[index], *lamps).items():
                tile = cv2.resize(np.clip(picture, 0, 255).astype(np.uint8), (TILE, TILE), interpolation=cv2.INTER_AREA)
                rows.setdefault(name, []).append(tile)
    return {name: np.concatenate(tiles, 1) for name, tiles in rows.items()}


def _pictures(
    person: Person, observer: Observer, index: int, points: np.ndarray, source: BakedLight, side: BakedLight
) -> dict[str, np.ndarray]:
    """Name to [H, W, 3], 0..255."""
    rgb, found = person.frames[index], read_frame_passes(person.subject.passes_dir, index)
    seen = observer.observe(index, rgb, alpha=found.alpha)
    alpha = found.alpha[..., None]
    image = srgb_to_linear(rgb.astype(np.float32) / 255).astype(np.float32)
    frame = compose(image, found, person.shadow.at(seen.hits, person.fit.rotation[index]))
    parts = decompose(frame, source)
    lit = relight(frame, source, side, parts)
    tinted = sum(seen.regions[name][..., None] * np.array(tint) for name, tint in TINTS.items() if name in seen.regions)
    return {
        "clip": rgb,
        "the fitted head over it": _draped(rgb, person, observer, index, points),
        "normal": (found.normal * 127 + 128) * alpha,
        "regions": 0.4 * rgb + 0.6 * tinted,
        "matte, over green": _over(foreground(rgb, found.alpha, person.backdrop), alpha, GREEN),
        "albedo": encode_uint8(parts.albedo * alpha),
        "lit from the side": encode_uint8(lit.beauty * alpha),
    }


def _over(front: np.ndarray, alpha: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """A linear picture over a colour 0..255, encoded."""
    return encode_uint8(front * alpha + srgb_to_linear(colour / 255) * (1 - alpha))


def _draped(rgb: np.ndarray, person: Person, observer: Observer, index: int, points: np.ndarray) -> np.ndarray:
    """The frame with the fitted head as grey clay half over it, and the landmarks on it."""
    import cv2

    hits, vertices = observer.hits(index)
    faces = person.head.faces
    normals = interpolate(hits, vertex_normals(vertices, faces), faces)
    clay = 60 + 180 * np.clip(normals @ np.array([0.4, 0.4, 0.82], np.float32), 0, 1)[..., None]
    share = 0.6 * hits.mask[..., None]
    scale = max(1, round(2 * TILE / rgb.shape[0]))
    mixed = cv2.resize((rgb * (1 - share) + clay * share).astype(np.uint8), None, fx=scale, fy=scale)
    for x, y in points * scale:
        cv2.circle(mixed, (int(x), int(y)), max(1, mixed.shape[0] // 350), (40, 200, 90), -1)
    return mixed
