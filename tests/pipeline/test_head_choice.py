"""A preset of the user's own chooses the head model."""

import json

import pytest

from relitalk_engine.cli import main


@pytest.mark.parametrize(
    ("head", "code", "said"), [("flame", 4, "flame.pkl is missing"), ("bfm", 2, 'no head model "bfm"')]
)
def test_a_head_that_is_not_here_is_said_before_any_work(
    head, code, said, sample_clip, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("RELITALK_WEIGHTS", str(tmp_path / "weights"))
    preset = tmp_path / "mine.toml"
    preset.write_text(f'[fit]\nhead = "{head}"\n')
    place = tmp_path / "a.relitalk"
    words = ["train", sample_clip, "-o", place, "--preset", preset, "--consent", "yes", "--events"]
    assert main([*map(str, words)]) == code
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said in events[-1]["message"] and not [e for e in events if e["event"] == "progress"]
    assert not list(tmp_path.glob("a.relitalk*"))
