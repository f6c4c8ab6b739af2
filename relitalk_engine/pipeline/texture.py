"""The head for other renderers: its mesh with one shape per action, and the clip's albedo in its UV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..events import Reporter
from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..face.matte import foreground
from ..face.observation import Observer
from ..geometry.raster import cast
from ..media.images import encode_uint8, write_png
from ..reflectance.albedo_texture import Samples
from ..reflectance.passes import read_frame_passes
from ..reflectance.relight import bake, compose, decompose
from ..reflectance.texels import Texels, corner_uv, filled, look_up
from .person import ALBEDO, Person, add_weights

SIZE = 1024
FRAMES = 8
"""Frames from the front that the picture is taken from."""
POSES = 32
"""Frames of the clip, evenly drawn, that the albedo is solved over."""


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


def solve_albedo(person: Person, observer: Observer, reporter: Reporter) -> None:
    """Solve one albedo texture over all poses of the clip, and keep it among the subject's weights.

    Args:
        person: the subject, whose networks are trained.
        observer: of the clip's frames.
        reporter: hears the progress and may cancel.
    """
    fit, light = person.fit, np.asarray(person.light.sh, np.float32)
    samples = Samples.of(person.head)
    usable = np.flatnonzero(fit.valid) if fit.valid.any() else np.arange(len(fit))
    chosen = usable[np.unique(np.linspace(0, len(usable) - 1, min(POSES, len(usable))).round().astype(int))]
    for index in reporter.steps("albedo", [int(k) for k in chosen]):
        rgb = person.frames[index]
        seen = observer.observe(index, rgb)
        visible = person.shadow.at(seen.hits, fit.rotation[index])(light)
        look = person.reflectance.look(rgb, seen.normal, seen.alpha, seen.regions, visible)
        samples.add(look, seen.hits, fit.vertices(person.head, index), fit.project)
    person.albedo = samples.solve()
    if person.albedo is not None:
        add_weights(person.subject, {ALBEDO + name: value for name, value in person.albedo.tensors().items()})


def write_texture(path: Path, person: Person) -> None:
    """The clip's albedo in the head's UV, an sRGB PNG; where no frame shows the head, its surroundings go on.

    Args:
        path: the file.
        person: the subject.
    """
    fit, head = person.fit, person.head
    texels = Texels.of(head, SIZE)
    source = bake(person.light, person.reflectance.specular_exponent())
    eyes = texels.read(np.maximum(head.regions["eye_l"], head.regions["eye_r"])[:, None])[:, 0]
    chosen = _chosen(fit)
    open_eyed = min(chosen, key=lambda index: fit.psi[index][_eye_actions(head)].sum())
    found = np.zeros((len(texels), 4), np.float32)
    for index in chosen:
        vertices = fit.vertices(head, index)
        hits = cast(vertices, head.faces, fit.focal, fit.center, fit.size)
        shadow = person.shadow.at(hits, fit.rotation[index])
        passes = read_frame_passes(person.subject.passes_dir, index)
        image = foreground(person.frames[index], passes.alpha, person.backdrop)
        albedo = decompose(compose(image, passes, shadow), source).albedo
        view = texels.view(vertices, hits, fit.project)
        seen = look_up(np.dstack([albedo, passes.alpha]), view.pixels)
        trust = view.facing**3 * np.clip(5 * seen[:, 3] - 4, 0, 1)
        if index != open_eyed:  # eyes that look elsewhere would blur into one another
            trust *= np.where(eyes > 0.5, np.float32(0.01), np.float32(1))
        found += trust[:, None] * np.column_stack([seen[:, :3], np.ones_like(trust)])
    write_png(path, encode_uint8(filled(texels.picture(found))))


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
