import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.reflectance.passes import FramePasses, read_frame_passes, write_frame_passes


def some_passes(size=48, small=16):
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(size, size, 3)).astype(np.float32)
    normal[..., 2] = np.abs(normal[..., 2]) + 0.05
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    weight = rng.uniform(0, 0.12, (size, size)).astype(np.float32)
    gain = rng.uniform(-2, 2, (small, small, 3)).astype(np.float32)
    hair = rng.random((small, small)).astype(np.float32)
    return FramePasses(normal, weight, np.ones((size, size), np.float32), gain, hair)


def test_passes_come_back_as_they_were_written(tmp_path):
    passes = some_passes()
    write_frame_passes(tmp_path, 7, passes)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00007.png", "00007_paint.png"]
    back = read_frame_passes(tmp_path, 7)
    assert (back.normal * passes.normal).sum(-1).min() > 0.9995
    assert np.linalg.norm(back.normal, axis=-1) == pytest.approx(1, abs=1e-5)
    assert np.abs(back.specular_weight - passes.specular_weight).max() < 0.12 / 255
    assert np.abs(back.gain - passes.gain).max() < 2e-3
    assert np.abs(back.hair - passes.hair).max() < 1 / 255


def test_outside_the_matte_the_normal_faces_the_camera(tmp_path):
    passes = some_passes()
    passes.alpha[:, :20] = 0
    write_frame_passes(tmp_path, 0, passes)
    assert read_frame_passes(tmp_path, 0).normal[:, :20, 2].min() > 0.999


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(ReliTalkError, match="00003.png is missing"):
        read_frame_passes(tmp_path, 3)
    (tmp_path / "00003.png").write_bytes(b"no picture")
    with pytest.raises(ReliTalkError, match="16-bit"):
        read_frame_passes(tmp_path, 3)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(ReliTalkError, match="cannot be written"):
        write_frame_passes(tmp_path / "not there", 0, some_passes())
