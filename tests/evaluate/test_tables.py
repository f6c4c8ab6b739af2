import json
from dataclasses import replace

import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.evaluate import sheets, tables
from relitalk_engine.evaluate.truth import picture, read_truth
from relitalk_engine.media import images


@pytest.fixture
def truth(shared_data):
    return read_truth(shared_data / "synthetic" / "subject_a")


def test_the_truth_of_the_rendered_person_is_understood(truth):
    assert len(truth.frames) == 12 and len(truth.lights) == 7
    fore, opaque = truth.masks(2)
    assert (opaque <= fore).all() and 0.1 < opaque.mean() < fore.mean() < 0.8
    normals, paint = truth.normals(2), truth.albedo(2)
    assert np.allclose(np.linalg.norm(normals[opaque], axis=-1), 1, atol=0.01)
    assert np.median(normals[opaque][:, 2]) > 0.5  # skin that is seen faces the camera
    assert 0.1 < np.median(paint[opaque]) < 0.9


def test_leaving_the_source_as_it_is_scores_what_the_data_says(truth):
    row = tables.score(truth, truth.lights[0], truth.folder / "test")
    known = {  # by the script that the data's figures come from
        "foreground_psnr": (15.558, 16.776), "opaque_psnr": (16.249, 17.723), "hair_psnr": (13.337, 14.016),
        "ssim": (0.715, 0.727),
    }  # fmt: skip
    for name, (raw, gained) in known.items():
        assert row[name] == pytest.approx(raw, abs=0.001) and row[f"{name}_gained"] == pytest.approx(gained, abs=0.001)
    assert row["gain"] == pytest.approx(1.264, abs=0.001)


def test_the_truth_scores_best_and_a_gain_is_found(truth, tmp_path):
    truth = replace(truth, frames=truth.frames[:3])
    light = truth.lights[2]
    for frame in truth.frames:
        rgb = images.srgb_to_linear(picture(light / f"{frame:05d}.png")[..., :3])
        images.write_png(tmp_path / f"{frame:05d}.png", images.encode_uint8(0.5 * rgb))
    row = tables.score(truth, light, tmp_path)
    assert row["gain"] == pytest.approx(2.0, abs=0.05)
    assert row["foreground_psnr"] < 25 < 38 < row["foreground_psnr_gained"]
    assert tables.score(truth, light, light)["gradient_psnr"] == pytest.approx(120.0)


def test_a_sheet_shows_truth_ours_and_what_differs(tmp_path):
    true, mine = np.full((4, 5, 3), 0.5), np.full((4, 5, 3), 0.5)
    mine[0, 0] += 0.25
    mine[1, 0] -= 0.25
    mask = np.ones((4, 5), bool)
    sheets.write(tmp_path / "a" / "sheet.png", [sheets.row(true, mine, mask)] * 2)
    seen = picture(tmp_path / "a" / "sheet.png")
    assert seen.shape == (8, 15, 3)
    assert np.allclose(seen[0, 10], (1, 0, 0), atol=0.01) and np.allclose(seen[1, 10], (0, 0, 1), atol=0.01)
    assert np.allclose(seen[3, 10:], 1)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ReliTalkError, match="relight.json"):
        read_truth(tmp_path)
    (tmp_path / "relight.json").write_text(json.dumps({"frames": [1]}))
    with pytest.raises(ReliTalkError, match="test.mp4"):
        read_truth(tmp_path)
