"""Mel spectra as Wav2Lip hears them: 80 a second, -4 to 4."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from .wav2lip import BANDS, STEPS

RATE = 16000
HOP, WINDOW = 200, 800
LOWEST, HIGHEST = 55.0, 7600.0
EMPHASIS = 0.97
REFERENCE, FLOOR = 20.0, -100.0
"""Decibels that are taken off; the lowest level that is told from silence."""
MOST = 4.0
LEAD = Fraction(1, 25)
"""Seconds by which a face's stretch of sound begins before it: a frame of the films that Wav2Lip learned from."""


def mel_spectra(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Mel spectra of a sound, whose middles lie 12.5 ms apart from its first sample on.

    Args:
        blocks: [n] float32 mono, -1..1, 16 kHz, as they come; an hour of them is not held at once.

    Returns:
        [1 + n // 200, 80] float32, -4..4.

    Source: the front end that Prajwal et al. 2020 published; bands after Slaney 1998.
    """
    bank, shape = _bank(), np.hanning(WINDOW + 1)[:-1]
    edge = np.zeros(WINDOW // 2)
    rows: list[np.ndarray] = []
    held, last = edge, 0.0
    for block in blocks:
        held = np.concatenate([held, block - EMPHASIS * np.append(last, block[:-1])])
        last = float(block[-1])
        if len(held) >= WINDOW:
            rows.append(_rows(held, bank, shape))
            held = held[len(rows[-1]) * HOP :]
    return np.concatenate([*rows, _rows(np.concatenate([held, edge]), bank, shape)])


def _rows(samples: np.ndarray, bank: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """[N, 80] of all whole windows of samples."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    level = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(frames * shape)) @ bank.T, 10 ** (FLOOR / 20))) - REFERENCE
    return np.clip(2 * MOST * (level - FLOOR) / -FLOOR - MOST, -MOST, MOST).astype(np.float32)


def window(spectra: np.ndarray, frame: int, fps: Fraction, later: float = 0.0) -> np.ndarray:
    """The stretch of sound that is heard for one frame.

    Args:
        spectra: [N, 80].
        frame: its number.
        fps: frames a second.
        later: seconds by which the mouth comes after the sound.

    Returns:
        [80, 16]; before the sound and after it, its first and last spectra go on.
    """
    seconds = frame / fps - LEAD - Fraction(later)
    first = int(seconds * RATE // HOP)
    return spectra[np.clip(np.arange(first, first + STEPS), 0, len(spectra) - 1)].T


def _bank() -> np.ndarray:
    """Triangles of unit area [80, 401] on Slaney's scale: even up to 1 kHz, logarithmic above."""
    step, knee, ratio = 200 / 3, 1000.0, np.log(6.4) / 27

    def to_mel(hertz: float) -> float:
        return hertz / step if hertz < knee else knee / step + np.log(hertz / knee) / ratio

    mels = np.linspace(to_mel(LOWEST), to_mel(HIGHEST), BANDS + 2)
    corners = np.where(mels < knee / step, mels * step, knee * np.exp(ratio * (mels - knee / step)))
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    hertz = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    rise, fall = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
    return np.maximum(0, np.minimum(rise, fall)) * 2 / (right - left)
