"""How steady the albedo is at the same points of a face, frame by frame, and how near the truth."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.media.images import read_exr, srgb_to_linear
from relitalk_engine.pipeline.base import VideoBase, open_video
from relitalk_engine.pipeline.person import Person
from relitalk_engine.reflectance.passes import read_frame_passes
from relitalk_engine.reflectance.relight import bake, compose, decompose
from relitalk_engine.reflectance.texels import Texels, look_up
from relitalk_engine.subject import Subject

from . import runs
from .clips import QUIET

APART = ("eye_l", "eye_r", "eye_cavity", "mouth_interior", "lips", "ears", "scalp", "neck")
RIM = 0.012
"""Metres around the eyes that are left out: lids and lashes close over what is behind them."""
EDGE = 0.015
"""Width of what is left out along hair, as a share of the image's."""
FACING = 0.35
SEEN = 0.6
"""Share of the frames that must see a point."""
TEXTURE = 256


def figures(again: bool) -> Iterator[str]:
    """Steadiness on a rendered and a real clip; the rendered person's albedo against its truth."""
    folder = runs.data("synthetic/subject_a")
    for name, clip in (("subject_a", folder / "train.mp4"), ("hdtf_a", runs.data("real/hdtf_a.mp4"))):
        person = Person(Subject.open(runs.subject(clip, name, again)))
        yield f"{name}: deviation over time at fixed points of the face, {shimmer(person)}"
        if name == "subject_a":
            frames = json.loads((folder / "relight.json").read_text())["frames"]
            with tempfile.TemporaryDirectory() as scratch:
                base = open_video(person, folder / "test.mp4", 0.0, Path(scratch) / "base.mkv", QUIET, True)
                yield f"{name}: {against_truth(person, folder, base, frames)}"
                base.close()
        person.frames.close()


@dataclass(frozen=True)
class Shimmer:
    """Deviation over time of the logarithm at points of the face, root of the mean square."""

    albedo: float
    video: float
    points: int

    def __str__(self) -> str:
        share = self.albedo / max(self.video, 1e-9)
        return f"albedo {self.albedo:.3f}, video {self.video:.3f}: {share:.2f} of it, at {self.points} points"


def face_points(head: HeadModel) -> Texels:
    """Points of the face's skin, an even part of the texels that show it."""
    texels = Texels.of(head, TEXTURE)
    apart = texels.read(np.maximum.reduce([head.regions[name] for name in APART])[:, None])[:, 0]
    places = texels.read(head.template)
    eyes = head.template[np.maximum(head.regions["eye_l"], head.regions["eye_r"]) > 0.5]
    rim = np.min([np.linalg.norm(places - eye, axis=1) for eye in eyes[::4]], axis=0)
    chosen = (apart < 0.05) & (rim > RIM) & (places[:, 2] > -0.07) & (places[:, 1] > -0.12)
    return Texels(TEXTURE, texels.places[chosen], texels.triangle[chosen], texels.bary[chosen], head.faces)


def shimmer(person: Person, step: int = 4) -> Shimmer:
    """Over the subject's own clip, every `step`-th frame.

    Args:
        person: a trained subject.
        step: frames between two that are looked at.
    """
    source = bake(person.light, person.reflectance.specular_exponent())
    points, fit = face_points(person.head), person.fit
    seen, painted, filmed = [], [], []
    with person.observer() as observer:
        for index in range(0, person.subject.info.frames, step):
            rgb, passes = person.frames[index], read_frame_passes(person.subject.passes_dir, index)
            found = observer.observe(index, rgb, alpha=passes.alpha)
            image = srgb_to_linear(rgb.astype(np.float32) / 255)
            frame = compose(image, passes, person.shadow.at(found.hits, fit.rotation[index]))
            view = points.view(fit.vertices(person.head, index), found.hits, fit.project)
            edge = np.ones([round(EDGE * rgb.shape[1])] * 2)
            skin = cv2.erode(found.regions["skin"] * (passes.alpha > 0.99), edge)
            seen.append((view.facing > FACING) & (look_up(skin, view.pixels)[:, 0] > 0.9))
            painted.append(look_up(decompose(frame, source).albedo, view.pixels))
            filmed.append(look_up(image, view.pixels))
    often = np.mean(seen, 0) >= SEEN
    return Shimmer(_deviation(painted, seen, often), _deviation(filmed, seen, often), int(often.sum()))


