"""A user's own ears beside the built-in ones: a HuBERT or wav2vec 2.0 checkpoint, or logits kept beside the sound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from .. import weights
from ..errors import ReliTalkError
from .acoustics import RATE
from .features import Layout, PhoneFeatures, SpeechFeatures

DEEP = 48
"""Columns that are kept of the transformer's: a fixed random projection, so that all recordings share it."""

LOGITS = ".logits.npy"
"""Ending of the file of logits, after the sound's own name."""

KINDS = ("phones", "transformer", "logits", "voca")
"""Ways to hear; a subject keeps the one that it was trained with, and of the last which checkpoint."""


def listener(kind: str, sound: Path, transcript: str = "") -> SpeechFeatures:
    """The ears of one kind, for one sound.

    Args:
        kind: one of `KINDS`, the last with its checkpoint's digits.
        sound: the file that will be heard.
        transcript: what is said, where it is known.

    Raises:
        ReliTalkError: what this kind needs is not there.
    """
    plain = PhoneFeatures(transcript=transcript, name=sound.name)
    if kind == "transformer":
        return TransformerFeatures(plain, checkpoint())
    if kind == "logits":
        return LogitFeatures(plain, logits_file(sound))
    if kind.startswith("voca"):
        from . import voca

        return voca.VocaFeatures(plain, logits_file(sound), weights=voca.wanted(kind))
    return plain


def best_kind(sound: Path, whole: bool = True) -> str:
    """The surest kind of hearing that can be had for a sound: VOCA or its logits, a checkpoint, or the built-in ears.

    Args:
        sound: the file.
        whole: all of it will be heard; logits are of no use for a part.
    """
    from . import voca

    if whole and sound.with_suffix(LOGITS).is_file():
        return voca.kind() or "logits"
    return "transformer" if _checkpoint() is not None else "phones"


def _checkpoint() -> Path | None:
    return weights.own("hubert_base.safetensors")


def checkpoint() -> Path:
    """The user's HuBERT or wav2vec 2.0.

    Raises:
        ReliTalkError: there is none.
    """
    path = _checkpoint()
    if path is None:
        raise ReliTalkError(
            "no_weights",
            f"This subject was trained with HuBERT or wav2vec 2.0, and {weights.folder()} has no checkpoint of it.",
            "Put it back, or train the subject again without it.",
        )
    return path


def logits_file(sound: Path) -> Path:
    """The logits beside a sound.

    Raises:
        ReliTalkError: there are none.
    """
    path = sound.with_suffix(LOGITS)
    if not path.is_file():
        raise ReliTalkError(
            "no_logits", f"This subject was trained with logits, and {path} is not there.",
            "Make it with the recogniser that made the others, or train the subject again without logits.",
        )
    return path


@dataclass
class TransformerFeatures:
    """The built-in f_pho, and what a speech transformer makes of the sound. See `SpeechFeatures`."""

    plain: PhoneFeatures
    weights: Path

    @property
    def layout(self) -> Layout:
        """Which columns are what."""
        return replace(self.plain.layout, deep=DEEP)

    def extract(self, samples: np.ndarray | Iterable[np.ndarray], fps: Fraction, frames: int) -> np.ndarray:
        """f_pho [T, F] at the times i / fps.

        Raises:
            ReliTalkError: as `PhoneFeatures`; the checkpoint is not one.
        """
        from .transformer import HOP, hidden

        net = _transformer(self.weights)

        def hear(piece: np.ndarray, at: np.ndarray) -> np.ndarray:
            codes = hidden(net, piece)
            codes = codes @ _projection(codes.shape[1])
            return _at(codes, at * RATE / HOP - 0.5)

        return replace(self.plain, deep=DEEP, hear_deep=hear).extract(samples, fps, frames)


@dataclass
class LogitFeatures:
    """The built-in f_pho, and the letters that a recogniser such as DeepSpeech believed in. See `SpeechFeatures`."""

    plain: PhoneFeatures
    file: Path
    _logits: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self._logits = np.load(self.file, allow_pickle=False).astype(np.float32)
        except (OSError, ValueError, EOFError) as error:
            raise ReliTalkError(
                "bad_logits", f"{self.file} cannot be read ({error}).", "It must be a NumPy array [steps, letters]."
            ) from error
        if self._logits.ndim != 2 or not self._logits.size or not np.isfinite(self._logits).all():
            raise ReliTalkError(
                "bad_logits", f"{self.file} holds an array {self._logits.shape}.",
                "It must be finite numbers [steps, letters].",
            )

    @property
    def layout(self) -> Layout:
        """Which columns are what."""
        return replace(self.plain.layout, deep=self._logits.shape[1])

    def extract(self, samples: np.ndarray | Iterable[np.ndarray], fps: Fraction, frames: int) -> np.ndarray:
        """f_pho [T, F] at the times i / fps; the logits are spread evenly over the sound's length.

        Raises:
            ReliTalkError: as `PhoneFeatures`.
        """
        layout = self.layout
        result = np.zeros((frames, layout.width), np.float32)
        plain = self.plain.extract(samples, fps, frames)
        result[:, : plain.shape[1]] = plain
        belief = np.exp(self._logits - self._logits.max(1, keepdims=True))
        belief /= belief.sum(1, keepdims=True)
        result[:, layout.learnt] = _at(belief, (np.arange(frames) + 0.5) * len(belief) / frames - 0.5)
        return result


@lru_cache(maxsize=1)
def _transformer(path: Path):
    from .transformer import load_transformer

    return load_transformer(path)


@lru_cache(maxsize=4)
def _projection(width: int) -> np.ndarray:
    """[width, DEEP], the same for ever."""
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal((max(width, DEEP), DEEP)))[0]
    return axes[:width].astype(np.float32)


def _at(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows [N, D] between rows, at fractional places [T]."""
    low = np.clip(np.floor(at).astype(int), 0, len(rows) - 1)
    high = np.minimum(low + 1, len(rows) - 1)
    share = np.clip(at - low, 0, 1)[:, None].astype(np.float32)
    return rows[low] * (1 - share) + rows[high] * share
