"""Speech with known phones and times: espeak-ng through its library, in many voices and languages.

Needed by `make priors` alone; the library comes with the package `espeakng-loader`.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_PLAYBACK_NONE = 1
_PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 0x1, 0x2, 0x8000
_PHONEME = 7
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Spoken:
    """A sentence as it was said.

    Attributes:
        samples: [n] float32, -1..1.
        rate: samples a second.
        phones: IPA of each phone, empty for a pause, with the second at which it begins.
    """

    samples: np.ndarray
    rate: int
    phones: tuple[tuple[str, float], ...]


@lru_cache(maxsize=1)
def _library() -> tuple[ctypes.CDLL, int]:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(_PLAYBACK_NONE, 0, data, _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT)
    if rate <= 0:
        raise RuntimeError(f"espeak-ng does not start with its data in {data.decode()}")
    return library, rate


def say(text: str, voice: str, rate: int = 160, pitch: int = 50, pitch_range: int = 50) -> Spoken:
    """Speak a sentence.

    Args:
        text: in the voice's language.
        voice: language and variant, such as "de+f3".
        rate: words a minute.
        pitch: 0..100.
        pitch_range: 0 (a monotone) ..100.

    Raises:
        ValueError: espeak-ng has no such voice.
    """
    library, hertz = _library()
    blocks: list[np.ndarray] = []
    phones: list[tuple[str, float]] = []

    @_Callback
    def heard(samples, count, events) -> int:
        if samples and count > 0:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        at = 0
        while events[at].type:
            if events[at].type == _PHONEME:
                name = bytes(events[at].id.string).split(b"\0")[0].decode("utf-8", "ignore")
                phones.append((name, events[at].sample / hertz))
            at += 1
        return 0

    library.espeak_SetSynthCallback(heard)
    library.espeak_ng_SetRandSeed(1)  # its hisses are dice
    if library.espeak_SetVoiceByName(voice.encode()):
        raise ValueError(f"espeak-ng has no voice {voice}")
    for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
        library.espeak_SetParameter(parameter, value, 0)
    data = text.encode()
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    samples = np.concatenate(blocks) if blocks else np.zeros(1, np.int16)
    return Spoken(samples.astype(np.float32) / 32768, hertz, tuple(phones))
