import json
from fractions import Fraction

import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.take import Placement, Take, TakeInfo


def info(**more) -> TakeInfo:
    fields = dict(
        kind="render",
        fps=Fraction(25),
        size=(64, 64),
        crop=(0, 0, 64, 64),
        frames=(5, 8),
        total=20,
        subject={"name": "anna", "consent": {"given": True}},
        light={"spec": "/home/a/studio.exr"},
        audio={"file": "/home/a/hello.wav", "seconds": 0.8},
        removed=[(1, 2, 3, 4)] * 3,
        placement=Placement((32.0, 30.0), 0.0006),
    )
    return TakeInfo(**{**fields, **more})


def fill(take: Take) -> None:
    for light in take.info.lights or [""]:
        for frame in range(*take.info.frames):
            take.beauty_path(frame, light).parent.mkdir(exist_ok=True)
            take.beauty_path(frame, light).write_bytes(b"png")


@pytest.fixture
def finished(tmp_path) -> Take:
    take = Take.create(tmp_path / "take", info())
    fill(take)
    return take.finish(tmp_path / "take")


def test_a_take_comes_back_as_it_was_written(finished):
    again = Take.open(finished.path).info
    assert again == info()
    assert finished.beauty_path(5).name == "00005.png"


def test_an_olat_take_keeps_a_folder_for_each_light(tmp_path):
    take = Take.create(tmp_path / "take", info(lights=["az000", "az090"], exr=True))
    fill(take)
    assert take.finish(tmp_path / "take").beauty_path(6, "az090").parts[-3:] == ("beauty", "az090", "00006.exr")


def test_a_missing_frame_is_named(finished):
    finished.beauty_path(6).unlink()
    with pytest.raises(ReliTalkError, match="00006.png"):
        Take.open(finished.path)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"schema": 2}, "newer"),
        ({"frames": [8, 5]}, "frames"),
        ({"removed": [[1, 2, 3, 4]]}, "removed"),
        ({"metres_per_pixel": "wide"}, "metres_per_pixel"),
        ({"exr": 1}, "exr"),
    ],
)
def test_a_take_that_does_not_fit_is_refused(finished, fields, says):
    path = finished.path / "take.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    with pytest.raises(ReliTalkError, match=says):
        Take.open(finished.path)


def test_a_discarded_take_leaves_nothing(tmp_path):
    Take.create(tmp_path / "take", info()).discard()
    assert not list(tmp_path.iterdir())


def test_pictures_say_what_they_are_and_name_no_folders():
    words = info().provenance()["Comment"]
    assert all(part in words for part in ("synthetic", "anna", "hello.wav", "studio.exr", "consent given"))
    assert "/home" not in words