def _deviation(values: list[np.ndarray], seen: list[np.ndarray], often: np.ndarray) -> float:
    """[T, N, 3] linear -> root mean square of what leaves the mean over time of the logarithm."""
    logs = np.log(np.maximum(np.stack(values)[:, often], 1e-3))
    weight = np.stack(seen)[:, often, None].astype(float)
    mean = (logs * weight).sum(0) / weight.sum(0)
    return float(np.sqrt(((logs - mean) ** 2 * weight).sum() / (3 * weight.sum())))


@dataclass(frozen=True)
class Likeness:
    """Albedo against the truth, on skin."""

    gain: np.ndarray
    """[3] found over true, in the mean of the logarithm."""
    error: float
    """Root mean square of the linear difference after one gain for the clip, over the true mean."""
    deviation: float
    """Of the logarithm's difference, after one gain."""
    energy: float
    """Of the gradient, found over true, both over their mean."""

    def __str__(self) -> str:
        gains = ", ".join(f"{value:.2f}" for value in self.gain)
        return (
            f"skin albedo over the true {gains}; scale-invariant error {self.error:.3f}, of the logarithm "
            f"{self.deviation:.3f}; gradient energy {self.energy:.2f} of the true"
        )


def likeness(pairs: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Likeness:
    """Albedo found [H, W, 3], true [H, W, 3] and skin [H, W] bool, frame by frame."""
    found, true, mine, right = [], [], 0.0, 0.0
    for albedo, truth, skin in pairs:
        found.append(albedo[skin])
        true.append(truth[skin])
        inner = cv2.erode(skin.astype(np.uint8), np.ones((5, 5))) > 0
        mine += _energy(albedo.mean(-1) / albedo[skin].mean(), inner)
        right += _energy(truth.mean(-1) / truth[skin].mean(), inner)
    one, other = np.concatenate(found), np.concatenate(true)
    away = np.log(np.maximum(one, 1e-3)) - np.log(np.maximum(other, 1e-3))
    scale = (one * other).sum() / (one * one).sum()
    error = np.sqrt(((scale * one - other) ** 2).mean()) / other.mean()
    return Likeness(np.exp(away.mean(0)), float(error), float(away.std()), mine / right)


def _energy(values: np.ndarray, where: np.ndarray) -> float:
    across, down = np.diff(values, axis=1)[:-1], np.diff(values, axis=0)[:, :-1]
    return float((across**2 + down**2)[where[:-1, :-1]].sum())


def true_albedo(path: Path) -> np.ndarray:
    """[H, W, 3] "Diffuse Color" of a Cycles render's passes."""
    channels = read_exr(path)
    return np.stack([next(v for k, v in channels.items() if k.endswith(f"Diffuse Color.{c}")) for c in "RGB"], -1)


def against_truth(person: Person, truth: Path, base: VideoBase, frames: list[int]) -> Likeness:
    """The decomposition of the test frames against the render's own albedo.

    Args:
        person: the subject.
        truth: folder laid out as data/synthetic/subject_a.
        base: the test clip, opened (`pipeline.base.open_video`).
        frames: those that have passes.
    """
    source = bake(person.light, person.reflectance.specular_exponent())
    fit = base.fit
    x, y, width, height = base.crop

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        with person.observer(fit, base.backdrop) as observer:
            for index in frames:
                rgb = base.rgb(index)
                seen = observer.observe(index, rgb)
                passes, shadow = person.decompose(rgb, seen, fit.rotation[index])
                image = srgb_to_linear(rgb.astype(np.float32) / 255)
                albedo = decompose(compose(image, passes, shadow), source).albedo
                true = true_albedo(truth / "passes" / f"{index:05d}.exr")[y : y + height, x : x + width]
                opaque = cv2.imread(str(truth / "opaque" / f"{index:05d}.png"), 0)[y : y + height, x : x + width]
                yield albedo, true, (seen.regions["skin"] > 0.9) & (true.min(-1) > 0.02) & (opaque > 127)

    return likeness(pairs())
