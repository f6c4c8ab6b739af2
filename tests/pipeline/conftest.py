"""One small subject, trained once through the real command line, for every test of the whole way."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relitalk_engine.cli import main

TINY = """
description = "Seconds of training: to test the way, not the picture."
[fit]
iterations = 60
[surface]
steps = 4
frames = 4
rays = 60
voxel = 0.01
[reflectance]
size = 64
channels = 8
samples = 6
steps_coarse = 4
steps_decompose = 8
steps_consistency = 2
[synthesis]
size = 64
channels = 8
steps_local = 4
steps_blend = 4
[speech]
steps = 20
channels = 16
"""


@pytest.fixture(scope="session")
def tiny_preset(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("preset") / "tiny.toml"
    path.write_text(TINY)
    return path


def press_ctrl_c(words: list, when) -> tuple[int, float, list[dict]]:
    """Run a command as a process, and press Ctrl-C once an event says so.

    Args:
        words: the call.
        when: event -> bool.

    Returns:
        The exit code, the seconds that leaving took, and all events.
    """
    call = [sys.executable, "-m", "relitalk_engine", *map(str, words), "--events"]
    events, asked = [], None
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            events.append(json.loads(line))
            if asked is None and when(events[-1]):
                process.send_signal(signal.SIGINT)
                asked = time.monotonic()
    assert asked is not None, events[-1]
    return process.returncode, time.monotonic() - asked, events


@pytest.fixture(scope="session")
def subject(tmp_path_factory, sample_clip, tiny_preset) -> Path:
    """A subject of the sample's first seconds, whose training was stopped half-way and taken up again."""
    folder = tmp_path_factory.mktemp("subject")
    place = folder / "sample.relitalk"
    half = folder / "sample.relitalk.building" / "subject.json"
    words = ["train", sample_clip, "-o", place, "--preset", tiny_preset, "--duration", 2, "--consent", "yes"]
    code, seconds, _ = press_ctrl_c(words, lambda _: half.is_file() and '"head"' in half.read_text())
    assert code == 3 and seconds < 5.5 and not place.exists()
    assert main([*map(str, words), "--resume", "--job", str(folder / "job")]) == 0
    stages = [json.loads(line).get("stage") for line in (folder / "job" / "events.jsonl").read_text().splitlines()]
    assert "store" not in stages and "fit" not in stages
    return place


@pytest.fixture
def interrupt():
    """See `press_ctrl_c`."""
    return press_ctrl_c


@pytest.fixture
def run(capsys):
    """Run a command; its exit code and its events."""

    def call(*words: object) -> tuple[int, list[dict]]:
        capsys.readouterr()
        code = main([*map(str, words), "--events"])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call
