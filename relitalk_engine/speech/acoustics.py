"""From samples to spectra: the recogniser's cepstra, log-mel energies, loudness and voicing at 100 frames a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATE = 16000
"""Samples a second that every function of this room expects."""

HOP = 160
"""Samples between two spectra: 100 spectra a second."""

_WINDOW = 410
_FFT = 512


@dataclass(frozen=True)
class Spectra:
    """What the ear hears, one row every 10 ms.

    Attributes:
        mel: [N, 24] natural logarithm of mel-band power, 80 to 7600 Hz.
        fine: [N, 40] the same in narrower bands: enough to tell m from n, whose second formants part.
        loudness: [N] level in dB below full scale.
        voicing: [N] 0 (noise, silence) to 1 (a clear tone).
    """

    mel: np.ndarray
    fine: np.ndarray
    loudness: np.ndarray
    voicing: np.ndarray


BANDS, FINE = 24, 40
"""Mel bands, and narrower ones."""


def spectra(samples: np.ndarray) -> Spectra:
    """Short-time spectra of a sound.

    Args:
        samples: [n] float32 mono, -1..1, 16 kHz.

    Returns:
        N = ceil(n / 160) rows, each centred on its 10 ms of sound.
    """
    plain = _frames(_padded(samples))
    power = _power(samples)
    mel, fine = (
        np.log(power @ _mel_bank(bands, 80.0, 7600.0, snap=False).T + 1e3).astype(np.float32) for bands in (BANDS, FINE)
    )
    return Spectra(
        mel=mel,
        fine=fine,
        loudness=10.0 * np.log10((plain**2).mean(1) + 1e-10),
        voicing=_voicing(plain),
    )


def cepstra(samples: np.ndarray) -> np.ndarray:
    """Mel cepstra [N, 13] of a sound [n], as the recogniser's acoustic model was trained on; rows as of `spectra`."""
    return _cepstra(_power(samples)).astype(np.float32)


def in_a_room(samples: np.ndarray) -> np.ndarray:
    """Sound [n] over the faint noise of a room, 50 dB under loud speech.

    The recogniser learned from recordings: where a synthetic or gated voice is cleaner than any of them, it hears
    silence instead of soft phones.
    """
    noise = np.random.default_rng(0).standard_normal(len(samples) + 5).astype(np.float32)
    soft = np.convolve(noise, np.array([1.0, 0.9, 0.8, 0.6, 0.4, 0.2], np.float32) / 1.74, "valid")
    loud = np.percentile(np.abs(samples), 99)
    return samples + soft * np.float32(loud * 10 ** (-50 / 20))


def _padded(samples: np.ndarray) -> np.ndarray:
    """Whole windows of a sound [n], the first centred on its first 10 ms."""
    count = max(1, -(-len(samples) // HOP))
    lead = (_WINDOW - HOP) // 2
    padded = np.zeros((count - 1) * HOP + _WINDOW, np.float32)
    padded[lead : lead + len(samples)] = samples[: len(padded) - lead]
    return padded


def _frames(padded: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]


def _power(samples: np.ndarray) -> np.ndarray:
    """Power spectra [N, 257] of a sound [n] on the scale of 16 bits, treble raised, through Hamming's window."""
    from scipy.fft import rfft

    padded = _padded(samples)
    raised = np.append(padded[:1], padded[1:] - np.float32(0.97) * padded[:-1]) * np.float32(32768)
    spectrum = rfft(_frames(raised) * np.hamming(_WINDOW).astype(np.float32), _FFT)
    return spectrum.real**2 + spectrum.imag**2


def _mel_bank(bands: int, low: float, high: float, snap: bool) -> np.ndarray:
    """Triangles of unit area, [bands, 257]; ``snap`` rounds the corners to bins as the recogniser does."""
    step = RATE / _FFT
    to_mel = lambda hertz: 2595.0 * np.log10(1.0 + hertz / 700.0)  # noqa: E731
    corners = 700.0 * (10.0 ** (np.linspace(to_mel(low), to_mel(high), bands + 2) / 2595.0) - 1.0)
    if snap:
        corners = np.floor(corners / step + 0.5) * step
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    hertz = np.arange(_FFT // 2 + 1) * step
    rise, fall = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
    return np.maximum(0.0, np.minimum(rise, fall)) * 2.0 / (right - left)


def _cepstra(power: np.ndarray) -> np.ndarray:
    """Cepstra [N, 13] of power spectra [N, 257]: 25 bands, noise removed, orthonormal cosine, liftered.

    Source: the front end that the pocketsphinx en-us model asks for in its feat.params.
    """
    bands = power @ _mel_bank(25, 130.0, 6800.0, snap=True).T
    log_bands = np.log(_remove_noise(bands) + 1e-4)
    order = np.arange(13)[:, None]
    cosine = np.cos(np.pi / 25 * order * (np.arange(25) + 0.5)) * np.where(order == 0, np.sqrt(1 / 25), np.sqrt(2 / 25))
    lifter = 1.0 + 11.0 * np.sin(np.arange(13) * np.pi / 22)
    return (log_bands @ cosine.T) * lifter


def _remove_noise(bands: np.ndarray) -> np.ndarray:
    """Mel power [N, 25] with the slowly varying floor taken out and quick echoes masked.

    Source: spectral minima tracking (Doblinger 1995) and power-normalised cepstra (Kim & Stern 2016), with the
    constants of pocketsphinx.
    """
    result = np.empty_like(bands)
    power = bands[0].copy()
    noise, floor, peak = bands[0] / 20, bands[0] / 20, np.zeros_like(power)
    width = np.convolve(np.ones(bands.shape[1]), np.ones(9), "same")
    for i, band in enumerate(bands):
        power = 0.7 * power + 0.3 * band
        noise = _envelope(power, noise)
        signal = np.maximum(power - noise, 1.0)
        floor = _envelope(signal, floor)
        peak = peak * 0.85
        masked = np.where(signal < 0.85 * peak, 0.2 * peak, signal)
        peak = np.maximum(peak, signal)
        gain = np.clip(np.maximum(masked, floor) / np.maximum(power, 1e-9), 1 / 20, 20)
        result[i] = band * np.convolve(gain, np.ones(9), "same") / width
    return result


def _envelope(value: np.ndarray, below: np.ndarray) -> np.ndarray:
    """One step of a lower envelope: slow to rise, quick to fall."""
    keep = np.where(value >= below, 0.995, 0.5)
    return keep * below + (1 - keep) * value


def _voicing(frames: np.ndarray) -> np.ndarray:
    """How periodic each frame [N, 410] is between 70 and 400 Hz: peak of the normalised autocorrelation, 0..1."""
    from scipy.fft import irfft, rfft

    spectrum = rfft(frames - frames.mean(1, keepdims=True), 1024)
    correlation = irfft(spectrum.real**2 + spectrum.imag**2)[:, : RATE // 70]
    overlap = (1.0 - np.arange(correlation.shape[1]) / _WINDOW).astype(np.float32)
    energy = correlation[:, :1] + np.float32(1e-5)
    return np.clip((correlation / (energy * overlap))[:, RATE // 400 :].max(1), 0.0, 1.0)
