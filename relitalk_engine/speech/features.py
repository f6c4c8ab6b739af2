"""f_pho: what a voice says, at the video's rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np

from ..media.audio import check_voice
from . import visemes
from .acoustics import HOP, RATE, Spectra, cepstra, in_a_room, spectra
from .phones import PhoneModel, load_phone_model
from .voice_activity import CHUNK, speech_probability
from .words import WordRecogniser

LONGEST_PIECE = 30.0
"""Seconds that are recognised at once; longer sound is cut where it is quiet."""

BLUR = 0.03
"""Standard deviation, in seconds, of the window through which a video frame hears."""

BLUR_SPOKEN = 0.02
"""The same for what F_mesh's ear hears, which is smooth already: p, b and m are short."""

LIPS_LEAD = 0.035
"""Seconds by which lips meet and part before p, b and m are heard."""

SHARPNESS = 0.15
"""How far one 10 ms of sound is believed; neighbouring ones say nearly the same again."""

CEPSTRA = 12
"""Log-mel cosines kept."""


@dataclass(frozen=True)
class Layout:
    """Which columns of f_pho are what.

    Attributes:
        phones: P names of the phones.
        deep: columns of a user's own network; 0: there is none.
    """

    phones: tuple[str, ...]
    deep: int = 0

    @property
    def heard(self) -> slice:
        """[P] belief in every phone from sound alone."""
        return slice(0, len(self.phones))

    @property
    def understood(self) -> slice:
        """[P] the same, led by recognised words or by a transcript."""
        return slice(len(self.phones), 2 * len(self.phones))

    @property
    def mel(self) -> slice:
        """Cosines of the log-mel spectrum, less their mean over the speech."""
        start = 2 * len(self.phones)
        return slice(start, start + CEPSTRA)

    @property
    def level(self) -> slice:
        """Loudness under the recording's loud speech, in units of 20 dB, and its change in a tenth of a second."""
        start = 2 * len(self.phones) + CEPSTRA
        return slice(start, start + 2)

    @property
    def voicing(self) -> int:
        """How clear a tone, 0..1."""
        return 2 * len(self.phones) + CEPSTRA + 2

    @property
    def speech(self) -> int:
        """Probability of speech, 0..1."""
        return 2 * len(self.phones) + CEPSTRA + 3

    @property
    def spoken(self) -> slice:
        """Actions of the viseme table and articulatory traits, as F_mesh's ear hears them in any language."""
        start = 2 * len(self.phones) + CEPSTRA + 4
        return slice(start, start + visemes.SPOKEN)

    @property
    def touch(self) -> int:
        """Probability that p, b or m is about to sound, 0..1: for lips that touch, not to learn from."""
        return self.spoken.stop

    @property
    def learnt(self) -> slice:
        """What a user's own network hears."""
        start = self.touch + 1
        return slice(start, start + self.deep)

    @property
    def width(self) -> int:
        """F, the number of columns."""
        return self.learnt.stop

    @property
    def studied(self) -> int:
        """How many of them F_exp learns from: all but `touch`."""
        return self.width - 1


class SpeechFeatures(Protocol):
    """Anything that turns a voice into f_pho."""

    @property
    def layout(self) -> Layout:
        """Which columns are what."""
        ...

    def extract(self, samples: np.ndarray | Iterable[np.ndarray], fps: Fraction, frames: int) -> np.ndarray:
        """f_pho at the times 0, 1/fps, 2/fps ...

        Args:
            samples: [n] float32 mono, 16 kHz; or blocks of it, which are heard as they come.
            fps: frames a second.
            frames: T.

        Returns:
            [T, F] float32.
        """
        ...


