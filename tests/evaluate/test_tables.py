import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.evaluate import tables


def test_the_truth_of_the_rendered_person_is_understood(shared_data):
    folder = shared_data / "synthetic" / "subject_a"
    truth = tables.read_truth(folder)
    assert len(truth.frames) == 12 and len(truth.lights) == 7


def test_leaving_the_source_as_it_is_scores_what_the_data_says(shared_data):
    folder = shared_data / "synthetic" / "subject_a"
    truth = tables.read_truth(folder)
    row = tables._score(truth, truth.lights[0], folder / "test")
    assert 10 < row["foreground_psnr"] < 22 and 0.6 < row["ssim"] < 0.9


def test_normals_that_are_the_truth_are_no_degree_off(shared_data):
    from relitalk_engine.media import images

    folder = shared_data / "synthetic" / "subject_a"
    found = tables._normal_of(images.read_exr(folder / "passes" / "00002.exr"), "XYZ")
    assert found is not None and found.shape[2] == 3


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ReliTalkError, match="relight.json"):
        tables.read_truth(tmp_path)
