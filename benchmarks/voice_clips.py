"""Clips with their fitted heads, voices with known phones, and what is measured of a driven mouth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from relitalk_engine.config import FitConfig, SpeechConfig
from relitalk_engine.evaluate.metrics import correlation
from relitalk_engine.face.fitting import HeadFit, fit
from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.media import audio
from relitalk_engine.speech import visemes
from relitalk_engine.speech.features import PhoneFeatures
from relitalk_engine.speech.model import SpeechModel
from relitalk_engine.speech.training import train_speech
from relitalk_engine.speech.words import Phone, WordRecogniser

from . import runs
from .clips import QUIET, ready

RATE = 16000
LAGS = range(-4, 5)
TOUCHING = 0.012
"""Gap of the inner lips over the distance of the outer eye corners at which they count as closed."""
OPEN = 0.4
"""Share of the mouth's usual widest opening from which a vowel counts as open."""
OPEN_VOWELS = ("AA", "AE", "AO", "AW", "AY")
SURE = 0.5
"""Least confidence of a recognised word whose phones are believed."""
CONFIG = SpeechConfig(steps=150, channels=32)


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip with its fitted head and the lips that were seen or are true, over the distance of the outer eye corners.

    Attributes:
        name: of the file.
        path: the file.
        fps: frames a second.
        fit: the head.
        opening: [T].
        width: [T].
    """

    name: str
    path: Path
    fps: Fraction
    fit: HeadFit
    opening: np.ndarray
    width: np.ndarray

    def __len__(self) -> int:
        return len(self.opening)

    def voice(self, start: int = 0, end: int | None = None) -> np.ndarray:
        """The sound of frames [start, end)."""
        end = len(self) if end is None else end
        return audio.read_audio(self.path, RATE, float(start / self.fps), float((end - start) / self.fps))

    def mouth(self, start: int, end: int) -> np.ndarray:
        """Fitted mouth actions of frames [start, end), [T, M]."""
        return self.fit.psi[start:end][:, HeadModel.read().mouth_actions]

    @cache  # noqa: B019 one clip, one benchmark
    def features(self, start: int = 0, end: int | None = None) -> np.ndarray:
        """f_pho of frames [start, end), heard on their own."""
        end = len(self) if end is None else end
        return PhoneFeatures(name=self.name).extract(self.voice(start, end), self.fps, end - start)


@dataclass(frozen=True)
class Voice:
    """A sound with the phones that are known of it: name, first and last second."""

    name: str
    samples: np.ndarray
    phones: tuple[tuple[str, float, float], ...]


def seen(name: str, again: bool = False) -> Clip:
    """Follow and fit a clip such as "real/talk_a"; kept in the results folder.

    Raises:
        FileNotFoundError: it is not in the data folder.
    """
    from safetensors.numpy import load_file, save_file

    clip = ready(name, again)
    place = runs.RESULTS / f"{clip.path.parent.name}_{clip.path.stem}_head.safetensors"
    if again or not place.exists():
        fitted = fit(clip.track, HeadModel.read(), clip.size, FitConfig(), QUIET, fps=float(clip.fps))
        save_file({k: np.ascontiguousarray(v) for k, v in fitted.tensors().items()}, place)
    fitted = HeadFit.from_tensors(load_file(place))
    points = fitted.landmarks

    def apart(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(points[:, a] - points[:, b], axis=-1)

    eyes = apart(33, 263)
    return Clip(clip.path.stem, clip.path, clip.fps, fitted, apart(13, 14) / eyes, apart(61, 291) / eyes)


def learn(
    head: HeadModel, clip: Clip, rows: np.ndarray | None = None, part: str = "both", recall: bool = False
) -> SpeechModel:
    """Train on some frames of a clip [T] bool, or all."""
    valid = clip.fit.valid if rows is None else clip.fit.valid & rows
    config = replace(CONFIG, recall=recall)
    rng = np.random.default_rng(0)
    return train_speech(
        clip.features(), clip.fit.psi, head, clip.fit.beta, clip.fps, config, rng, valid[: len(clip)], part=part
    )


def lag(driven: np.ndarray, true: np.ndarray) -> float:
    """Frames by which the driven mouth trails the true one at their best correlation."""
    pairs = {s: (driven[max(0, s) : len(driven) + min(0, s)], true[max(0, -s) : len(true) - max(0, s)]) for s in LAGS}
    return float(max(LAGS, key=lambda s: correlation(*pairs[s])))


def by_words(name: str, samples: np.ndarray) -> Voice:
    """A human voice with the phones of those words that both opinions of the recogniser agree on."""
    sure, other = WordRecogniser().hear(samples)
    known = tuple(
        (p.name, p.start / 100, p.end / 100) for p in sure if p.confidence >= SURE and _agreed(p, other)
    )
    return Voice(name, samples, known)


def _agreed(phone: Phone, others: list[Phone]) -> bool:
    middle = (phone.start + phone.end) / 2
    return any(o.name == phone.name and o.start - 3 <= middle <= o.end + 3 for o in others)


def in_language(voice: str, text: str) -> Voice:
    """A sentence that espeak-ng says, its phones as the nearest of the viseme table.

    Raises:
        FileNotFoundError: espeak-ng is not installed.
    """
    try:
        from relitalk_engine.speech.espeak import say
    except ImportError as error:
        raise FileNotFoundError("espeakng-loader is not installed") from error
    from scipy.signal import resample_poly

    from relitalk_engine.speech.utterances import nearest_phones

    spoken = say(text, voice)
    samples = resample_poly(spoken.samples, 320, 441).astype(np.float32)
    return Voice(voice, samples, tuple(nearest_phones(spoken)))


def hear(voice: Voice, fps: Fraction) -> np.ndarray:
    """f_pho [T, F] of a voice."""
    frames = max(1, round(len(voice.samples) / RATE * float(fps)))
    return PhoneFeatures(name=voice.name).extract(voice.samples, fps, frames)


def contacts(model: SpeechModel, voice: Voice, psi: np.ndarray) -> Iterator[tuple[str, bool]]:
    """For each p, b, m whether the lips touched, and for each open vowel whether they were open."""
    opening = model.mesh.lips.opening(psi)
    wide = np.percentile(opening, 95)
    for name, start, end in voice.phones:
        first, last = int(np.floor((start - 0.02) * model.fps)), int(np.ceil((end + 0.02) * model.fps)) + 1
        there = opening[max(0, first) : last]
        if len(there) and name in visemes.CLOSED:
            yield "closed", bool(there.min() <= TOUCHING)
        elif len(there) and name in OPEN_VOWELS:
            yield "open", bool(there.max() >= OPEN * wide)