@dataclass
class PhoneFeatures:
    """Phones from pocketsphinx's acoustic model and its word recogniser, log-mel, loudness, voicing, speech or not.

    Attributes:
        transcript: what is said, where it is known; empty: words are recognised.
        name: what the sound is called when it is refused.
        words: recognise words at all; without, the phones come from sound alone.
        trust: how far recognised words sway the phones, as log odds: [at no confidence, at full confidence].
        deep: columns that `hear_deep` adds.
        hear_deep: a further ear: from a piece of sound [n] and seconds into it [T] to columns [T, deep].
    """

    transcript: str = ""
    name: str = "given"
    words: bool = True
    trust: tuple[float, float] = (0.7, 2.0)
    deep: int = 0
    hear_deep: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    _recogniser: WordRecogniser | None = field(default=None, repr=False)

    @property
    def layout(self) -> Layout:
        """Which columns are what."""
        return Layout(load_phone_model().names, self.deep)

    def extract(self, samples: np.ndarray | Iterable[np.ndarray], fps: Fraction, frames: int) -> np.ndarray:
        """f_pho [T, F] at the times i / fps; see `SpeechFeatures`.

        Raises:
            ReliTalkError: the sound is too short or silent throughout, or the transcript does not fit.
            MissingPart: the recogniser or the detector is not installed.
        """
        model = load_phone_model()
        layout = self.layout
        result = np.zeros((frames, layout.width), np.float32)
        peak = 0.0
        for start, piece, is_last in _pieces(samples, whole=bool(self.transcript)):
            peak = max(peak, float(np.abs(piece).max(initial=0.0)))
            if is_last:  # all but a short or a silent sound has passed by now
                check_voice(np.full(min(start + len(piece), RATE), peak, np.float32), RATE, self.name)
            # the frames whose time lies in this piece; the last piece also speaks for what comes after the sound
            first = -(-start * fps.numerator // (RATE * fps.denominator))
            last = frames if is_last else -(-(start + len(piece)) * fps.numerator // (RATE * fps.denominator))
            at = np.arange(first, min(last, frames)) * float(RATE / HOP / fps) - start / HOP - 0.5
            if not len(at):
                continue
            result[first : first + len(at)] = _at_rate(self._hear(piece, model, layout), at, layout)
            if self.hear_deep is not None:
                result[first : first + len(at), layout.learnt] = self.hear_deep(piece, (at + 0.5) * HOP / RATE)
        return _normalised(result, layout, fps)

    def _hear(self, samples: np.ndarray, model: PhoneModel, layout: Layout) -> np.ndarray:
        """f_pho of one piece at 100 Hz, [N, F], not yet normalised."""
        from .closures import touching
        from .mesh_net import hearing, spoken

        heard, in_room = spectra(samples), in_a_room(samples)
        count = len(heard.loudness)
        columns = np.zeros((count, layout.width), np.float32)
        scores = model.scores(cepstra(in_room))
        sounding = _sounding(heard)[:, None]
        silence = np.eye(len(model.names), dtype=np.float32)[model.names.index("SIL")]
        belief = model.posteriors(scores, SHARPNESS)
        columns[:, layout.heard] = sounding * belief + (1 - sounding) * silence
        columns[:, layout.spoken] = sounding * spoken(hearing(heard, belief)) + (1 - sounding) * visemes.resting()
        columns[:, layout.touch] = sounding[:, 0] * touching(heard, belief)
        lead = self._lead(in_room, scores, model)
        if lead is not None:
            belief = model.posteriors(scores + lead / SHARPNESS, SHARPNESS)
        columns[:, layout.understood] = sounding * belief + (1 - sounding) * silence
        bands = heard.mel.shape[1]
        cosine = np.cos(np.pi / bands * np.arange(CEPSTRA)[:, None] * (np.arange(bands) + 0.5)) * np.sqrt(2 / bands)
        columns[:, layout.mel] = heard.mel @ cosine.T
        columns[:, layout.level.start] = heard.loudness
        columns[:, layout.voicing] = heard.voicing * sounding[:, 0]
        chance = speech_probability(samples)
        at = (np.arange(count) + 0.5) * HOP / CHUNK - 0.5
        columns[:, layout.speech] = np.interp(at, np.arange(len(chance)), chance) * sounding[:, 0]
        return columns

    def _lead(self, samples: np.ndarray, scores: np.ndarray, model: PhoneModel) -> np.ndarray | None:
        """Log odds [N, P, 1] that words lend to their phones; None: no words are heard."""
        if not (self.words or self.transcript):
            return None
        if self._recogniser is None:
            self._recogniser = WordRecogniser()
        if self.transcript:
            phones = self._recogniser.align(samples, self.transcript)
        else:
            phones = self._recogniser.understand(samples, scores)
        lead = np.zeros((len(scores), len(model.names), 1), np.float32)
        low, high = self.trust
        for phone in phones:
            if phone.name in model.names:
                lead[phone.start : phone.end, model.names.index(phone.name)] = low + (high - low) * phone.confidence
        return lead


def loudness(samples: np.ndarray, fps: Fraction, frames: int) -> np.ndarray:
    """Loudness in dB at the times i / fps, [T]: what moves the jaw of the simplest puppet."""
    level = spectra(samples).loudness[:, None]
    at = np.arange(frames) * float(RATE / HOP / fps) - 0.5
    return _sample(level, at)[:, 0]


def _pieces(samples: np.ndarray | Iterable[np.ndarray], whole: bool = False) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Cut sound into stretches of half a minute or less, each cut at the quietest moment of its last third.

    Args:
        samples: [n], or blocks of it.
        whole: do not cut.

    Yields:
        First sample, samples [m] float32, whether it is the last; at least one.
    """
    longest = int(LONGEST_PIECE * RATE)
    start, held = 0, np.zeros(0, np.float32)
    if isinstance(samples, np.ndarray) or whole:
        samples = [samples if isinstance(samples, np.ndarray) else np.concatenate([held, *samples])]
    for block in samples:
        held = np.concatenate([held, np.asarray(block, np.float32)])
        while len(held) > longest and not whole:
            tail = held[longest * 2 // 3 : longest]
            blocks = tail[: len(tail) // HOP * HOP].reshape(-1, HOP)
            power = np.convolve((blocks**2).mean(1), np.ones(15) / 15, "same")
            end = longest * 2 // 3 + int(power[8:-8].argmin() + 8) * HOP
            yield start, held[:end], False
            start, held = start + end, held[end:]
    yield start, held, True


def _sounding(heard: Spectra) -> np.ndarray:
    """[N] 0 where there is next to no sound, 1 where there is; -75 dB full scale is silence whatever else is heard."""
    loud = np.percentile(heard.loudness, 95)
    floor = max(-75.0, loud - 55.0)
    return np.clip((heard.loudness - floor) / 10.0, 0.0, 1.0).astype(np.float32)


def _at_rate(columns: np.ndarray, at: np.ndarray, layout: Layout) -> np.ndarray:
    """Columns [N, F] at 100 Hz as a video frame sees them, at fractional rows ``at`` [T]."""
    result = _sample(columns, at, BLUR)
    result[:, layout.spoken] = _sample(columns[:, layout.spoken], at, BLUR_SPOKEN)
    # the largest of three, so that what is over within a frame is not lost between two
    soon = np.round(at + LIPS_LEAD * RATE / HOP).astype(int)[:, None] + np.arange(-1, 2)
    result[:, layout.touch] = columns[np.clip(soon, 0, len(columns) - 1), layout.touch].max(1)
    return result


def _sample(columns: np.ndarray, at: np.ndarray, blur: float = BLUR) -> np.ndarray:
    """Columns [N, F] at 100 Hz seen through a Gaussian around fractional rows ``at`` [T]; edges hold."""
    reach = np.arange(-9, 10)
    middle = np.round(at).astype(int)
    rows = middle[:, None] + reach
    weights = np.exp(-0.5 * ((rows - at[:, None]) * HOP / RATE / blur) ** 2)
    weights /= weights.sum(1, keepdims=True)
    rows = np.clip(rows, 0, len(columns) - 1)
    result = np.zeros((len(at), columns.shape[1]), np.float32)
    for k in range(len(reach)):  # one shift at a time: [T, 19, F] would be large
        result += weights[:, k, None].astype(np.float32) * columns[rows[:, k]]
    return result


def _normalised(features: np.ndarray, layout: Layout, fps: Fraction) -> np.ndarray:
    """Take microphone and level out: mel and loudness relative to the recording's own speech."""
    speech = features[:, layout.speech] + 1e-3
    mel = features[:, layout.mel]
    mean = (mel * speech[:, None]).sum(0) / speech.sum()
    features[:, layout.mel] = np.clip(mel - mean, -12.0, 12.0) / 4.0
    level = features[:, layout.level.start]
    loud = np.percentile(level, 90)
    relative = np.clip(level - loud, -60.0, 10.0) / 20.0
    features[:, layout.level.start] = relative
    features[:, layout.level.start + 1] = np.gradient(relative) * float(fps) / 10 if len(relative) > 1 else 0.0
    return features
