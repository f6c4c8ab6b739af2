"""What the light does: how fast, exactly and steadily a frame is lit anew, how well the clip's own light is found."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from relitalk_engine.lighting import envmap, lit_sphere
from relitalk_engine.lighting.light import Light
from relitalk_engine.lighting.rigs import directional
from relitalk_engine.media.images import srgb_to_linear
from relitalk_engine.pipeline.base import open_video
from relitalk_engine.pipeline.person import Person
from relitalk_engine.reflectance.passes import read_frame_passes
from relitalk_engine.reflectance.relight import BakedLight, Frame, bake, compose, decompose, relight
from relitalk_engine.subject import Subject

from . import albedo, runs
from .clips import QUIET
from .fidelity import compare_reconstruction

SIZE = 512
ROUGHER = 1.25
"""A frame counts as smooth as the sphere up to so many times its second differences: it has highlights too."""
FRONT = 0.4
"""Least N.z of the normals over which two lights are compared."""


def light(again: bool) -> Iterator[str]:
    """Speed of the element-wise relight, the found light, and what relighting must keep; aims stand beside."""
    yield from speed()
    folder = runs.data("synthetic/subject_a")
    person = Person(Subject.open(runs.subject(folder / "train.mp4", "subject_a", again)))
    exponent = person.reflectance.specular_exponent()
    source = bake(person.light, exponent)
    yield from found_light(source, folder, exponent)
    frame = _frame(person, 20)
    yield from strength(frame, source, exponent)
    yield from turning(frame, source, exponent)
    yield from returned(person)
    yield from steady(person, folder)
    yield from skin(person)
    person.frames.close()


def speed() -> Iterator[str]:
    """One frame of 512² on one core: the look-ups and the sums, without reading and writing."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    normal = lit_sphere.normals(SIZE).astype(np.float32)
    weight = np.full((SIZE, SIZE, 1), 0.03, np.float32)
    picture, open_air = rng.random((SIZE, SIZE, 3), np.float32), np.ones_like(normal)
    frame = Frame(picture, normal, weight, weight + 1, 0 * normal, lambda _: open_air, weight)
    one, two = (bake(directional(az, 20, 1.0), 24.0) for az in (-30, 40))
    took = []
    for _ in range(9):
        began = time.perf_counter()
        found = decompose(frame, one)
        middle = time.perf_counter()
        relight(frame, one, two, found)
        took.append((middle - began, time.perf_counter() - middle))
    cv2.setNumThreads(threads)
    albedo, lit = 1000 * np.median(took, 0)
    yield f"{SIZE}² on one core: albedo {albedo:.0f} ms, relight {lit:.0f} ms"


def found_light(source: BakedLight, folder, exponent: float) -> Iterator[str]:
    """The clip's light against the panorama it was rendered with."""
    scene = json.loads((folder / "train_scene_light.json").read_text())
    panorama = envmap.read_panorama(runs.world_hdri(scene["hdri"]))
    true = bake(Light.from_panorama(panorama, scene["rotation_deg"], scene["strength"]), exponent)
    front = lit_sphere.normals(true.sphere.diffuse.shape[0])[..., 2] > FRONT
    ratio = np.log(source.sphere.diffuse[front] / true.sphere.diffuse[front])
    level = np.exp(np.median(ratio, 0))
    spread = np.abs(ratio - np.median(ratio, 0)).mean(0)
    yield f"clip's light over the true one: {_three(level)}; mean deviation after that gain {_three(100 * spread)} %"


def strength(frame: Frame, source: BakedLight, exponent: float) -> Iterator[str]:
    """Twice the strength against twice the radiance."""
    lamp = directional(40, 20, 1.0)
    one, two = (relight(frame, source, bake(lamp.scaled(k), exponent)).beauty for k in (1.0, 2.0))
    yield f"twice the light over twice the radiance: off by {np.abs(two - 2 * one).max():.1e} at most"


def turning(frame: Frame, source: BakedLight, exponent: float) -> Iterator[str]:
    """A lamp turning by 1 degree: second over first differences, beside an analytic sphere's."""
    azimuths = np.arange(10.0, 16.0)
    shots = np.stack([relight(frame, source, bake(directional(az, 10, 1.0), exponent)).beauty for az in azimuths])
    ball = lit_sphere.normals(frame.image.shape[0])
    spheres = np.stack([np.maximum(ball @ directional(az, 10, 1.0).directional[0], 0) for az in azimuths])
    inside = frame.alpha[..., 0] > 0.9
    mine, theirs = (_roughness(x) for x in (shots[:, inside], spheres))
    yield (
        f"lamp turning by 1°: second differences {mine:.3f} of the first; on an analytic sphere {theirs:.3f}"
        f"   aim: as there   {'reached' if mine <= ROUGHER * theirs else 'MISSED'}"
    )
    steps, white = np.abs(np.diff(shots[:, inside], axis=0)).max(-1), np.abs(np.diff(spheres, axis=0)).max()
    yield (
        f"  a pixel's step for a degree, white facing the lamp being 1: {np.median(steps):.4f} in the median, "
        f"{steps.max():.4f} at most; on the sphere {white:.4f} at most"
    )


def returned(person: Person) -> Iterator[str]:
    """The clip under its own light."""
    yield from (f"{line}   aim 50 dB" for line in compare_reconstruction("subject_a", person.subject.path))


def steady(person: Person, folder: Path) -> Iterator[str]:
    """The albedo over time at fixed points of the face, and against the truth."""
    found = albedo.shimmer(person)
    share = found.albedo / max(found.video, 1e-9)
    yield f"shimmer: {found}   aim 0.5   {'reached' if share <= 0.5 else 'MISSED'}"
    frames = json.loads((folder / "relight.json").read_text())["frames"]
    with tempfile.TemporaryDirectory() as scratch:
        base = open_video(person, folder / "test.mp4", 0.0, Path(scratch) / "base.mkv", QUIET, True)
        like = albedo.against_truth(person, folder, base, frames)
        base.close()
    yield f"{like}   aim of the energy 0.9   {'reached' if like.energy >= 0.9 else 'MISSED'}"


def skin(person: Person) -> Iterator[str]:
    """The gauge's skin, which the truth's albedo can be held against."""
    paint = person.reflectance.skin.cpu().numpy()
    yield f"gauge's skin albedo {_three(paint)}"


def _frame(person: Person, index: int) -> Frame:
    from relitalk_engine.face.observation import Observer

    with Observer(person.head, person.fit) as observer:
        hits, _ = observer.hits(index)
    shadow = person.shadow.at(hits, person.fit.rotation[index])
    return compose(srgb_to_linear(person.frames[index]), read_frame_passes(person.subject.passes_dir, index), shadow)


def _roughness(frames: np.ndarray) -> float:
    first = np.abs(np.diff(frames, axis=0)).mean()
    return float(np.abs(np.diff(frames, 2, axis=0)).mean() / first)


def _three(values: np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in values)
