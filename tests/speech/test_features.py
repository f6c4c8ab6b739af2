"""f_pho: sizes, times, and what must not matter."""

from fractions import Fraction

import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.speech.features import PhoneFeatures, loudness
from relitalk_engine.speech.voice_activity import speech_probability

LAYOUT = PhoneFeatures().layout


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(25), Fraction(60)])
def test_every_frame_has_beliefs_that_sum_to_one(other_voice, fps):
    frames = round(len(other_voice) / 16000 * fps)
    features = PhoneFeatures(words=False).extract(other_voice, fps, frames)
    assert features.shape == (frames, LAYOUT.width)
    assert np.isfinite(features).all()
    for part in (LAYOUT.heard, LAYOUT.understood):
        assert np.allclose(features[:, part].sum(1), 1.0, atol=1e-3)


def test_the_microphone_gain_does_not_matter(other_voice):
    hear = PhoneFeatures(words=False).extract
    loud, soft = (hear(other_voice * gain, Fraction(25), 75) for gain in (1.0, 0.25))
    assert np.abs(loud - soft).mean() < 0.03


def test_sound_is_heard_when_it_sounds(clip_voice):
    late = np.concatenate([np.zeros(16000, np.float32), clip_voice[:32000]])
    features = PhoneFeatures(words=False).extract(late, Fraction(25), 75)
    silence = features[:, LAYOUT.heard][:, LAYOUT.phones.index("SIL")]
    assert silence[:23].min() > 0.95
    assert silence[27:40].mean() < 0.5
    assert features[:20, LAYOUT.speech].max() < 0.1


def test_digital_silence_is_still(clip_voice):
    voice = np.concatenate([clip_voice[:32000], np.zeros(32000, np.float32)])
    features = PhoneFeatures(words=False).extract(voice, Fraction(25), 100)
    assert np.ptp(features[56:98], axis=0).max() < 1e-3


def test_long_sound_is_heard_in_pieces_as_it_is_heard_whole(clip_voice):
    long = np.tile(clip_voice, 5)
    seconds = len(long) / 16000
    assert seconds > 35
    whole = PhoneFeatures(words=False).extract(long, Fraction(25), int(seconds * 25))
    first = PhoneFeatures(words=False).extract(clip_voice, Fraction(25), 200)
    both = (whole[20:180, LAYOUT.heard].argmax(1) == first[20:180, LAYOUT.heard].argmax(1)).mean()
    assert both > 0.9
    # the last repetition lies in another piece than the first
    start = round(4 * len(clip_voice) / 16000 * 25)
    same = whole[start + 20 : start + 180, LAYOUT.heard].argmax(1) == first[20:180, LAYOUT.heard].argmax(1)
    assert same.mean() > 0.7


@pytest.mark.parametrize(
    ("samples", "code"), [(np.ones(3200, np.float32), "short_audio"), (np.zeros(48000, np.float32), "silent_audio")]
)
def test_too_short_or_silent_is_refused(samples, code):
    with pytest.raises(ReliTalkError) as refused:
        PhoneFeatures().extract(samples, Fraction(25), 5)
    assert refused.value.code == code
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("kind", ["noise", "telephone", "clipped", "music"])
def test_odd_sound_gives_finite_features(kind, clip_voice):
    voice = clip_voice[:32000]
    time = np.arange(32000) / 16000
    odd = {
        "noise": np.random.default_rng(0).uniform(-1, 1, 32000),
        "telephone": np.repeat(voice[::2], 2),
        "clipped": np.clip(voice * 50, -1, 1),
        "music": sum(np.sin(2 * np.pi * f * time) for f in (220, 277, 330)) / 3,
    }[kind].astype(np.float32)
    features = PhoneFeatures().extract(odd, Fraction(30), 60)
    assert np.isfinite(features).all()


def test_a_transcript_leads_the_phones(other_voice):
    said = PhoneFeatures(transcript="Five big boxes of fresh fruit were moved to the room.")
    features = said.extract(other_voice, Fraction(25), 75)
    best = [LAYOUT.phones[i] for i in features[:, LAYOUT.understood].argmax(1)]
    assert {"F", "AY", "B", "S", "SH", "M", "UW"} <= set(best)


def test_the_detector_tells_speech_from_noise_and_nothing(clip_voice):
    noise = 0.1 * np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    assert np.median(speech_probability(clip_voice)) > 0.8
    assert speech_probability(noise).max() < 0.5
    assert speech_probability(np.zeros(32000, np.float32)).max() < 0.1


def test_loudness_follows_the_level(clip_voice):
    voice = np.concatenate([np.zeros(16000, np.float32), clip_voice[:32000]])
    level = loudness(voice, Fraction(25), 75)
    assert level[:22].max() < -80 < level[28:].max()
