"""The head for other renderers: its mesh with one shape per action, and the clip's albedo in its UV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..face.matte import foreground
from ..geometry.raster import Hits, cast, interpolate
from ..geometry.surface import vertex_normals
from ..media.images import encode_uint8, write_png
from ..reflectance.passes import read_frame_passes
from ..reflectance.relight import bake, compose, decompose
from .person import Person

SIZE = 1024
FRAMES = 8
SEAM = 0.1
"""Longest edge in UV of a triangle that lies on one island."""
SAME_SURFACE = 0.006
"""Metres between a texel's point and what the camera sees there, up to which they are one surface."""


def write_head(path: Path, head: HeadModel, fit: HeadFit, shift: tuple[float, float]) -> None:
    """The fitted head as `head.npz`: everything that it takes to build and to move it without the engine.

    Args:
        path: the file.
        head: the model.
        fit: its shape and its camera.
        shift: the crop's place in the take's frames, pixels.
    """
    np.savez_compressed(
        path,
        neutral=fit.shape(head, np.zeros(len(head.expression_names), np.float32)),
        actions=head.expression_basis.astype(np.float16),
        names=np.array(head.expression_names),
        faces=head.faces.astype(np.int32),
        uv=corner_uv(head).astype(np.float32),
        camera=np.array([fit.focal, fit.center[0] + shift[0], fit.center[1] + shift[1]], np.float32),
    )


def corner_uv(head: HeadModel) -> np.ndarray:
    """UV of every corner of every triangle, [F, 3, 2]; a triangle across a seam keeps to one of its islands."""
    uv = head.uv[head.faces].astype(float)
    across = np.abs(uv - np.roll(uv, 1, axis=1)).max((1, 2)) > SEAM
    middle = np.median(uv[across], axis=1, keepdims=True)  # nearest to where most of its corners lie
    home = np.abs(uv[across] - middle).sum(-1).argmin(1)
    uv[across] = uv[across][np.arange(len(home)), home][:, None]
    return uv


def write_texture(path: Path, person: Person) -> None:
    """The clip's albedo in the head's UV, an sRGB PNG; where no frame shows the head, its surroundings go on.

    Args:
        path: the file.
        person: the subject.
    """
    fit, head = person.fit, person.head
    uv = corner_uv(head)
    corners = np.dstack([uv - 0.5, np.full_like(uv[..., :1], -1.0)]).reshape(-1, 3)
    apart = np.arange(len(corners)).reshape(-1, 3)
    texels, places = _packed(cast(corners, apart, SIZE, (SIZE / 2, SIZE / 2), (SIZE, SIZE)))
    source = bake(person.light, person.reflectance.specular_exponent())
    eyes = interpolate(texels, np.maximum(head.regions["eye_l"], head.regions["eye_r"])[:, None], head.faces)[..., 0]
    chosen = _chosen(fit)
    open_eyed = min(chosen, key=lambda index: fit.psi[index][_eye_actions(head)].sum())
    found = np.zeros((*texels.triangle.shape, 4), np.float32)
    for index in chosen:
        vertices = fit.vertices(head, index)
        hits = cast(vertices, head.faces, fit.focal, fit.center, fit.size)
        shadow = person.shadow.at(hits, fit.rotation[index])
        passes = read_frame_passes(person.subject.passes_dir, index)
        image = foreground(person.frames[index], passes.alpha, person.backdrop)
        albedo = decompose(compose(image, passes, shadow), source).albedo
        normals = vertex_normals(vertices, head.faces)
        surface = interpolate(texels, np.concatenate([vertices, normals], 1), head.faces)
        point, normal = surface[..., :3], surface[..., 3:]
        seen, trust = _look(albedo, hits.depth, passes.alpha, fit.project(point), -point[..., 2])
        towards = -point / np.linalg.norm(point, axis=-1, keepdims=True)
        trust *= np.clip((normal * towards).sum(-1), 0, 1) ** 3
        if index != open_eyed:  # eyes that look elsewhere would blur into one another
            trust *= np.where(eyes > 0.5, np.float32(0.01), np.float32(1))
        found += trust[..., None] * np.dstack([seen, np.ones_like(trust)])
    picture = np.zeros((SIZE * SIZE, 4), np.float32)
    picture[places] = found.reshape(-1, 4)[: len(places)]
    write_png(path, encode_uint8(_filled(picture.reshape(SIZE, SIZE, 4))))


def _packed(texels: Hits) -> tuple[Hits, np.ndarray]:
    """The hits alone, in rows of the texture's width that are filled up with more of them; and where each belongs."""
    places = np.flatnonzero(texels.mask)
    wanted = np.resize(places, (-(-len(places) // SIZE), SIZE))
    triangle, depth = (values.reshape(-1)[wanted] for values in (texels.triangle, texels.depth))
    return Hits(triangle, texels.bary.reshape(-1, 3)[wanted], depth), places


def _chosen(fit: HeadFit) -> list[int]:
    """Frames that show the head from the front, and the two that show most of each side."""
    side = fit.rotation[:, 0, 2]
    usable = np.flatnonzero(fit.valid)
    if not len(usable):
        return [0]
    front = usable[np.argsort(np.abs(side[usable]), kind="stable")]
    spread = front[: max(len(front) // 3, 1)]
    chosen = np.sort(spread)[np.linspace(0, len(spread) - 1, min(FRAMES, len(spread))).round().astype(int)]
    turned = usable[[side[usable].argmin(), side[usable].argmax()]]
    return [int(index) for index in np.unique(np.concatenate([chosen, turned]))]


def _eye_actions(head: HeadModel) -> list[int]:
    return [index for index, name in enumerate(head.expression_names) if name.startswith("eye")]


def _look(
    albedo: np.ndarray, depth: np.ndarray, alpha: np.ndarray, pixels: np.ndarray, away: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Albedo at pixels [S, S, 2] and how far to believe it, [S, S]: not where something else is in front."""
    import cv2

    u, v = (pixels[..., k].astype(np.float32) - 0.5 for k in (0, 1))
    seen = cv2.remap(albedo, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    front = cv2.remap(depth, u, v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=np.inf)
    cover = cv2.remap(alpha, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return seen, ((np.abs(front - away) < SAME_SURFACE) * np.clip(5 * cover - 4, 0, 1)).astype(np.float32)


def _filled(picture: np.ndarray) -> np.ndarray:
    """[S, S, 3] from colour times weight and weight: holes take the mean of ever larger surroundings."""
    import cv2

    known = picture[..., 3:]
    sure = np.clip(known / 0.05, 0, 1)
    colour = picture[..., :3] / np.maximum(known, 1e-6)
    if picture.shape[0] <= 4:
        return colour * sure + (1 - sure) * (picture[..., :3].sum((0, 1)) / max(float(known.sum()), 1e-6))
    half = (picture.shape[1] // 2, picture.shape[0] // 2)
    # how often a texel was seen counts little beside whether it was
    small = cv2.resize(np.concatenate([colour * sure, sure], -1), half, interpolation=cv2.INTER_AREA)
    around = cv2.resize(_filled(small), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return colour * sure + (1 - sure) * around
