"""Wrong calls through the real entry point: a sentence, an exit code, nothing half-written."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from relitalk_engine.cli import main
from relitalk_engine.cli.arguments import build
from relitalk_engine.cli.checks import background, frame_range


def write_wav(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def refused(capsys, *words: object) -> tuple[int, dict]:
    """Run a call that must be refused; its exit code and its one error event."""
    code = main([*map(str, words), "--events"])
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    errors = [event for event in events if event["event"] == "error"]
    assert len(errors) == 1 and events[-1] is errors[0]
    assert "Traceback" not in out + err
    assert errors[0]["message"].endswith(".") and errors[0]["hint"].endswith(".")
    return code, errors[0]


@pytest.fixture
def subject_folder(tmp_path) -> Path:
    """A whole subject as far as the checks can see."""
    from fractions import Fraction

    from safetensors.numpy import save_file

    from relitalk_engine.subject import Source, Subject, SubjectInfo

    place = tmp_path / "anna.relitalk"
    facts = SubjectInfo("anna", Source("a.mp4", "0"), Fraction(25), 1, (8, 8), (8, 8), (0, 0, 8, 8))
    subject = Subject.create(place, facts)
    save_file({name: np.zeros((1, 3), np.float32) for name in ("psi", "rotation", "translation")}, subject.head_path)
    save_file({"a": np.zeros(1, np.float32)}, subject.weights_path)
    for path in (subject.light_path, subject.frames_path, subject.pass_path(0)):
        path.write_bytes(b"{}")
    return subject.finish(place).path


TRAIN = ("train", "CLIP", "-o", "OUT/a.relitalk")
RENDER = ("render", "SUBJECT", "--audio", "VOICE", "-o", "OUT/take")
RELIGHT = ("relight", "SUBJECT", "-o", "OUT/take")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "bad_call"),
        (("trane",), "bad_call"),
        (("train", "CLIP"), "bad_call"),
        ((*TRAIN, "--devise", "cpu"), "bad_call"),
        ((*TRAIN, "--seed", "x"), "bad_call"),
        ((*TRAIN, "--seed", "-1"), "bad_call"),
        ((*TRAIN, "--start", "-1"), "bad_call"),
        ((*TRAIN, "--duration", "0"), "bad_call"),
        ((*TRAIN, "--duration", "nan"), "bad_call"),
        ((*TRAIN, "--preset", "ultra"), "no_preset"),
        (("train", "CLIP", "-o", "OUT/a"), "bad_call"),
        (("train", "OUT/missing.mp4", "-o", "OUT/a.relitalk"), "no_such_file"),
        (("train", "OUT", "-o", "OUT/a.relitalk"), "not_a_file"),
        (("train", "CLIP", "-o", "SUBJECT"), "exists"),
        (("train", "CLIP", "-o", "VOICE/a.relitalk"), "unwritable"),
        (("render", "OUT/missing", "--audio", "VOICE", "-o", "OUT/take"), "no_subject"),
        (("render", "OUT", "--audio", "VOICE", "-o", "OUT/take"), "not_a_subject"),
        (("render", "VOICE", "--audio", "VOICE", "-o", "OUT/take"), "not_a_subject"),
        (("render", "SUBJECT", "--audio", "OUT/missing.wav", "-o", "OUT/take"), "no_such_file"),
        (("render", "SUBJECT", "--audio", "SUBJECT/subject.json", "-o", "OUT/take"), None),
        ((*RENDER, "--mouth", "-1"), "bad_call"),
        ((*RENDER, "--smooth", "inf"), "bad_call"),
        ((*RENDER, "--transcript", "OUT/missing.txt"), "no_such_file"),
        ((*RENDER, "--video", "OUT/missing.mp4"), "no_such_file"),
        ((*RELIGHT, "--light", "sunny"), "no_such_file"),
        ((*RELIGHT, "--light", "CLIP"), None),
        ((*RELIGHT, "--light", "OUT/missing.exr"), "no_such_file"),
        ((*RELIGHT, "--light", "dir:left,up"), "bad_light"),
        ((*RELIGHT, "--light", "dir:10"), "bad_light"),
        ((*RELIGHT, "--light", "dir:0,0,-1"), "bad_light"),
        ((*RELIGHT, "--light-strength", "-1"), "bad_call"),
        ((*RELIGHT, "--light-rotation", "nan"), "bad_call"),
        ((*RELIGHT, "--frames", "5:5"), "bad_frames"),
        ((*RELIGHT, "--frames", "five"), "bad_frames"),
        ((*RELIGHT, "--freeze", "-1"), "bad_call"),
        ((*RELIGHT, "--background", "#12"), "bad_colour"),
        ((*RELIGHT, "--background", "OUT/missing.png"), "no_such_file"),
        (("relight", "SUBJECT", "-o", "SUBJECT"), "exists"),
        (("relight", "SUBJECT", "-o", "SUBJECT", "--force"), "not_ours"),
        (("light", "source", "-o", "OUT/l.json"), "no_source_light"),
        (("light", "dir:0,0", "-o", "OUT/l.txt"), "bad_call"),
        (("evaluate", "SUBJECT", "--against", "OUT/missing"), "no_folder"),
        (("inspect", "OUT/missing"), "no_file"),
        (("inspect", "OUT"), "unknown_folder"),
        (("demo", "-o", "SUBJECT"), "exists"),
    ],
)
def test_a_wrong_call_is_answered_with_a_sentence(
    capsys, tmp_path, sample_clip, sample_voice, subject_folder, words, code
):
    before = sorted(tmp_path.rglob("*"))
    places = {"CLIP": sample_clip, "VOICE": sample_voice, "SUBJECT": subject_folder, "OUT": tmp_path}
    filled = ["/".join(str(places.get(part, part)) for part in word.split("/")) for word in words]
    exit_code, error = refused(capsys, *filled)
    assert exit_code == 2
    assert code is None or error["code"] == code
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("seconds", [0.0, 0.2, 2.0])
def test_a_voice_too_short_or_silent_is_refused(capsys, tmp_path, subject_folder, seconds):
    voice = write_wav(tmp_path / "voice.wav", np.zeros(int(16000 * seconds)))
    exit_code, error = refused(capsys, "render", subject_folder, "--audio", voice, "-o", tmp_path / "take")
    assert exit_code == 2 and ("silent" in error["message"] or f"{seconds:.2f} s" in error["message"])


def test_cuda_where_there_is_none_is_the_machines_fault(capsys, tmp_path, sample_clip):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    exit_code, error = refused(
        capsys, "train", sample_clip, "-o", tmp_path / "a.relitalk", "--device", "cuda", "--preset", "draft"
    )
    assert (exit_code, error["code"]) == (4, "no_cuda")


def test_a_newer_subject_is_refused(capsys, tmp_path, sample_voice, subject_folder):
    path = subject_folder / "subject.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    exit_code, error = refused(capsys, "render", subject_folder, "--audio", sample_voice, "-o", tmp_path / "take")
    assert (exit_code, error["code"]) == (2, "newer_schema")


def test_a_job_is_told_too(capsys, tmp_path):
    job = tmp_path / "job"
    assert main(["inspect", str(tmp_path / "missing"), "--job", str(job)]) == 2
    events = [json.loads(line) for line in (job / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["error"]
    assert "There is nothing at" in capsys.readouterr().err


def test_a_job_folder_that_cannot_be_written_is_said(capsys, sample_clip):
    assert main(["doctor", "--job", str(sample_clip / "job")]) == 2
    assert "job folder" in capsys.readouterr().err


def test_a_bug_is_a_sentence_and_its_traceback_is_kept(capsys, monkeypatch):
    from relitalk_engine.cli import commands

    monkeypatch.setitem(commands.COMMANDS, "doctor", lambda *_: 1 // 0)
    exit_code, error = refused(capsys, "doctor")
    kept = Path(error["hint"].split("; ")[1].split(" says")[0])
    assert (exit_code, error["code"]) == (1, "bug")
    assert "ZeroDivisionError" in kept.read_text()
    kept.unlink()


def test_a_job_keeps_the_traceback_of_a_bug_in_its_folder(capsys, monkeypatch, tmp_path):
    from relitalk_engine.cli import commands

    monkeypatch.setitem(commands.COMMANDS, "doctor", lambda *_: 1 // 0)
    _, error = refused(capsys, "doctor", "--job", tmp_path)
    assert "ZeroDivisionError" in (tmp_path / "bug.txt").read_text()
    assert str(tmp_path / "bug.txt") in error["hint"]


def test_every_option_of_the_contract_is_there():
    words = (
        "render s --audio a.wav --light dir:-30,20,2 --light-rotation -90 --light-strength 2 --video v.mp4 --start 1 "
    )
    words += "--transcript t.txt --mouth 1.2 --smooth 0.5 --offset -40 --motion-only --background #102030 --frames 2:9 "
    words += "--freeze 3 --full-frame --exr --passes --force -o take --events --job j"
    parsed = build().parse_args(words.split())
    assert (parsed.light, parsed.light_rotation, parsed.offset, parsed.freeze) == ("dir:-30,20,2", -90.0, -40.0, 3)
    assert build().parse_args(["train", "v.mp4", "-o", "a.relitalk", "--resume", "--consent", "yes"]).resume


def test_frame_ranges_are_half_open_with_open_ends():
    assert [frame_range(text) for text in (None, "2:9", ":9", "2:", ":")] == [
        None,
        (2, 9),
        (None, 9),
        (2, None),
        (None, None),
    ]


def test_backgrounds(sample_clip):
    assert background("#204060").colour == (0x20, 0x40, 0x60) and str(background("#204060")) == "#204060"
    assert background("keep").kind == "keep" and background(str(sample_clip)).kind == "image"
