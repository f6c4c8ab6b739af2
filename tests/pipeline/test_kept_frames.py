"""Frames in which something crosses the mouth stay as they were filmed, and the painted mouth leads up to them."""

import shutil

import numpy as np
import pytest

from relitalk_engine.media import images
from relitalk_engine.media.lossless import LosslessReader
from relitalk_engine.pipeline.person import write_tensors
from relitalk_engine.subject import Subject, read_tensors
from relitalk_engine.take import Take

HIDDEN = slice(6, 9)


@pytest.fixture
def crossed(subject, tmp_path) -> Subject:
    """The small subject, as if something had crossed the mouth in some of its frames."""
    place = tmp_path / "crossed.relitalk"
    shutil.copytree(subject, place)
    known = Subject.open(place)
    tensors = dict(read_tensors(known.head_path))
    assert not tensors["hidden"].any()
    tensors["hidden"][HIDDEN] = 1
    tensors["valid"][HIDDEN] = 0
    write_tensors(known.head_path, tensors)
    return known


def test_hidden_frames_are_kept_and_the_others_driven(crossed, sample_voice, run, tmp_path):
    words = ("render", crossed.path, "--audio", sample_voice, "--frames", "5:9", "--background", "keep")
    code, events = run(*words, "-o", tmp_path / "take")
    assert code == 0
    assert any("3 of 4 frames" in e["message"] for e in events if e["event"] == "warning")
    take = Take.open(tmp_path / "take")
    with LosslessReader(crossed.frames_path) as frames:
        for number in range(5, 9):
            same = images.read_image(take.beauty_path(number))[..., :3] == frames[number]
            assert same.all() == (number >= HIDDEN.start)
    with np.load(take.path / "motion.npz") as moved:
        psi, own = moved["psi"], read_tensors(crossed.head_path)["psi"]
    assert np.allclose(psi[HIDDEN], own[HIDDEN], atol=1e-6)
    apart = np.abs(psi[:6] - own[:6]).sum(1)
    assert apart[5] < apart[3]
