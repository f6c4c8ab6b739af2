"""How well the head fits: against the rendered person's truth, and against what mediapipe sees on real clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage, signal

from relitalk_engine.config import FitConfig, Preset, load_preset
from relitalk_engine.evaluate import metrics
from relitalk_engine.evaluate.truth import read_truth
from relitalk_engine.face.backdrop import Backdrop, find_backdrop
from relitalk_engine.face.fitting import HeadFit, fit
from relitalk_engine.face.heads import load_head
from relitalk_engine.face.landmarks import Track, track
from relitalk_engine.face.observation import Observer
from relitalk_engine.face.residuals import INNER, fitted_landmarks, reprojection
from relitalk_engine.face.surface.implicit import MovedSurface
from relitalk_engine.face.surface.normals import intersect
from relitalk_engine.face.surface.training import train_surface
from relitalk_engine.face.surface.views import View, view

from .clips import QUIET, REAL, Ready, ready

HEAD = load_head()
SHARE = 0.8
"""Of a real clip that gives the shape; the rest is held out."""
SLOW = 0.3
"""Share of a clip's frames that are its slowest."""
STILL, NOISE = 40, 5.0
"""Frames of a standing picture, and the sensor's noise on them, of 255."""
BLINK = 0.5
"""The lids' action from which an eye counts as closing."""
SLACK = 3
"""Frames by which a blink's peak may be off."""
AIMS = {
    "reprojection, held-out real frames, %": "2.0 or less",
    "head rotation off, degrees": "1.5 or less",
    "lip aperture, correlation": "0.97",
    "lip width, correlation": "0.9",
    "blinks found / true / invented": "all, none",
    "normals over visible skin off, degrees": "12 mesh, 8 surface",
    "silhouette IoU": "0.95",
    "matte, mean absolute error": "0.01",
    "trembling over the tracker's, still": "0.33 or less",
    "trembling over the tracker's, slowest": "",
}


PARTS: dict[str, Callable[[Preset], Preset]] = {
    "whole": lambda preset: preset,
    "mesh only": lambda preset: replace(preset, surface=replace(preset.surface, steps=0)),
    "no relief": lambda preset: replace(preset, fit=replace(preset.fit, relief=0.0)),
    "no contour": lambda preset: replace(preset, fit=replace(preset.fit, contour=0.0)),
    "no photometric": lambda preset: replace(preset, fit=replace(preset.fit, photometric=0.0)),
    "no refinement": lambda preset: replace(preset, fit=replace(preset.fit, refine=0.0)),
    "no temporal": lambda preset: replace(preset, fit=replace(preset.fit, smooth=0.0)),
}
"""The whole, and what is left out of it."""


def head(again: bool) -> Iterator[str]:
    """The table, and the same with each part of the fit left out."""
    preset = load_preset("standard")
    columns = {label: _column(change(preset), again) for label, change in PARTS.items()}
    yield f"{'':40}" + "".join(f"{label:>17}" for label in columns) + "   aim"
    for row in AIMS:
        yield f"{row:40}" + "".join(f"{column.get(row, '-'):>17}" for column in columns.values()) + f"   {AIMS[row]}"


def _column(preset: Preset, again: bool) -> dict[str, str]:
    """All figures of one way to fit."""
    real = [_real(ready(f"real/{name}", again), preset.fit) for name in REAL]
    train, test = (ready(f"synthetic/subject_a/{name}", again) for name in ("train", "test"))
    shape = _fit(train, preset.fit)
    fitted = _fit(test, preset.fit, shape)
    column = {
        "reprojection, held-out real frames, %": " ".join(f"{100 * error:.1f}" for error, _ in real),
        "trembling over the tracker's, still": f"{np.mean([_still(ready(f'real/{n}'), preset.fit) for n in REAL]):.2f}",
        "trembling over the tracker's, slowest": f"{np.mean([calm for _, calm in real]):.2f}",
    }
    return column | _motion(((train, shape), (test, fitted))) | _pictures(train, shape, test, fitted, preset)


def _fit(clip: Ready, config: FitConfig, known: HeadFit | None = None, part: slice = slice(None)) -> HeadFit:
    """Fit a part of a clip, with the shape of an earlier fit if given."""
    first = part.indices(len(clip))[0]
    depth = None if clip.track.depth is None else clip.track.depth[part]
    followed = Track(clip.track.points[part], clip.track.valid[part], 1, depth)
    return fit(
        followed, HEAD, clip.size, config, QUIET, known, fps=float(clip.fps), frames=lambda i: clip.frames[first + i]
    )


def _real(clip: Ready, config: FitConfig) -> tuple[float, float]:
    """Reprojection error on the held-out end of a clip, and trembling there over the tracker's."""
    cut = int(SHARE * len(clip))
    shape = _fit(clip, config, None, slice(0, cut))
    fitted = _fit(clip, config, shape, slice(cut, None))
    points, tracked = fitted_landmarks(HEAD, fitted), clip.track.points[cut:]
    error = np.sqrt((reprojection(points, tracked)[fitted.valid] ** 2).mean())
    return float(error), _trembling(points, tracked)


def _trembling(points: np.ndarray, tracked: np.ndarray) -> float:
    """Second difference in time of the inner landmarks in the slowest frames, over the tracker's own."""
    smooth = ndimage.gaussian_filter1d(tracked[:, INNER], 3, axis=0)
    speed = np.linalg.norm(np.gradient(smooth, axis=0), axis=-1).mean(1)[1:-1]
    slow = speed <= np.quantile(speed, SLOW)
    mine, raw = (np.abs(np.diff(x[:, INNER], 2, axis=0))[slow].mean() for x in (points, tracked))
    return float(mine / raw)


