"""A user's own ears: checkpoints are read as they are published, and missing ones are named."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.speech.adapters import DEEP, best_kind, listener
from relitalk_engine.speech.features import PhoneFeatures
from relitalk_engine.speech.transformer import SpeechTransformer, hidden, load_transformer

FPS = Fraction(25)
PLAIN = PhoneFeatures().layout


def small() -> SpeechTransformer:
    torch.manual_seed(0)
    return SpeechTransformer(width=128, inner=64, layers=9, convolved=16, groups=16).eval()


def published(net: SpeechTransformer, prefix: str) -> dict[str, torch.Tensor]:
    """Tensors named as in a published checkpoint, the place convolution split into size and direction."""
    state = {prefix + name: value.clone() for name, value in net.state_dict().items()}
    stem = prefix + "encoder.pos_conv_embed.conv."
    weight = state.pop(stem + "weight")
    state[stem + "weight_g"] = weight.norm(dim=(0, 1), keepdim=True)
    state[stem + "weight_v"] = 3.0 * weight
    return state | {"lm_head.bias": torch.zeros(3)}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("RELITALK_WEIGHTS", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("prefix", "ending"), [("hubert.", "safetensors"), ("wav2vec2.", "pt"), ("", "pt")])
def test_a_checkpoint_is_read_whatever_its_prefix(prefix, ending, tmp_path, other_voice):
    net, path = small(), tmp_path / f"hubert_base.{ending}"
    state = published(net, prefix)
    if ending == "pt":
        torch.save(state, path)
    else:
        save_file(state, path)
    codes = hidden(load_transformer(path), other_voice[:16100])
    assert codes.shape == (51, 128)
    assert np.allclose(codes, hidden(net, other_voice[:16100]), atol=1e-4)


def test_it_hears_what_sounds_when_it_sounds(other_voice):
    net = small()
    sound = np.zeros(32000, np.float32)
    sound[16000:24000] = other_voice[4000:12000]
    codes = net.feature_projection["projection"].weight.new_tensor(hidden(net, sound)).numpy()
    change = np.linalg.norm(np.diff(codes, axis=0), axis=1)
    assert abs(int(change.argmax()) - 50) < 27 and change[48:77].mean() > change[:20].mean()


def test_a_file_that_runs_code_or_is_none_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    torch.save({"encoder": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "torn.safetensors").write_bytes(b"nothing of the kind")
    for name in ("evil.pt", "torn.safetensors"):
        with pytest.raises(ReliTalkError, match="not a HuBERT"):
            load_transformer(tmp_path / name)


def test_the_checkpoint_widens_the_features_and_its_loss_is_named(weights, other_voice, sample_voice):
    assert best_kind(sample_voice) == "phones"
    save_file(published(small(), "hubert."), weights / "hubert_base.safetensors")
    assert best_kind(sample_voice) == "transformer"
    features = listener("transformer", sample_voice).extract(other_voice, FPS, 75)
    assert features.shape == (75, PLAIN.width + DEEP)
    assert features[:, PLAIN.width :].std(0).min() > 0
    assert np.allclose(features[:, : PLAIN.width], listener("phones", sample_voice).extract(other_voice, FPS, 75))
    (weights / "hubert_base.safetensors").unlink()
    with pytest.raises(ReliTalkError, match="trained with HuBERT"):
        listener("transformer", sample_voice)


def test_logits_beside_the_sound_are_heard_at_their_time(tmp_path, other_voice):
    sound = tmp_path / "hello.wav"
    with pytest.raises(ReliTalkError, match=r"hello\.logits\.npy"):
        listener("logits", sound)
    logits = np.full((150, 29), -9.0, np.float32)
    logits[:75, 3], logits[75:, 7] = 9.0, 9.0
    np.save(tmp_path / "hello.logits.npy", logits)
    assert best_kind(sound) == "logits" and best_kind(sound, whole=False) == "phones"
    learnt = listener("logits", sound).extract(other_voice, FPS, 75)[:, PLAIN.width :]
    assert learnt.shape == (75, 29)
    assert (learnt[:36, 3] > 0.99).all() and (learnt[39:, 7] > 0.99).all()


@pytest.mark.parametrize("bad", [np.zeros(5), np.full((4, 3), np.nan)])
def test_logits_that_are_none_are_refused(tmp_path, bad):
    np.save(tmp_path / "hello.logits.npy", bad)
    with pytest.raises(ReliTalkError, match="steps, letters|finite numbers"):
        listener("logits", tmp_path / "hello.wav")
