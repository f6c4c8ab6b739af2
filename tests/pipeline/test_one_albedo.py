"""A subject has one albedo texture; its frames follow it, and so does whatever is decomposed later."""

import numpy as np
import pytest

from relitalk_engine.media.images import read_image
from relitalk_engine.pipeline.person import Person
from relitalk_engine.reflectance.passes import read_frame_passes
from relitalk_engine.subject import Subject


@pytest.fixture(scope="module")
def person(subject):
    return Person(Subject.open(subject))


def test_a_frame_decomposed_later_has_the_albedo_that_was_kept(person):
    with person.observer() as observer:
        rgb, seen = person.frames[9], observer.observe(9, person.frames[9])
    visible = person.shadow.at(seen.hits, person.fit.rotation[9])(np.asarray(person.light.sh, np.float32))
    kept = read_frame_passes(person.subject.passes_dir, 9).gain
    parts = rgb, seen.normal, seen.alpha, seen.regions, visible
    tied, free = (person.reflectance.decompose(*parts, x).gain for x in (person.albedo_at(seen.hits), None))
    assert np.abs(tied - kept).max() < 2e-3
    assert np.abs(free - kept).max() > 0.02


def test_the_texture_is_kept_as_a_picture_for_takes(person):
    picture = read_image(person.subject.albedo_path)
    assert picture.shape == (1024, 1024, 3) and picture.dtype == np.uint8
