"""A user's own VOCA: read as TensorFlow wrote it, heard at its times, and in F_mesh's place."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from relitalk_engine.config import SpeechConfig
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.speech import voca
from relitalk_engine.speech.adapters import best_kind, listener
from relitalk_engine.speech.features import PhoneFeatures
from relitalk_engine.speech.lip_mesh import LIP_POINTS, LipMesh, Lips
from relitalk_engine.speech.model import SpeechModel, anyone
from relitalk_engine.speech.tensor_bundle import read_bundle
from relitalk_engine.speech.training import train_speech
from relitalk_engine.speech.voca_net import LIPS, VERTICES, Voca, load_voca, moved

FPS = Fraction(25)
PLAIN = PhoneFeatures().layout
HEARS, SPEAKS = "VOCA/SpeechEncoder/", "VOCA/ExpressionLayer/expression_offset/"


@pytest.fixture
def arrays(voca_arrays) -> dict[str, np.ndarray]:
    return voca_arrays


@pytest.fixture
def weights(arrays, write_bundle, tmp_path, monkeypatch):
    """A weights folder with a VOCA in it."""
    folder = tmp_path / "weights"
    folder.mkdir()
    write_bundle(folder / "voca.index", arrays)
    monkeypatch.setenv("RELITALK_WEIGHTS", str(folder))
    return folder


def by_hand(arrays: dict[str, np.ndarray], window: np.ndarray, style: int) -> np.ndarray:
    """The published layers, one product at a time: [16, 29] logits to all vertices [5023, 3]."""
    gamma, beta, mean, variance = (
        arrays[f"{HEARS}batch_norm/{part}"][0] for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    told = np.eye(8)[style]
    x = np.concatenate([(window - mean) / np.sqrt(variance + 1e-5) * gamma + beta, np.tile(told, (16, 1))], 1)
    for k in range(1, 5):
        x = np.concatenate([x, np.zeros((1, x.shape[1]))])
        kernel = arrays[f"{HEARS}conv{k}/weights"][:, 0]
        rows = [np.einsum("ki,kio->o", x[2 * t : 2 * t + 3], kernel) for t in range(len(x) // 2)]
        x = np.maximum(np.stack(rows) + arrays[f"{HEARS}conv{k}/biases"], 0)
    x = np.concatenate([x.ravel(), told])
    x = np.tanh(x @ arrays[HEARS + "fc1/weights"] + arrays[HEARS + "fc1/biases"])
    x = x @ arrays[HEARS + "fc2/weights"] + arrays[HEARS + "fc2/biases"]
    return (x @ arrays[SPEAKS + "weights"] + arrays[SPEAKS + "biases"]).reshape(VERTICES, 3)


def test_the_bundle_is_read_by_name(weights, arrays):
    found = read_bundle(weights / "voca.index", list(arrays))
    assert all(np.array_equal(found[name], value) for name, value in arrays.items())
    with pytest.raises(ValueError, match="it has no VOCA/nothing"):
        read_bundle(weights / "voca.index", ["VOCA/nothing"])


def test_the_network_is_the_published_one(weights, arrays):
    net = load_voca(weights / "voca.index")
    assert isinstance(net, Voca) and net.styles == 8
    window = np.random.default_rng(1).normal(0, 3, (16, 29)).astype(np.float32)
    for style in (0, 5):
        with torch.no_grad():
            lips = net(torch.from_numpy(window)[None], torch.eye(8)[style])[0].numpy()
        assert np.allclose(lips, by_hand(arrays, window, style)[list(LIPS)], atol=1e-6)
    mean = np.mean([by_hand(arrays, window, style)[list(LIPS)] for style in range(8)], 0)
    assert np.allclose(moved(net, window[None])[0], mean, atol=1e-6)
    assert len(LIPS) == len(set(LIPS)) == len(LIP_POINTS)


def test_a_checkpoint_of_another_kind_or_torn_is_refused(weights, arrays, write_bundle):
    index, data = weights / "voca.index", weights / "voca.data-00000-of-00001"
    whole = index.read_bytes()
    for torn in (b"", whole[200:], b"x" * 900, whole[:40] + b"\xff" * 40 + whole[80:]):
        index.write_bytes(torn)
        with pytest.raises(ReliTalkError, match="not VOCA's checkpoint") as error:
            load_voca(index)
        assert error.value.exit_code == 2
    write_bundle(index, {name: value for name, value in arrays.items() if "fc2" not in name})
    with pytest.raises(ReliTalkError, match="it has no VOCA/SpeechEncoder/fc2/weights"):
        load_voca(index)
    write_bundle(index, arrays | {SPEAKS + "biases": np.zeros(300, np.float32)})
    with pytest.raises(ReliTalkError, match="not VOCA's checkpoint"):
        load_voca(index)
    data.unlink()
    with pytest.raises(ReliTalkError, match="not VOCA's checkpoint"):
        load_voca(index)


def test_logits_are_heard_about_their_time_and_nothing_outside_the_sound():
    logits = np.arange(150, dtype=np.float32)[:, None].repeat(29, 1) + 1
    heard = voca.windows(logits, np.array([0.0, 1.0, 3.0]), 3.0)[..., 0]
    assert heard.shape == (3, 16)
    assert not heard[0, :8].any() and heard[0, 8] == 1 and not heard[2, 8:].any() and heard[2, 7] > 148
    assert np.allclose(heard[1], 1 + (1.0 + (np.arange(16) - 8) / 60) * 50, atol=1e-3)


@pytest.fixture
def mesh(head) -> voca.VocaMesh:
    from dataclasses import replace

    return voca.VocaMesh(Lips.of(head, np.zeros(len(head.shape_basis))), replace(PLAIN, deep=3 * len(LIP_POINTS)))


def lips_asked(mesh: LipMesh, psi: np.ndarray) -> np.ndarray:
    """Features of lips that VOCA moved as actions [T, M] would."""
    features = np.zeros((len(psi), mesh.layout.width), np.float32)
    moved = mesh.lips.vertices(psi) - mesh.lips.template
    features[:, mesh.layout.learnt] = 100 * moved.reshape(len(psi), -1)
    return features


def test_the_lips_are_this_heads_moved_as_voca_moves_them(mesh):
    psi = np.zeros((3, len(mesh.lips.actions)), np.float32)
    psi[1, mesh.lips.actions.index("jawOpen")] = 0.6
    psi[2, mesh.lips.actions.index("mouthPucker")] = 0.7
    features = lips_asked(mesh, psi)
    assert np.allclose(mesh.vertices(features), mesh.lips.vertices(psi), atol=1e-6)
    said = anyone(features, mesh)
    assert said.min() >= 0 and said.max() <= 1
    opening, width = mesh.lips.opening(psi), mesh.lips.width(psi)
    assert np.allclose(mesh.lips.opening(said), opening, atol=0.02)
    assert np.allclose(mesh.lips.width(said), width, atol=0.02)


def test_a_subject_learns_with_it_and_remembers_which(weights, head, tmp_path, clip_voice):
    sound = tmp_path / "clip.wav"
    np.save(tmp_path / "clip.logits.npy", np.random.default_rng(2).normal(0, 3, (400, 29)).astype(np.float32))
    kind = best_kind(sound)
    assert kind == voca.kind() and len(kind) == len("voca-") + 8 and best_kind(sound, whole=False) == "phones"
    features = listener(kind, sound).extract(clip_voice[: 16000 * 8], FPS, 200)
    assert features.shape == (200, PLAIN.width + 120) and features[:, PLAIN.width :].std(0).min() > 0
    psi = np.abs(np.random.default_rng(3).normal(0, 0.2, (200, len(head.expression_names)))).clip(0, 1)
    beta = np.zeros(len(head.shape_basis))
    rng = np.random.default_rng(0)
    model = train_speech(features, psi, head, beta, FPS, SpeechConfig(steps=3, channels=16), rng, kind=kind)
    again = SpeechModel.from_tensors(model.tensors(), head, beta)
    assert again.kind == kind and isinstance(again.mesh, voca.VocaMesh)
    assert np.allclose(again.drive(features), model.drive(features), atol=1e-5)


def test_what_it_needs_is_said(weights, arrays, write_bundle, tmp_path):
    sound, kind = tmp_path / "clip.wav", voca.kind()
    with pytest.raises(ReliTalkError, match=r"clip\.logits\.npy is not there") as error:
        listener(kind, sound)
    assert error.value.exit_code == 2
    np.save(tmp_path / "clip.logits.npy", np.zeros((150, 32), np.float32))
    with pytest.raises(ReliTalkError, match="VOCA hears 29 letters"):
        listener(kind, sound)
    np.save(tmp_path / "clip.logits.npy", np.zeros((150, 29), np.float32))
    write_bundle(weights / "voca.index", {name: value + 0.1 for name, value in arrays.items()})
    with pytest.raises(ReliTalkError, match="trained with the VOCA checkpoint .* is another"):
        listener(kind, sound)
    (weights / "voca.index").unlink()
    with pytest.raises(ReliTalkError, match="has none"):
        listener(kind, sound)
