"""A speaker learned from a clip, driven by another sentence."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from relitalk_engine.config import SpeechConfig
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.speech.expression import train_network
from relitalk_engine.speech.features import PhoneFeatures
from relitalk_engine.speech.lip_mesh import LipMesh, Lips
from relitalk_engine.speech.model import MOTIONS, SpeechModel, contact, quietness, see
from relitalk_engine.speech.training import train_speech

FPS = Fraction(25)
CONFIG = SpeechConfig(steps=45, channels=12)
LAYOUT = PhoneFeatures().layout


def speaker(head, features: np.ndarray) -> np.ndarray:
    """psi [T, E] of someone who speaks by the rule, more lazily, with a lopsided mouth and a jittery fit."""
    mesh = LipMesh(Lips.of(head, np.zeros(len(head.shape_basis))), LAYOUT)
    psi = np.zeros((len(features), len(head.expression_names)), np.float32)
    mouth = 0.7 * mesh.actions(features)
    mouth[:, mesh.lips.actions.index("mouthLeft")] += 0.1
    psi[:, head.mouth_actions] = mouth + 0.02 * np.random.default_rng(0).random(mouth.shape)
    return psi


@pytest.fixture(scope="module")
def beta(head) -> np.ndarray:
    return np.zeros(len(head.shape_basis), np.float32)


@pytest.fixture(scope="module")
def model(head, beta, clip_features) -> SpeechModel:
    psi = speaker(head, clip_features)
    return train_speech(clip_features, psi, head, beta, FPS, CONFIG, np.random.default_rng(0))


def test_a_new_sentence_opens_the_mouth_as_the_speaker_would(model, head, other_features):
    driven = model.drive(other_features)
    own = speaker(head, other_features)[:, head.mouth_actions]
    lips = model.mesh.lips
    assert driven.shape == own.shape
    assert np.corrcoef(lips.opening(driven), lips.opening(own))[0, 1] > 0.7
    assert np.corrcoef(lips.width(driven), lips.width(own))[0, 1] > 0.5
    assert 0.5 < lips.opening(driven).std() / lips.opening(own).std() < 1.6
    assert model.held is not None and model.held.opening > 0.5


def test_actions_stay_in_range(model, other_features):
    driven = model.drive(5 * other_features)
    assert driven.min() >= 0.0 and driven.max() <= 1.0
    assert driven.dtype == np.float32


def test_it_comes_back_from_a_file_to_the_bit(model, head, beta, clip_features, other_features, tmp_path):
    inputs = see(clip_features, model.mesh)
    motion = 0.01 * np.random.default_rng(1).standard_normal((200, MOTIONS))
    pupils = [train_network(inputs, motion, model.to_psi, np.arange(200), CONFIG, 1, seed) for seed in (0, 1)]
    plain = model.drive(other_features)
    model = replace(model, pupils=pupils, held=replace(model.held, network=0.5))
    assert not np.array_equal(model.drive(other_features), plain)
    save_file(model.tensors(), tmp_path / "speech.safetensors")
    again = SpeechModel.from_tensors(load_file(tmp_path / "speech.safetensors"), head, beta)
    assert again.fps == FPS and again.held == model.held
    assert np.array_equal(again.drive(other_features), model.drive(other_features))


def test_training_is_repeatable(model, head, beta, clip_features, other_features):
    psi = speaker(head, clip_features)
    again = train_speech(clip_features, psi, head, beta, FPS, CONFIG, np.random.default_rng(0))
    assert np.array_equal(again.drive(other_features), model.drive(other_features))


def test_long_speech_is_driven_in_pieces_without_a_seam(model, other_features, monkeypatch):
    long = np.tile(other_features, (4, 1))
    whole = model.drive(long)
    monkeypatch.setattr("relitalk_engine.speech.model.PIECE", 110)
    assert np.allclose(model.drive(long), whole, atol=1e-5)


def test_the_mouth_is_still_in_silence(model, clip_voice):
    voice = np.concatenate([clip_voice[:48000], np.zeros(48000, np.float32), clip_voice[48000:64000]])
    opening = model.mesh.lips.opening(model.drive(PhoneFeatures(words=False).extract(voice, FPS, 175)))
    pause = opening[75 + 15 : 150 - 15]
    assert pause.std() < 0.03 * opening[:75].std()


def test_lips_touch_where_p_b_or_m_is_sure_and_only_there(model, clip_features):
    sure, unsure = clip_features[:20].copy(), clip_features[:20].copy()
    sure[:, LAYOUT.speech] = unsure[:, LAYOUT.speech] = 1.0
    sure[:, LAYOUT.level] = unsure[:, LAYOUT.level] = 0.0
    sure[:, LAYOUT.touch], unsure[:, LAYOUT.touch] = 0.95, 0.1
    unsure[:, LAYOUT.understood] = 1 / len(LAYOUT.phones)
    assert contact(sure, LAYOUT, FPS).min() == 1.0 and contact(unsure, LAYOUT, FPS).max() == 0.0
    for mouth, smooth in ((1.0, 1.0), (1.5, 0.0), (0.5, 4.0)):
        assert model.mesh.lips.opening(model.drive(sure, mouth, smooth)).max() < 0.012
    assert model.mesh.lips.opening(model.closed[None])[0] < 0.012


def test_lips_meet_for_one_frame_and_are_on_their_way_in_those_beside(model, clip_features):
    features = clip_features[:20].copy()
    features[:, LAYOUT.understood], features[:, LAYOUT.touch] = 1 / len(LAYOUT.phones), 0.0
    features[10, LAYOUT.touch] = 1.0
    met = contact(features, LAYOUT, FPS)
    assert met[10] == 1.0 and 0.1 < met[9] == met[11] < 0.5 and met[:9].max() == met[12:].max() == 0.0
    fast = contact(features, LAYOUT, 2 * FPS)
    assert np.isclose(fast[12], met[11]) and met[11] < fast[11] < 1.0


def test_amplitude_widens_the_mouth_and_smoothing_calms_it(model, other_features):
    plain, wide, calm = (model.mesh.lips.opening(model.drive(other_features, *how)) for how in ((), (1.5,), (1.0, 4.0)))
    assert wide.std() > 1.1 * plain.std()
    assert np.abs(np.diff(calm)).mean() < 0.9 * np.abs(np.diff(plain)).mean()


def test_a_pause_fades_in_and_out_smoothly():
    features = np.zeros((100, LAYOUT.width), np.float32)
    features[:30, LAYOUT.speech] = features[70:, LAYOUT.speech] = 1.0
    quiet = quietness(features, LAYOUT, FPS)
    assert quiet[:31].max() == 0.0 and quiet[69:].max() == 0.0
    assert quiet[45:55].min() == 1.0
    assert np.abs(np.diff(quiet)).max() < 0.25
    features[30:50, LAYOUT.speech] = 1.0  # what is left is a short pause: the mouth holds for longer
    assert quietness(features, LAYOUT, FPS)[:56].max() == 0.0
    assert quietness(np.zeros_like(features), LAYOUT, FPS).min() == 1.0


def test_too_few_good_frames_are_refused_with_the_count(head, beta, clip_features):
    valid = np.zeros(200, bool)
    valid[:30] = True
    psi = speaker(head, clip_features)
    with pytest.raises(ReliTalkError, match="30 good frames"):
        train_speech(clip_features, psi, head, beta, FPS, CONFIG, np.random.default_rng(0), valid)


def test_features_of_another_kind_are_refused(model):
    with pytest.raises(ReliTalkError, match="columns"):
        model.drive(np.zeros((10, 7), np.float32))


def test_weights_that_do_not_fit_are_refused(model, head, beta):
    data = model.tensors()
    del data["whole.dual"], data["rest"]
    with pytest.raises(ReliTalkError, match="speech weights"):
        SpeechModel.from_tensors(data, head, beta)


def test_without_a_voice_to_learn_from_the_rule_speaks(head, beta, other_features, tmp_path):
    model = SpeechModel.of_anyone(head, beta, FPS)
    driven = model.drive(other_features)
    assert model.mesh.lips.opening(driven).std() > 0.02
    again = SpeechModel.from_tensors(model.tensors(), head, beta)
    assert np.array_equal(again.drive(other_features), driven)


def test_sixty_frames_a_second_learn_too(head, beta, clip_voice):
    fps = Fraction(60)
    features = PhoneFeatures(words=False).extract(clip_voice[:80000], fps, 300)
    psi = speaker(head, features)
    model = train_speech(features, psi, head, beta, fps, replace(CONFIG, steps=6), np.random.default_rng(0))
    lips = model.mesh.lips
    own = lips.opening(psi[:, head.mouth_actions])
    assert np.corrcoef(lips.opening(model.drive(features)), own)[0, 1] > 0.7
