"""Speech to motion without pixels: the speaker's own unseen sentences in folds, and a rendered speaker's true lips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from relitalk_engine.config import FitConfig, SpeechConfig
from relitalk_engine.evaluate.metrics import correlation
from relitalk_engine.events import Reporter
from relitalk_engine.face.crop import find_crop
from relitalk_engine.face.fitting import HeadFit, fit
from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.face.landmarks import track
from relitalk_engine.media import audio, video
from relitalk_engine.speech.features import PhoneFeatures, loudness
from relitalk_engine.speech.model import SpeechModel
from relitalk_engine.speech.training import train_speech

from . import runs

FOLDS = 4
PARTS = {"audio + mesh": "both", "audio only": "sound", "mesh only": "lips"}
LAGS = range(-4, 5)
QUIET = Reporter(quiet=True)
CONFIG = SpeechConfig(steps=150, channels=32)


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip with its fitted head and the lips that mediapipe saw, over the distance of the outer eye corners."""

    path: Path
    fps: Fraction
    fit: HeadFit
    opening: np.ndarray
    width: np.ndarray

    def voice(self, start: int, end: int) -> np.ndarray:
        """The sound of frames [start, end)."""
        return audio.read_audio(self.path, 16000, float(start / self.fps), float((end - start) / self.fps))

    @cache  # noqa: B019 one clip, one benchmark
    def features(self, start: int, end: int) -> np.ndarray:
        """f_pho of frames [start, end), heard on their own."""
        return PhoneFeatures(name=self.path.name).extract(self.voice(start, end), self.fps, end - start)


def motion(again: bool) -> Iterator[str]:
    """Correlation of the mouth's opening and width with the true ones; the parts of Table 3, and a loudness jaw."""
    head = HeadModel.read()
    for name in ("talk_a", "talk_b"):
        clip = seen(runs.data(f"real/{name}.mp4"), again)
        frames = len(clip.opening)
        learnt = round(11 * clip.fps)
        for label, splits in (
            ("first 11 s, then the rest", [(0, learnt, learnt, frames)]),
            (f"{FOLDS} folds", list(_folds(frames))),
        ):
            yield f"{name}, {label}: opening, width, best lag"
            yield from _rows([_fold(head, clip, *split) for split in splits])
    train, test = (seen(runs.data(f"synthetic/subject_a/{n}.mp4"), again) for n in ("train", "test"))
    truth = np.load(runs.data("synthetic/subject_a/test_truth.npz"))
    eyes = float(truth["outer_eye_distance_cm"])
    yield "subject_a, held-out sentence, true lips: opening, width, best lag"
    features, spoken = train.features(0, len(train.opening)), test.features(0, len(test.opening))
    models = _models(head, train, features, np.ones(len(train.opening), bool))
    level = loudness(test.voice(0, len(test.opening)), test.fps, len(test.opening))
    yield from _rows([_scores(models, spoken, level, truth["lip_aperture_cm"] / eyes, truth["lip_width_cm"] / eyes)])


def seen(path: Path, again: bool) -> Clip:
    """Track and fit a clip; kept in the results folder."""
    from safetensors.numpy import load_file, save_file

    place = runs.RESULTS / f"{path.parent.name}_{path.stem}_head.safetensors"
    info = video.probe(path)
    if again or not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        tracked = track(video.read_frames(path), info.frames, QUIET)
        x, y, width, height = find_crop(tracked, info.width, info.height)
        tracked.points[..., :2] -= (x, y)
        fitted = fit(tracked, HeadModel.read(), (height, width), FitConfig(), QUIET, fps=float(info.fps))
        save_file({k: np.ascontiguousarray(v) for k, v in fitted.tensors().items()}, place)
    fitted = HeadFit.from_tensors(load_file(place))
    points = fitted.landmarks

    def apart(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(points[:, a] - points[:, b], axis=-1)

    return Clip(path, info.fps, fitted, apart(13, 14) / apart(33, 263), apart(61, 291) / apart(33, 263))


def _folds(frames: int) -> Iterator[tuple[int, int, int, int]]:
    """Learn from all but [start, end), drive [start, end)."""
    edges = np.linspace(0, frames, FOLDS + 1).astype(int)
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        yield 0, frames, int(start), int(end)


def _fold(head: HeadModel, clip: Clip, first: int, last: int, start: int, end: int) -> dict[str, list[float]]:
    valid = np.ones(last - first, bool)
    valid[max(0, start - first - 5) : max(0, end - first + 5)] = False
    models = _models(head, clip, clip.features(first, last), valid, first)
    level = loudness(clip.voice(start, end), clip.fps, end - start)
    return _scores(models, clip.features(start, end), level, clip.opening[start:end], clip.width[start:end])


def _models(head: HeadModel, clip: Clip, features: np.ndarray, valid: np.ndarray, first: int = 0):
    psi = clip.fit.psi[first : first + len(features)]
    models = {}
    for label, part in PARTS.items():
        rng = np.random.default_rng(0)
        models[label] = train_speech(
            features,
            psi,
            head,
            clip.fit.beta,
            clip.fps,
            CONFIG,
            rng,
            valid & clip.fit.valid[first:][: len(valid)],
            part=part,
        )
    models["the rule alone"] = SpeechModel.generic(head, clip.fit.beta, clip.fps)
    return models


def _scores(
    models: dict[str, SpeechModel], features: np.ndarray, level: np.ndarray, opening: np.ndarray, width: np.ndarray
) -> dict[str, list[float]]:
    """Per way of driving: correlation of opening and width, best lag in frames, spread over the true spread."""
    rows = {"loudness jaw": [correlation(level, opening), np.nan, _lag(level, opening), np.nan]}
    for label, model in models.items():
        psi, lips = model.drive(features), model.mesh.lips
        own = lips.opening(psi)
        rows[label] = [
            correlation(own, opening),
            correlation(lips.width(psi), width),
            _lag(own, opening),
            own.std() / opening.std(),
        ]
    return rows


def _lag(driven: np.ndarray, true: np.ndarray) -> float:
    """Frames by which the driven mouth trails the true one at their best correlation."""
    pairs = {s: (driven[max(0, s) : len(driven) + min(0, s)], true[max(0, -s) : len(true) - max(0, s)]) for s in LAGS}
    return float(max(LAGS, key=lambda s: correlation(*pairs[s])))


def _rows(scores: list[dict[str, list[float]]]) -> Iterator[str]:
    for label in scores[0]:
        opening, width, lag, spread = np.array([score[label] for score in scores]).T
        each = " ".join(f"{value:.2f}" for value in opening)
        yield (
            f"  {label:15} {opening.mean():6.3f} {width.mean():6.3f} {lag.mean():+5.2f} frames,"
            f" spread {spread.mean():.2f}   ({each})"
        )
