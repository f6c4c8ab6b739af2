"""What F_mesh's ear is taught with: the mouth fits the sound in time, and the lesson is learnt."""

import subprocess
import sys

import numpy as np
import pytest

from relitalk_engine.speech import visemes
from relitalk_engine.speech.acoustics import spectra
from relitalk_engine.speech.utterances import MORE_VARIANTS, VARIANTS, mouth, nearest_phones, utterances

pytest.importorskip("espeakng_loader", reason="espeak-ng is needed to make priors alone")
JAW = visemes.ACTIONS.index("jawOpen")
PRESS = visemes.ACTIONS.index("mouthPress")


def test_phones_come_at_their_time():
    from relitalk_engine.speech.espeak import say

    spoken = say("Papa", "en-us")
    phones = list(nearest_phones(spoken))
    vowels = [(start, stop) for name, start, stop in phones if name in ("AA", "AH")]
    stops = [(start, stop) for name, start, stop in phones if name == "P"]
    assert len(vowels) == len(stops) == 2

    def power(start: float, stop: float) -> float:
        return float((spoken.samples[int(start * spoken.rate) : int(stop * spoken.rate)] ** 2).mean())

    assert min(power(*v) for v in vowels) > 3 * max(power(*s) for s in stops)


def test_no_voice_is_refused_by_name():
    from relitalk_engine.speech.espeak import say

    with pytest.raises(ValueError, match="no voice xx"):
        say("hello", "xx")


def test_lips_close_on_b_and_open_early_for_the_vowel():
    actions, said = mouth([("b", 0.3), ("ˈɑː", 0.4), ("m", 0.7), ("", 0.8)], 120)
    assert actions[:, PRESS].argmax() in range(28, 42)
    assert actions[70:80, PRESS].max() > 1.5 * actions[55, PRESS]
    assert actions[50:55, JAW].min() > 2 * actions[34, JAW]
    assert actions[67, JAW] < actions[60, JAW] < actions[52, JAW]  # on its way to m before m sounds
    assert np.allclose(said.sum(1), 1, atol=1e-4)
    assert visemes.PHONES[said[55].argmax()] == "AA" and visemes.PHONES[said[110].argmax()] == "SIL"


def test_a_change_of_language_is_no_phone():
    plain, marked = (mouth(phones, 60) for phones in ([("b", 0.3)], [("(en)", 0.1), ("b", 0.3)]))
    assert np.allclose(plain[1][35], marked[1][35])
    assert visemes.PHONES[marked[1][20].argmax()] == "SIL"


def test_every_voice_speaks_and_the_mouth_moves_with_the_sound():
    for said in utterances(6, np.random.default_rng(3)):
        level = spectra(said.samples).loudness
        assert len(level) == len(said.actions) == len(said.phones)
        assert np.isfinite(said.samples).all() and np.abs(said.samples).max() <= 1
        silent = said.phones[:, visemes.PHONES.index("SIL")] > 0.9
        assert level[~silent].mean() > level[silent].mean()
        assert said.actions[~silent, JAW].std() > 0.03


def test_all_variants_are_there():
    from relitalk_engine.speech.espeak import say

    for variant in VARIANTS + MORE_VARIANTS:
        assert len(say("a", f"en-us+{variant}").samples) > 1000


def test_the_same_dice_say_the_same():
    program = (
        "import hashlib, numpy as np; from relitalk_engine.speech.utterances import utterances; "
        "said = list(utterances(3, np.random.default_rng(5))); "
        "print(hashlib.sha256(b''.join(u.samples.tobytes() + u.actions.tobytes() for u in said)).hexdigest())"
    )
    call = [sys.executable, "-c", program]
    first, second = (subprocess.run(call, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == second and len(first) == 65
