"""Words and their phones."""

import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.speech.acoustics import cepstra
from relitalk_engine.speech.phones import load_phone_model
from relitalk_engine.speech.words import WordRecogniser


@pytest.fixture(scope="module")
def recogniser() -> WordRecogniser:
    return WordRecogniser()


def test_phones_of_what_is_heard_run_on_without_overlap(recogniser, other_voice):
    opinions = recogniser.hear(other_voice)
    assert len(opinions) == 2
    for phones in opinions:
        assert len(phones) > 10
        assert all(a.end <= b.start for a, b in zip(phones, phones[1:], strict=False))
        assert all(0.0 <= p.confidence <= 1.0 for p in phones)


def test_one_quick_listening_parts_words_into_phones_as_careful_ones_align_them(recogniser, clip_voice):
    scores = load_phone_model().scores(cepstra(clip_voice))
    quick = recogniser.understand(clip_voice, scores)
    assert all(a.end <= b.start for a, b in zip(quick, quick[1:], strict=False))
    assert quick[-1].end <= len(scores)
    careful = recogniser.hear(clip_voice)[1]
    middles = {(p.start + p.end) // 2: p.name for p in careful if p.name != "SIL"}
    same = [any(q.start <= at < q.end and q.name == name for q in quick) for at, name in middles.items()]
    assert np.mean(same) > 0.7


def test_a_transcript_is_laid_over_the_sound(recogniser, other_voice):
    phones = recogniser.align(other_voice, "Five big boxes of fresh fruit were moved to the room.")
    said = [p.name for p in phones if p.name != "SIL"]
    assert said[:6] == ["F", "AY", "V", "B", "IH", "G"]
    assert all(p.confidence == 1.0 for p in phones)
    # and the recogniser still hears words afterwards
    assert all(recogniser.hear(other_voice))


def test_a_transcript_of_unknown_words_is_refused_in_words(recogniser, other_voice):
    with pytest.raises(ReliTalkError, match="dictionary"):
        recogniser.align(other_voice, "Xqzt brrwl 123")


def test_no_words_in_nothing(recogniser):
    nothing = np.zeros(160, np.float32)
    assert recogniser.hear(nothing) == [[], []]
    assert recogniser.understand(nothing, load_phone_model().scores(cepstra(nothing))) == []