@cache
def _standing(clip: Ready) -> Track:
    """What the tracker sees of `_noisy` frames."""
    return track((_noisy(clip, index) for index in range(STILL)), STILL, QUIET)


def _noisy(clip: Ready, index: int) -> np.ndarray:
    """One frame of the clip, the same again and again, under fresh noise."""
    picture = clip.frames[len(clip) // 5].astype(np.float32)
    noise = np.random.default_rng(index).normal(0, NOISE, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _still(clip: Ready, config: FitConfig) -> float:
    """Trembling where nothing moves, over the tracker's own."""
    followed = _standing(clip)
    config = replace(config, photometric=0.0)
    fitted = fit(
        followed, HEAD, clip.size, config, QUIET, fps=float(clip.fps), frames=lambda index: _noisy(clip, index)
    )
    points = fitted_landmarks(HEAD, fitted)
    mine, raw = (np.abs(np.diff(x[:, INNER], 2, axis=0)).mean() for x in (points, followed.points))
    return float(mine / raw)


def _motion(pairs: tuple[tuple[Ready, HeadFit], ...]) -> dict[str, str]:
    """Rotation, lips and lids against the rendered person's truth, over both its clips."""
    turns, aperture, width, blinks = [], [], [], np.zeros(3, int)
    for clip, fitted in pairs:
        truth = np.load(clip.path.with_name(f"{clip.path.stem}_truth.npz"))
        turns.append(_rotation_error(fitted.rotation, truth["head_rotation"]))
        lips = np.stack([HEAD.at_landmarks(fitted.shape(HEAD, psi)) for psi in fitted.psi])
        gap, span = np.abs(lips[:, 13, 1] - lips[:, 14, 1]), np.linalg.norm(lips[:, 61] - lips[:, 291], axis=-1)
        aperture.append(metrics.correlation(gap, truth["lip_aperture_cm"]))
        width.append(metrics.correlation(span, truth["lip_width_cm"]))
        lids = fitted.psi[:, HEAD.index("eyeBlinkLeft", "eyeBlinkRight")].mean(1)
        blinks += _blinks(lids, truth["blink"].mean(1))
    return {
        "head rotation off, degrees": f"{np.mean(turns):.2f}",
        "lip aperture, correlation": f"{np.mean(aperture):.3f}",
        "lip width, correlation": f"{np.mean(width):.3f}",
        "blinks found / true / invented": "{} / {} / {}".format(*blinks),
    }


def _rotation_error(mine: np.ndarray, true: np.ndarray) -> float:
    """Mean angle in degrees after the best constant rotation of the head's own axes, [T, 3, 3] each."""
    u, _, vt = np.linalg.svd((mine.transpose(0, 2, 1) @ true).sum(0))
    offset = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    left = np.einsum("tij,jk,tlk->til", mine, offset, true)
    return float(np.degrees(np.arccos(np.clip((np.trace(left, axis1=1, axis2=2) - 1) / 2, -1, 1))).mean())


def _blinks(lids: np.ndarray, true: np.ndarray) -> np.ndarray:
    """[3] blinks found, true ones, and invented ones."""
    mine, theirs = (signal.find_peaks(np.pad(x, 1), height=BLINK, prominence=0.3)[0] for x in (lids, true))
    near = np.abs(mine[:, None] - theirs) <= SLACK
    return np.array([near.any(0).sum(), len(theirs), (~near.any(1)).sum()])


def _pictures(train: Ready, shape: HeadFit, test: Ready, fitted: HeadFit, preset: Preset) -> dict[str, str]:
    """Normals, silhouette and matte against the rendered person's truth, on frames that nothing was learnt from."""
    truth = read_truth(test.path.parent)
    surface = _surface(train, shape, preset)
    angles, overlaps, mattes = [], [], []
    with Observer(HEAD, fitted, backdrop(test), surface=surface) as observer:
        for index in truth.frames:
            seen = observer.observe(index, test.frames[index])
            alpha, opaque = (_grey(truth.folder / name / f"{index:05d}.png") for name in ("test_alpha", "opaque"))
            skin = (opaque > 0.5) & (seen.regions["skin"] > 0.8)
            angles.append(metrics.angle(seen.normal, truth.normals(index), skin))
            covered = seen.hits.mask
            if surface is not None:
                covered = covered | intersect(surface, fitted, index, fitted.psi[index], test.size).mask
            person = alpha > 0.5
            overlaps.append((covered & person).sum() / (covered | person).sum())
            mattes.append(np.abs(seen.alpha - alpha).mean())
    return {
        "normals over visible skin off, degrees": f"{np.mean(angles):.1f}",
        "silhouette IoU": f"{np.mean(overlaps):.3f}",
        "matte, mean absolute error": f"{np.mean(mattes):.4f}",
    }


@cache
def backdrop(clip: Ready) -> Backdrop:
    """What is behind the person of a clip."""
    return find_backdrop(clip.frames)


def _surface(clip: Ready, fitted: HeadFit, preset: Preset) -> MovedSurface | None:
    if not preset.surface.steps:
        return None
    with Observer(HEAD, fitted, backdrop(clip)) as observer:

        def look(index: int) -> View:
            rgb = clip.frames[index]
            seen = observer.observe(index, rgb)
            return view(index, rgb, seen.alpha, seen.regions["skin"])

        learnt = train_surface(look, HEAD, fitted, preset.surface, "cpu", 0, QUIET)
    return MovedSurface(learnt, HEAD, fitted)


def _grey(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) / np.float32(255)
