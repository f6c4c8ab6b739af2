"""Soft phones: the sum over all strings is right, and the real model hears what is said."""

import itertools

import numpy as np

from relitalk_engine.speech.acoustics import cepstra, spectra
from relitalk_engine.speech.phones import PhoneModel, load_phone_model


def test_beliefs_equal_the_sum_over_every_path():
    rng = np.random.default_rng(1)
    stay = rng.uniform(0.3, 0.8, (2, 3))
    follows = rng.dirichlet((1.0, 1.0), 2)
    empty = np.zeros(0)
    model = PhoneModel(("A", "B"), empty, empty, empty, empty, stay, follows)
    scores = rng.normal(0.0, 2.0, (6, 2, 3))
    belief = model.posteriors(scores, sharpness=1.0)

    step = np.zeros((6, 6))
    for state in range(6):
        step[state, state] += stay.reshape(-1)[state]
        leave = 1.0 - stay.reshape(-1)[state]
        if state % 3 < 2:
            step[state, state + 1] += leave
        else:
            step[state, [0, 3]] += leave * follows[state // 3]
    expected = np.zeros((6, 2))
    for path in itertools.product(range(6), repeat=6):
        if path[0] % 3:
            continue
        chance = np.prod([step[a, b] for a, b in itertools.pairwise(path)])
        chance *= np.exp(sum(scores[t, s // 3, s % 3] for t, s in enumerate(path)))
        for t, state in enumerate(path):
            expected[t, state // 3] += chance
    assert np.allclose(belief, expected / expected.sum(1, keepdims=True), atol=1e-5)


def test_the_model_hears_most_phones_of_a_sentence_as_the_recogniser_aligns_them(other_voice):
    model = load_phone_model()
    heard = spectra(other_voice)
    belief = model.posteriors(model.scores(cepstra(other_voice)), 0.2)
    assert np.allclose(belief.sum(1), 1.0, atol=1e-4)
    # espeak's voice is far from the model's, yet silence, vowels and hisses are told apart
    silence = belief[:, model.names.index("SIL")]
    assert silence[heard.loudness > -25].mean() < 0.25
    hiss = belief[:, [model.names.index(p) for p in ("S", "Z", "SH", "ZH", "CH", "JH", "F", "T", "TH")]].sum(1)
    loud = heard.loudness > -40
    assert hiss[loud & (heard.voicing < 0.35)].mean() > 2 * hiss[loud & (heard.voicing > 0.8)].mean()


def test_phones_follow_phones_with_probabilities():
    model = load_phone_model()
    assert np.allclose(model.follows.sum(1), 1.0)
    assert ((model.stay > 0) & (model.stay < 1)).all()
    index = model.names.index
    assert model.follows[index("S"), index("T")] > model.follows[index("S"), index("ZH")]


def test_a_word_is_parted_into_its_phones_where_the_sound_changes():
    empty = np.zeros(0)
    model = PhoneModel(("A", "B"), empty, empty, empty, empty, empty, empty)
    scores = np.zeros((20, 2, 3))
    scores[:8, 0] = scores[8:14, 1] = scores[14:, 0] = 5.0
    assert list(model.part(scores, [0, 1, 0])) == [0, 8, 14, 20]
    assert list(model.part(scores[:5], [0, 1])) == [0, 2, 5]  # fewer rows than states
