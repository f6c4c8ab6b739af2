"""The scripts in examples/, as a user runs them."""

import os
import runpy
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "presets" / "sample"
ENGINE_PYTHON = Path(os.environ.get("RELITALK_ENGINE_PYTHON") or ROOT / ".venv" / "bin" / "python")
@pytest.fixture
def script(installed, monkeypatch):
    """Run an example: script(name, *words)."""

    def run(name, *words):
        monkeypatch.setattr("sys.argv", ["blender", "-b", "--", *map(str, words)])
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")

    return run


@pytest.mark.skipif(not ENGINE_PYTHON.is_file(), reason="no Python with the engine's packages")
def test_the_whole_job_and_a_turn_of_its_light(scene, script, tiny_preset, tmp_path):
    out = tmp_path / "out of 日本"
    script(
        "whole_job.py", "--video", SAMPLE / "sample.mp4", "--audio", SAMPLE / "sentence.wav", "--consent",
        "--preset", tiny_preset, "--duration", 2.2, "--frames", "0:2", "--samples", 1,
        "--engine-python", ENGINE_PYTHON, "-o", out,
    )
    assert (out / "portrait.blend").is_file() and (out / "frame.png").is_file()
    portrait = bpy.data.objects["ReliTalk sentence"]
    assert portrait.relitalk.mode == "WORLD" and portrait.relitalk.problem == ""
    assert any(thing.get("relitalk_head") for thing in bpy.context.scene.objects)
    script(
        "light_turntable.py", "--take", out / "takes" / "sentence", "--count", 2, "--samples", 1, "-o", out / "turn",
    )
    assert len(list((out / "turn").glob("turn_*.png"))) == 2
