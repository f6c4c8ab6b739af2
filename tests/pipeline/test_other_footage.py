"""Footage of another size and rate than the training clip's, and shorter than the sound."""

from dataclasses import replace
from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from relitalk_engine.events import Reporter
from relitalk_engine.media import images
from relitalk_engine.media.lossless import LosslessReader, LosslessWriter
from relitalk_engine.media.video import read_frames
from relitalk_engine.pipeline import base
from relitalk_engine.pipeline.base import open_video, turned_further
from relitalk_engine.pipeline.footage import ingest
from relitalk_engine.pipeline.person import Person
from relitalk_engine.subject import Subject
from relitalk_engine.synthesis.boxes import ABOVE_REMOVED
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.take import Take

SIDE, RATE = 600, Fraction(15)


@pytest.fixture(scope="module")
def footage(sample_clip, tmp_path_factory):
    """1.2 s of the person, larger and at 15 frames a second."""
    path = tmp_path_factory.mktemp("footage") / "other.mkv"
    with LosslessWriter(path, RATE) as out:
        for frame in islice(read_frames(sample_clip, 3.0), 18):
            out.write(np.ascontiguousarray(cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)))
    return path


def test_a_head_that_turns_further_than_the_clip_shows_is_told(subject):
    known = Person(Subject.open(subject)).fit
    turn = Rotation.from_euler("y", 14, degrees=True).as_matrix().astype(np.float32)
    further, once = known.rotation @ turn, known.rotation.copy()
    once[:1] = further[:1]
    assert turned_further(known, known) == turned_further(known, replace(known, rotation=once)) == 0
    assert 6 < turned_further(known, replace(known, rotation=further)) < 30


def test_short_footage_of_another_size_and_rate_carries_a_whole_sound(subject, footage, sample_voice, run, tmp_path):
    words = ("render", subject, "--audio", sample_voice, "--video", footage, "--frames", "70:72")
    code, events = run(*words, "--background", "keep", "-o", tmp_path / "take")
    assert code == 0
    assert any("1.6 times as large" in e["message"] for e in events if e["event"] == "warning")
    assert not any("turns up to" in e["message"] for e in events if e["event"] == "warning")
    take = Take.open(tmp_path / "take")
    assert take.info.fps == 25 and take.info.size == (SIDE, SIDE) and take.info.total == 75
    assert all(0 <= frame < 18 for frame in take.info.base["frames"])
    source = list(read_frames(footage))
    for number, frame, box in zip((70, 71), take.info.base["frames"], take.info.removed, strict=True):
        differs = (images.read_image(take.beauty_path(number))[..., :3] != source[frame]).any(-1)
        x, y, w, h = box
        assert differs[y : y + h, x : x + w].any()
        differs[y : y + h, x : x + w] = False
        assert not differs.any()


def test_what_the_mouth_of_footage_does_has_no_say_in_the_head(subject, sample_clip, tmp_path, monkeypatch):
    person, quiet = Person(Subject.open(subject)), Reporter(quiet=True)

    def opened(name):
        return open_video(person, sample_clip, 2.0, tmp_path / name, quiet, mouth_matters=False, duration=1.0)

    def scrambled(video, start, duration, scratch, reporter):
        found, rng = ingest(video, start, duration, scratch, reporter), np.random.default_rng(0)
        with LosslessReader(scratch) as frames:
            pictures = [frames[t].copy() for t in range(len(frames))]
        for frame, unit, (u, v) in zip(pictures, seen.unit, seen.centre, strict=True):
            rows = slice(int(np.ceil(v - ABOVE_REMOVED * unit)), int(v + 0.6 * unit))
            columns = slice(int(u - 0.5 * unit), int(u + 0.5 * unit))
            frame[rows, columns] = rng.integers(0, 256, frame[rows, columns].shape)
        with LosslessWriter(scratch, found.fps) as out:
            for frame in pictures:
                out.write(frame)
        return found

    spoken = opened("spoken.mkv").fit
    assert spoken.skin is not None  # else nothing looks down to the mouth
    seen = Motion.of(person.head, spoken)
    monkeypatch.setattr(base, "ingest", scrambled)
    painted_over = opened("painted_over.mkv").fit
    assert np.abs(spoken.rotation - painted_over.rotation).max() < 1e-3
    assert np.abs(spoken.translation - painted_over.translation).max() < 1e-3
    assert np.abs(spoken.psi - painted_over.psi).max() < 0.01
