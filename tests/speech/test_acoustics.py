"""Spectra against what they must be, and against the recogniser's own front end."""

import numpy as np
import pytest

from relitalk_engine.speech.acoustics import RATE, cepstra, spectra
from relitalk_engine.speech.phones import model_folder

SECOND = np.arange(RATE) / RATE


def test_one_row_for_every_ten_milliseconds():
    assert len(spectra(np.zeros(1601, np.float32)).loudness) == 11


def test_a_full_scale_sine_is_three_decibels_under_full_scale():
    heard = spectra(np.sin(2 * np.pi * 200 * SECOND).astype(np.float32))
    assert np.allclose(heard.loudness[5:-5], -3.01, atol=0.3)


def test_a_tone_is_voiced_and_noise_is_not():
    tone = spectra((0.3 * np.sign(np.sin(2 * np.pi * 120 * SECOND))).astype(np.float32))
    noise = spectra(0.3 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32))
    assert np.median(tone.voicing) > 0.85
    assert np.median(noise.voicing) < 0.4


def test_silence_is_finite():
    heard = spectra(np.zeros(RATE, np.float32))
    for column in (cepstra(np.zeros(RATE, np.float32)), heard.mel, heard.loudness, heard.voicing):
        assert np.isfinite(column).all()
    assert heard.voicing.max() < 0.1


@pytest.mark.filterwarnings("ignore")
def test_the_recogniser_hears_our_cepstra_as_it_hears_the_sound(clip_voice):
    from pocketsphinx import Decoder

    folder = model_folder()
    decoder = Decoder(
        hmm=str(folder / "en-us"), lm=None, dict=None, allphone=str(folder / "en-us-phone.lm.bin"), loglevel="FATAL"
    )

    def phones(feed) -> np.ndarray:
        decoder.start_utt()
        feed()
        decoder.end_utt()
        named = np.full(len(clip_voice) // 160, "", object)
        for part in decoder.seg():
            named[part.start_frame : part.end_frame + 1] = part.word
        return named

    sound = phones(lambda: decoder.process_raw((clip_voice * 32767).astype("<i2").tobytes(), full_utt=True))
    rows = cepstra(clip_voice).astype("<f4")
    ours = phones(lambda: decoder.process_cep(rows.tobytes(), full_utt=True))
    assert (sound == ours).mean() > 0.7
