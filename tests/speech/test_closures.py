"""The ear for p, b and m: it hears them where they are, in other languages too, and can be taught."""

from fractions import Fraction

import numpy as np
import pytest

from relitalk_engine.speech import closure_training, visemes
from relitalk_engine.speech.features import PhoneFeatures
from relitalk_engine.speech.utterances import MORE_SENTENCES, nearest_phones, utterances
from relitalk_engine.speech.words import WordRecogniser

FPS = Fraction(25)
LAYOUT = PhoneFeatures().layout


def heard_of(samples: np.ndarray, phones: list[tuple[str, float, float]]) -> tuple[list[float], list[float]]:
    """The most that is believed of every p, b and m, and the least of every open vowel."""
    frames = round(len(samples) / 16000 * FPS)
    touch = PhoneFeatures(words=False).extract(samples, FPS, frames)[:, LAYOUT.touch]
    at = lambda second: min(max(round(second * FPS), 0), frames - 1)  # noqa: E731
    closed = [touch[at(a - 0.06) : at(b) + 1].max() for name, a, b in phones if name in visemes.CLOSED]
    return closed, [touch[at(a) : at(b) + 1].min() for name, a, b in phones if name in ("AA", "AE", "AO")]


def test_the_samples_p_b_and_m_are_heard_where_they_are(other_voice):
    phones = WordRecogniser().align(other_voice, "Five big boxes of fresh fruit were moved to the room.")
    closed, opened = heard_of(other_voice, [(p.name, p.start / 100, p.end / 100) for p in phones])
    assert len(closed) == 4 and np.median(closed) > 0.75
    assert max(opened) < 0.5


def test_lips_meet_before_m_sounds(other_voice):
    phones = WordRecogniser().align(other_voice, "Five big boxes of fresh fruit were moved to the room.")
    start = next(p.start for p in phones if p.name == "M")
    touch = PhoneFeatures(words=False).extract(other_voice, Fraction(100), 300)[:, LAYOUT.touch]
    assert touch[start - 2] > 0.7 and touch[start - 8] < 0.3


@pytest.mark.parametrize(
    ("voice", "text"), [("it", "La bimba mangia una pera buona."), ("pl", "Mama kupiła babci piękne białe buty.")]
)
def test_other_languages_are_heard_too(voice, text):
    pytest.importorskip("espeakng_loader", reason="espeak-ng speaks the sentence")
    from scipy.signal import resample_poly

    from relitalk_engine.speech.espeak import say

    spoken = say(text, voice)
    samples = resample_poly(spoken.samples, 320, 441).astype(np.float32)
    closed, opened = heard_of(samples, list(nearest_phones(spoken)))
    assert len(closed) >= 5 and np.mean(np.array(closed) > 0.75) >= 0.7
    assert np.median(opened) < 0.2


def test_it_can_be_taught():
    pytest.importorskip("espeakng_loader", reason="espeak-ng is needed to make priors alone")
    said = utterances(10, np.random.default_rng(2), closure_training.COURSE)
    lessons = [closure_training.Lesson.of(one) for one in said]
    net = closure_training.train(lessons, steps=40)
    assert closure_training.told_apart(net, lessons) > 0.8


def test_every_further_language_can_be_spoken():
    pytest.importorskip("espeakng_loader", reason="espeak-ng is needed to make priors alone")
    from relitalk_engine.speech.espeak import say

    for line in MORE_SENTENCES.read_text(encoding="utf-8").splitlines():
        voice, text = line.split("\t")
        names = [name for name, *_ in nearest_phones(say(text, voice))]
        assert any(name in visemes.CLOSED for name in names), voice
