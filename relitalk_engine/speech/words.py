"""Phones by way of words: a word recogniser knows the language, so its phones are surer than sound alone.

English only; for other tongues its words are wrong and say so by a low confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ReliTalkError
from .phones import load_phone_model, model_folder

if TYPE_CHECKING:
    from pocketsphinx import Decoder


@dataclass(frozen=True)
class Phone:
    """One phone of an alignment.

    Attributes:
        name: ARPABET, or ``SIL``.
        start: first 10 ms frame.
        end: one past its last 10 ms frame.
        confidence: belief in its word, 0..1.
    """

    name: str
    start: int
    end: int
    confidence: float


class WordRecogniser:
    """Words of a stretch of sound, and their phones. Holds decoders; make one per thread."""

    @cached_property
    def _by_language(self) -> Decoder:
        return _decoder(beam=1e-40, pbeam=1e-40, wbeam=1e-25, maxhmmpf=6000)

    @cached_property
    def _by_sound(self) -> Decoder:
        return _decoder(beam=3e-24, pbeam=3e-24, wbeam=1e-11, maxhmmpf=1500, lw=3.0, fwdflat=False, bestpath=False)

    def understand(self, samples: np.ndarray, scores: np.ndarray) -> list[Phone]:
        """Phones of what is said, heard once, by an ear that trusts the sound more than the language.

        Args:
            samples: [n] float32 mono, 16 kHz, half a minute or less.
            scores: [N, P, 3] of `PhoneModel.scores` of the same sound, which part each word into its phones.
        """
        decoder, model = self._by_sound, load_phone_model()
        phones = []
        decoder.activate_search("_default")
        for word, start, end, belief in _words(decoder, _as_pcm(samples)):
            names = (decoder.lookup_word(word) or "").split()
            known = [model.names.index(name) for name in names if name in model.names]
            end = min(end + 1, len(scores))
            if word[0] in "<[+" or not known or end <= start:
                continue
            edges = start + model.part(scores[start:end], known)
            for phone, first, last in zip(known, edges, edges[1:], strict=False):
                phones.append(Phone(model.names[phone], int(first), int(last), belief))
        return phones

    def hear(self, samples: np.ndarray) -> list[list[Phone]]:
        """Two opinions on the phones of what is said, heard with care, each empty where it hears no word.

        One trusts the language and knows how sure it is of each word, one trusts the sound. Where they differ the words
        are doubtful.

        Args:
            samples: [n] float32 mono, 16 kHz, half a minute or less.
        """
        return [self._heard(decoder, samples) for decoder in (self._by_language, self._by_sound)]

    def _heard(self, decoder: Decoder, samples: np.ndarray) -> list[Phone]:
        sound = _as_pcm(samples)
        decoder.activate_search("_default")
        heard = _words(decoder, sound)
        if not any(word[0] not in "<[+" for word, *_ in heard):
            return []
        return _aligned(decoder, sound, heard)

    def align(self, samples: np.ndarray, transcript: str) -> list[Phone]:
        """Phones of a known text.

        Args:
            samples: [n] float32 mono, 16 kHz.
            transcript: what is said, English; punctuation is ignored.

        Raises:
            ReliTalkError: no word of the transcript is in the dictionary, or it does not fit the sound.
        """
        words = ["".join(c for c in w.lower() if c.isalpha() or c == "'") for w in transcript.split()]
        known = [w for w in words if w and self._by_sound.lookup_word(w)]
        if not known:
            raise ReliTalkError(
                "transcript_unknown",
                "No word of the transcript is in the English dictionary.",
                "Leave the transcript away; the phones are then taken from the sound.",
            )
        sound = _as_pcm(samples)
        decoder = _decoder(beam=1e-80, pbeam=1e-80, wbeam=1e-80, bestpath=False)
        decoder.set_align_text(" ".join(known))
        _decode(decoder, sound)
        result = _aligned(decoder, sound, []) if decoder.hyp() is not None else []
        if not result:
            raise ReliTalkError(
                "transcript_does_not_fit",
                "The transcript cannot be laid over the sound.",
                "Check that it is the text of this recording, whole and in order.",
            )
        return result


def _decoder(**search: float) -> Decoder:
    """A decoder of the en-us model; ``search`` says how widely it looks."""
    from pocketsphinx import Decoder

    folder = model_folder()
    return Decoder(
        hmm=str(folder / "en-us"),
        lm=str(folder / "en-us.lm.bin"),
        dict=str(folder / "cmudict-en-us.dict"),
        loglevel="FATAL",
        **search,
    )


def _words(decoder: Decoder, sound: bytes) -> list[tuple[str, int, int, float]]:
    """Word, first and last 10 ms frame, belief."""
    _decode(decoder, sound)
    return [(s.word, s.start_frame, s.end_frame, min(1.0, s.prob)) for s in decoder.seg() or ()]


def _decode(decoder: Decoder, sound: bytes) -> None:
    decoder.reinit_feat()  # nothing of the last sound may colour this one
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()


def _aligned(decoder: Decoder, sound: bytes, heard: list[tuple[str, int, int, float]]) -> list[Phone]:
    """Phones of the last decoded words; without ``heard`` every word is believed."""
    try:
        decoder.set_alignment()
        _decode(decoder, sound)
        alignment = decoder.get_alignment()
    except RuntimeError:  # the recogniser found no path through the sound
        return []
    phones = []
    for word in alignment or ():
        middle = word.start + word.duration // 2
        belief = next((p for _, start, end, p in heard if start <= middle <= end), 0.0 if heard else 1.0)
        for phone in word:
            name = "SIL" if phone.name.startswith("+") else phone.name
            phones.append(Phone(name, phone.start, phone.start + phone.duration, belief))
    return phones


def _as_pcm(samples: np.ndarray) -> bytes:
    """16-bit sound at an even level."""
    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples * (0.9 / peak) if peak > 0 else samples
    return (scaled * 32767).astype("<i2").tobytes()
