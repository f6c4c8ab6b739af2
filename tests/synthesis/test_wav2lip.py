"""A user's own Wav2Lip: read as it was published, heard as it learned to hear, and seen by F_blend."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import torch

from relitalk_engine.config import SynthesisConfig
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.events import Reporter
from relitalk_engine.synthesis.bank import Bank, Driven
from relitalk_engine.synthesis.boxes import boxes, mouth_sweep
from relitalk_engine.synthesis.guides import SourceLight
from relitalk_engine.synthesis.mel import mel_spectra, window
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.spoken import Speaker, Spoken
from relitalk_engine.synthesis.synthesis import Painter, Synthesis
from relitalk_engine.synthesis.training import train_synthesis
from relitalk_engine.synthesis.wav2lip import Wav2Lip, load_wav2lip

FPS = Fraction(25)
CONFIG = dataclasses.replace(
    SynthesisConfig(), size=64, channels=8, steps_local=1, steps_blend=6, perceptual=0.0, neighbours=2, batch=1
)
KNOWN = slice(0, 24)
LIBROSA = {(0, 3): -0.3309, (10, 11): 0.1177, (40, 2): 0.9749, (40, 40): -0.9406, (60, 60): 0.2365, (80, 79): -0.7193}
"""Mel spectra of `_sound(1.0)` by librosa 0.11: row and band to value."""


@pytest.fixture(scope="module")
def net() -> Wav2Lip:
    """A Wav2Lip that has not learned anything, and in which no signal dies away."""
    torch.manual_seed(0)
    net = Wav2Lip()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    for name, value in net.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return net.half().float().eval()  # as exact as the file that it is kept in


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory):
    """A weights folder with its published checkpoint in it: names as of a training on several cards."""
    place = tmp_path_factory.mktemp("weights")
    state = {f"module.{name}": value.half() for name, value in net.state_dict().items()}
    torch.save({"state_dict": state, "optimizer": None, "global_step": 1}, place / "wav2lip.pth")
    return place


@pytest.fixture
def weights(folder, monkeypatch):
    monkeypatch.setenv("RELITALK_WEIGHTS", str(folder))
    return folder


def _sound(seconds: float) -> np.ndarray:
    time = np.arange(int(16000 * seconds)) / 16000
    return sum(0.3 / k * np.sin(2 * np.pi * 150 * k * time) for k in range(1, 48)).astype(np.float32)


def _voices() -> list[np.ndarray]:
    """A second of tone and one of silence, as blocks."""
    return [_sound(1.0), np.zeros(16000, np.float32)]


def _same(net: Wav2Lip, other: Wav2Lip) -> bool:
    mel, faces = torch.randn(1, 1, 80, 16), torch.rand(1, 6, 96, 96)
    with torch.no_grad():
        return torch.allclose(net(mel, faces), other(mel, faces), atol=1e-5)


def test_it_is_as_large_as_the_published_one(net):
    assert sum(p.numel() for p in net.parameters()) == 36_298_035
    names = net.state_dict()
    assert names["face_decoder_blocks.3.0.conv_block.0.weight"].shape == (768, 384, 3, 3)
    assert names["audio_encoder.9.conv_block.1.running_mean"].shape == (256,)
    with torch.no_grad():
        assert net(torch.zeros(2, 1, 80, 16), torch.rand(2, 6, 96, 96)).shape == (2, 3, 96, 96)


def test_a_checkpoint_and_a_torchscript_archive_are_read(net, folder, tmp_path):
    assert _same(load_wav2lip(folder / "wav2lip.pth"), net)
    sample = torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96)
    torch.jit.trace(net, sample).save(tmp_path / "wav2lip_gan.pth")
    assert _same(load_wav2lip(tmp_path / "wav2lip_gan.pth"), net)


def test_a_file_of_another_kind_or_that_runs_code_is_refused(tmp_path, net):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    path = tmp_path / "wav2lip.pth"
    state = {name: value[..., :1] for name, value in net.state_dict().items() if value.ndim}
    for content in (Evil(), [1, 2], {"state_dict": {"a": torch.zeros(3)}}, state):
        torch.save(content, path)
        with pytest.raises(ReliTalkError, match="not Wav2Lip's generator") as error:
            load_wav2lip(path)
        assert error.value.exit_code == 2
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(path)
    with pytest.raises(ReliTalkError, match="it has no face_encoder_blocks"):
        load_wav2lip(path)
    for junk in (b"", b"PK\x03\x04" + bytes(100), b"\x80\x02" + bytes(100)):
        path.write_bytes(junk)
        with pytest.raises(ReliTalkError, match="not Wav2Lip's generator"):
            load_wav2lip(path)


def test_spectra_are_librosas():
    spectra = mel_spectra([_sound(1.0)])
    assert spectra.shape == (81, 80)
    for (row, band), value in LIBROSA.items():
        assert spectra[row, band] == pytest.approx(value, abs=2e-4)


def test_spectra_do_not_depend_on_the_blocks():
    sound = _sound(1.3)
    whole = mel_spectra([sound])
    assert np.allclose(mel_spectra(np.array_split(sound, 29)), whole, atol=1e-5)
    assert len(whole) == 1 + len(sound) // 200


def test_each_frame_hears_its_own_stretch():
    rows = np.repeat(np.arange(200, dtype=np.float32)[:, None], 80, 1)
    assert window(rows, 26, FPS)[0].tolist() == list(range(80, 96))  # a frame earlier on, as it learned
    assert window(rows, 26, FPS, later=0.5)[0, 0] == 40
    assert window(rows, 31, Fraction(30000, 1001))[0, 0] == 79
    assert window(rows, 0, FPS)[0, :6].tolist() == [0, 0, 0, 0, 0, 1]
    assert window(rows, 10_000, FPS).shape == (80, 16)


class TrueFace:
    """Stands where Wav2Lip stands, and paints the other face that it is shown."""

    digest, spectra, fps, later = "", None, FPS, 0.0

    def say(self, frame, pose, other):
        """The mouth's half of what it sees is black."""
        assert not pose[48:].any() and pose[:30].any()
        return other


