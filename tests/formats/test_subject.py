import json
from fractions import Fraction

import numpy as np
import pytest
from safetensors.numpy import save_file

from relitalk_engine import folders
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.subject import Consent, Source, Subject, SubjectInfo, read_tensors, tensor_shapes

INFO = dict(
    name="anna",
    fps=Fraction(24000, 1001),
    frames=3,
    size=(8, 8),
    source_size=(16, 9),
    crop=(4, 0, 8, 8),
    preset="draft",
)


def info() -> SubjectInfo:
    return SubjectInfo(source=Source("anna.mp4", "00"), consent=Consent.now(True), **INFO)


def fill(subject: Subject) -> None:
    rows = {name: np.zeros((3, 3), np.float32) for name in ("psi", "rotation", "translation")}
    save_file(rows, subject.head_path)
    save_file({"a": np.arange(6, dtype=np.float32).reshape(2, 3)}, subject.weights_path)
    subject.light_path.write_text("{}")
    subject.frames_path.write_bytes(b"frames")
    for frame in range(3):
        subject.pass_path(frame).write_bytes(b"png")


@pytest.fixture
def finished(tmp_path) -> Subject:
    subject = Subject.create(tmp_path / "anna.relitalk", info())
    fill(subject)
    return subject.finish(tmp_path / "anna.relitalk")


def test_a_subject_comes_back_as_it_was_written(finished):
    again = Subject.open(finished.path).info
    assert (again.name, again.fps, again.crop) == ("anna", Fraction(24000, 1001), (4, 0, 8, 8))
    assert again.consent.given and again.consent.recorded
    assert not folders.building_place(finished.path).exists()


def test_nothing_stands_at_its_place_until_it_is_whole(tmp_path):
    place = tmp_path / "anna.relitalk"
    subject = Subject.create(place, info())
    subject.mark_done("fit")
    assert not place.exists()
    with pytest.raises(ReliTalkError, match="head.safetensors"):
        subject.finish(place)
    assert not place.exists()
    resumed = Subject.resume(place)
    assert resumed is not None and resumed.stage_done("fit")


def test_there_is_nothing_to_resume_where_nothing_was_begun(tmp_path):
    assert Subject.resume(tmp_path / "anna.relitalk") is None


def test_a_finished_subject_is_replaced_in_one_step(finished):
    changed = info()
    changed.seed = 5
    other = Subject.create(finished.path, changed)
    fill(other)
    assert Subject.open(finished.path).info.seed == 0
    other.finish(finished.path)
    assert Subject.open(finished.path).info.seed == 5
    assert [path.name for path in finished.path.parent.iterdir()] == ["anna.relitalk"]


def spoil(subject: Subject, **fields) -> None:
    path = subject.path / "subject.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"schema": 99}, "newer ReliTalk"),
        ({"schema": "x"}, "no schema number"),
        ({"fps": [25, 0]}, "fps"),
        ({"frames": 4}, "psi"),
        ({"size": [8]}, "size"),
        ({"seed": -1}, "seed"),
        ({"crop": None}, "crop"),
    ],
)
def test_a_subject_that_does_not_fit_is_refused_by_name(finished, fields, says):
    spoil(finished, **fields)
    with pytest.raises(ReliTalkError, match=says) as raised:
        Subject.open(finished.path)
    assert str(finished.path) in raised.value.message


def test_a_folder_of_something_else_is_no_subject(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ReliTalkError):
            Subject.open(path)


def test_cut_off_files_are_refused(finished):
    head = finished.head_path.read_bytes()
    finished.head_path.write_bytes(head[: len(head) - 8])
    with pytest.raises(ReliTalkError, match="head.safetensors"):
        Subject.open(finished.path)


def test_missing_passes_are_counted(finished):
    finished.pass_path(1).unlink()
    with pytest.raises(ReliTalkError, match="2 frames out of 3"):
        Subject.open(finished.path)


def test_tensors_read_with_numpy_are_those_written(finished):
    assert tensor_shapes(finished.weights_path) == {"a": (2, 3)}
    assert np.array_equal(read_tensors(finished.weights_path)["a"], np.arange(6).reshape(2, 3))


def test_two_processes_do_not_build_the_same_subject(tmp_path):
    import os

    place = tmp_path / "anna.relitalk"
    building = folders.begin(place, "subject")
    parent = {"pid": os.getppid(), "started": None}
    (building / folders.BUILDER_FILE).write_text(json.dumps(parent))
    with pytest.raises(ReliTalkError, match="now"):
        Subject.create(place, info())
