"""What `relitalk doctor` says about the head models that a user may add."""

from pathlib import Path

import numpy as np
import pytest

from relitalk_engine.cli.diagnosis import look


def said(entry: str) -> str:
    """The lines under an entry of the registry."""
    text = "\n".join(look().lines)
    return text[text.index(entry) :].split("\n  ", 2)[1]


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch) -> Path:
    """An empty weights folder."""
    monkeypatch.setenv("RELITALK_WEIGHTS", str(tmp_path))
    return tmp_path


def test_without_them_anny_is_in_use_and_nothing_is_wrong():
    found = look()
    assert "Head models: anny." in found.lines and not found.problems
    assert "Not there" in said("FLAME") and "the Anny head" in said("ICT-FaceKit")
    assert any(line.endswith("as flame.pkl or flame.npz.") for line in found.lines)


def test_a_file_that_lacks_a_key_and_a_folder_that_lacks_files_are_told(weights):
    np.savez(weights / "flame.npz", v_template=np.zeros((100_000, 3)))
    (weights / "FaceXModel").mkdir()
    (weights / "FaceXModel" / "jawOpen.obj").write_bytes(b"v 0 0 0\n" * 200_000)
    assert 'flame.npz has no "f"' in said("FLAME")
    assert "lacks generic_neutral_mesh.obj" in said("ICT-FaceKit")
    assert not look().problems  # the engine works without them


def test_half_a_checkpoint_is_told(weights):
    (weights / "voca.index").write_bytes(bytes(2000))
    assert "voca.data-00000-of-00001 is not beside it. In use: F_mesh" in said("VOCA")
    (weights / "voca.data-00000-of-00001").write_bytes(bytes(9))
    assert "used by training where DeepSpeech's logits lie beside the clip" in said("VOCA")
