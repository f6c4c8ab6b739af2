"""Weights of the user's own on the whole way: used where they are, remembered, and missed with a sentence."""

import json
import shutil

import numpy as np
import pytest
import torch

from relitalk_engine.media import images
from relitalk_engine.subject import Subject
from relitalk_engine.synthesis.wav2lip import Wav2Lip
from relitalk_engine.take import Take


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A weights folder of the user's."""
    monkeypatch.setenv("RELITALK_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def taken_back(subject, place, *stages: str):
    """A copy of a subject as if its training had been stopped before some stages; where --resume ends."""
    half = place.with_name(place.name + ".building")
    shutil.copytree(subject, half)
    table = json.loads((half / "subject.json").read_text())
    table["stages_done"] = [name for name in table["stages_done"] if name not in stages]
    (half / "subject.json").write_text(json.dumps(table))
    return place


def test_a_file_that_is_no_wav2lip_is_said_at_once(weights, run, tmp_path, sample_clip, tiny_preset):
    torch.save({"state_dict": {"a": torch.zeros(2)}}, weights / "wav2lip.pth")
    place = tmp_path / "a.relitalk"
    code, events = run("train", sample_clip, "-o", place, "--preset", tiny_preset)
    assert code == 2 and "not Wav2Lip's generator" in events[-1]["message"]
    assert not list(tmp_path.glob("a.relitalk*"))


def test_a_subject_learns_with_wav2lip_and_is_driven_with_it(
    weights, subject, run, tmp_path, sample_clip, sample_voice, tiny_preset
):
    torch.manual_seed(0)
    torch.save({"state_dict": Wav2Lip().half().state_dict()}, weights / "wav2lip_gan.pth")
    place = taken_back(subject, tmp_path / "spoken.relitalk", "synthesis", "report")
    words = ("train", sample_clip, "-o", place, "--preset", tiny_preset, "--duration", 2)
    code, events = run(*words, "--resume")
    assert code == 0, events[-1]
    assert len(Subject.open(place).info.metrics["wav2lip"]) == 8
    takes = {}
    for name, more in (("heard", ()), ("edited", ("--motion", tmp_path / "heard" / "motion.npz"))):
        words = ("render", place, "--audio", sample_voice, "--frames", "10:12", "--background", "keep")
        code, events = run(*words, "-o", tmp_path / name, *more)
        assert code == 0, events[-1]
        takes[name] = images.read_image(Take.open(tmp_path / name).beauty_path(10))
    assert takes["heard"].shape == takes["edited"].shape and np.ptp(takes["heard"][..., :3]) > 0.5
    (weights / "wav2lip_gan.pth").unlink()
    code, events = run(*words, "-o", tmp_path / "lost")
    assert code == 2 and "trained with the Wav2Lip weights" in events[-1]["message"]
    assert not list(tmp_path.glob("lost*"))


def test_voca_takes_the_place_of_f_mesh_where_deepspeechs_logits_are(
    weights, subject, run, tmp_path, sample_clip, sample_voice, tiny_preset, voca_arrays, write_bundle
):
    write_bundle(weights / "voca.index", voca_arrays)
    clip, voice = (shutil.copy(path, tmp_path) for path in (sample_clip, sample_voice))
    place = taken_back(subject, tmp_path / "voca.relitalk", "speech", "report")
    words = ("train", clip, "-o", place, "--preset", tiny_preset, "--resume")
    code, events = run(*words)
    assert code == 0, events[-1]
    assert any("sample.logits.npy" in event.get("message", "") for event in events if event["event"] == "warning")
    assert "voca" not in Subject.open(place).info.metrics
    shutil.rmtree(place)
    taken_back(subject, place, "speech", "report")
    logits = np.random.default_rng(0).normal(0, 3, (100, 29)).astype(np.float32)
    np.save(tmp_path / "sample.logits.npy", logits)
    code, events = run(*words)
    assert code == 0 and not any(event["event"] == "warning" and "VOCA" in event["message"] for event in events)
    assert len(Subject.open(place).info.metrics["voca"]) == 8
    words = ("render", place, "--audio", voice, "--motion-only")
    code, events = run(*words, "-o", tmp_path / "take")
    assert code == 2 and "sentence.logits.npy is not there" in events[-1]["message"]
    np.save(tmp_path / "sentence.logits.npy", logits)
    code, events = run(*words, "-o", tmp_path / "take")
    assert code == 0, events[-1]
    heard = np.load(tmp_path / "take" / "motion.npz")
    assert np.ptp(heard["psi"], axis=0).max() > 0.01
