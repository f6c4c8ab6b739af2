import numpy as np
import pytest

from relitalk_engine.reflectance.gauge import LUMINANCE, SKIN_LOCUS, find_gauge


@pytest.mark.parametrize("skin", SKIN_LOCUS[1:6])
def test_usual_light_on_any_skin_is_split_within_a_third_of_its_level(skin):
    found = find_gauge(skin * 0.68)
    assert found.skin @ LUMINANCE == pytest.approx(skin @ LUMINANCE, rel=0.5)
    assert np.all(np.diff(found.skin) < 0)  # red over green over blue, as skin is


def test_skin_times_light_is_the_colour_that_was_seen():
    colour = np.array([0.31, 0.17, 0.16])
    found = find_gauge(colour)
    assert found.skin * found.light == pytest.approx(colour)


def test_darker_skin_stays_darker():
    levels = [find_gauge(row * 0.68).skin @ LUMINANCE for row in SKIN_LOCUS]
    assert np.all(np.diff(levels) < 0)


def test_blue_light_goes_to_the_light_and_not_to_the_skin():
    warm = find_gauge(np.array([0.36, 0.21, 0.15]))
    blue = find_gauge(np.array([0.36, 0.21, 0.15]) * [0.8, 1.0, 1.4])
    shift = np.log(blue.light / warm.light)
    assert shift[2] - shift[0] > 0.7 * np.log(1.4 / 0.8)


def test_a_brighter_picture_changes_the_light_more_than_the_skin():
    dim, bright = (find_gauge(np.array([0.30, 0.18, 0.13]) * k) for k in (1.0, 1.5))
    assert (bright.skin / dim.skin).max() < 1.3
    assert (bright.light / dim.light).min() > 1.15


def test_bright_eyes_beside_the_skin_make_the_skin_darker():
    skin = np.array([0.20, 0.11, 0.08])
    assert (find_gauge(skin, np.array([0.45, 0.40, 0.37])).skin < find_gauge(skin, skin).skin).all()


def test_a_black_picture_still_has_a_gauge():
    found = find_gauge(np.zeros(3))
    assert np.isfinite(found.skin).all() and np.isfinite(found.light).all()