def test_its_face_lies_where_the_face_is(clip):
    motion = Motion.of(clip.head, clip.fit)
    light = SourceLight.of(clip.sh, clip.head, clip.fit)
    bank = Bank(clip.head, clip.fit, motion, light, clip.rgb.__getitem__, None)
    areas = boxes(clip.head, clip.fit, motion, mouth_sweep(motion, clip.head.mouth_actions), 120 / 256, 80 / 256)
    speaker = Speaker(TrueFace(), bank, clip.fit, areas.removed, np.arange(len(clip.fit)))
    for frame in (3, 30):
        driven = Driven(clip.head, clip.fit, motion, frame, light, 64)
        crop, true = speaker.crop(driven, frame, frame, clip.rgb[frame]), driven.crop(clip.rgb[frame])
        sure = crop[..., 3] > 0.99
        assert sure.sum() > 400 and not crop[:6].any()
        assert np.abs(crop[..., :3] - true)[sure].mean() < 0.02
        assert sure[driven.guides.planes[..., 4] > 0.5].mean() > 0.95  # the lips


def _train(clip, spoken, **more) -> Synthesis:
    return train_synthesis(
        clip.head, clip.fit.select(KNOWN), clip.rgb.__getitem__, None, clip.sh, CONFIG,
        spoken=spoken, reporter=Reporter(quiet=True), **more,
    )  # fmt: skip


def _paint(clip, synthesis, spoken, rgb=None) -> np.ndarray:
    take, known = clip.fit.select(slice(24, 36)), clip.fit.select(KNOWN)
    painter = Painter(synthesis, clip.head, known, clip.rgb.__getitem__, None, take, take.psi, spoken=spoken)
    return painter.paint(5, clip.rgb[29] if rgb is None else rgb(painter)).rgb


@pytest.fixture(scope="module")
def spoken(folder) -> Spoken:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELITALK_WEIGHTS", str(folder))
        found = Spoken.of(_voices(), FPS)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def synthesis(clip, spoken) -> Synthesis:
    trained = _train(clip, spoken)
    trained.networks.gain.fill_(1.0)  # follow them fully, though six steps have taught them little
    torch.manual_seed(1)
    for parameter in trained.networks.blend.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return trained


def test_what_is_heard_changes_the_picture(clip, synthesis, spoken):
    silent = dataclasses.replace(spoken, spectra=mel_spectra([np.zeros(32000, np.float32)]))
    heard, unheard, none = (_paint(clip, synthesis, sound) for sound in (spoken, silent, None))
    assert (heard != unheard).any() and (heard != none).any()


def test_nothing_of_the_footages_mouth_reaches_it(clip, synthesis, spoken):
    def scrambled(painter):
        x, y, w, h = painter.boxes.removed[5]
        rgb = clip.rgb[29].copy()
        rgb[y : y + h, x : x + w] = 255 - rgb[y : y + h, x : x + w]
        return rgb

    assert np.array_equal(_paint(clip, synthesis, spoken), _paint(clip, synthesis, spoken, scrambled))


def test_the_subject_remembers_which_weights_it_learned_with(clip, synthesis, spoken, weights, tmp_path, monkeypatch):
    again = Synthesis.from_tensors(synthesis.tensors())
    assert again.wav2lip == spoken.digest and len(spoken.digest) == 8
    one, two = (_paint(clip, s, spoken).astype(int) for s in (again, synthesis))
    assert np.abs(one - two).max() <= 1
    assert Spoken.of(_voices(), FPS, digest=again.wav2lip).digest == again.wav2lip
    with pytest.raises(ReliTalkError, match="trained with the Wav2Lip weights 01234567.*wav2lip.pth is"):
        Spoken.of(_voices(), FPS, digest="01234567")
    monkeypatch.setenv("RELITALK_WEIGHTS", str(tmp_path))
    assert Spoken.of(_voices(), FPS) is None
    with pytest.raises(ReliTalkError, match="are not here") as error:
        Spoken.of(_voices(), FPS, digest=again.wav2lip)
    assert error.value.exit_code == 2


def test_a_training_with_it_is_not_taken_up_without_it(clip, spoken, tmp_path):
    kept = tmp_path / "synthesis.safetensors"
    assert _train(clip, spoken, checkpoint=kept).networks.spoken == 4
    assert _train(clip, None, checkpoint=kept).networks.spoken == 0
