"""Footage that is shorter than the sound goes on and back without a jump."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from relitalk_engine.face.fitting import HeadFit
from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.pipeline.motion import name_missing_blinks
from relitalk_engine.pipeline.turning import BLINKS, blinks_of, frame_order, turning_points

FPS = Fraction(25)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.read()


def nodding(head, count: int) -> HeadFit:
    """A head that turns to and fro in 4 s and comes to rest at frames 25, 75, 125 ...; blinks at 24, 99, 199."""
    angle = 0.3 * np.sin(2 * np.pi * np.arange(count) / 100)
    rotation = np.tile(np.eye(3, dtype=np.float32), (count, 1, 1))
    rotation[:, 0, 0] = rotation[:, 2, 2] = np.cos(angle)
    rotation[:, 0, 2], rotation[:, 2, 0] = np.sin(angle), -np.sin(angle)
    psi = np.zeros((count, len(head.expression_names)), np.float32)
    lids = [i for i, name in enumerate(head.expression_names) if name.startswith("eyeBlink")]
    for frame in (24, 99, 199):
        psi[frame : frame + 3, lids] = 0.9
    return HeadFit(
        np.zeros(len(head.shape_basis), np.float32), psi, rotation, np.zeros((count, 3), np.float32), 500.0,
        (128.0, 128.0), (256, 256), np.zeros((count, 478, 2), np.float32), np.ones(count, bool),
    )  # fmt: skip


def test_a_sound_as_long_as_the_footage_takes_it_as_it_is(head):
    assert np.array_equal(frame_order(300, nodding(head, 300), head, FPS, FPS), np.arange(300))


def test_a_sound_that_ends_just_after_the_footage_goes_on_to_its_end(head):
    order = frame_order(303, nodding(head, 300), head, FPS, FPS)
    assert np.array_equal(order, np.minimum(np.arange(303), 299))


def test_long_sound_turns_where_the_head_rests_and_nowhere_near_a_blink(head):
    fit = nodding(head, 300)
    order = frame_order(1500, fit, head, FPS, FPS)
    turns = order[1:-1][np.diff(order, 2) != 0]
    rests = np.array([75, 125, 175, 225, 275])
    assert len(turns) >= 4 and np.abs(turns[:, None] - rests).min(1).max() <= 2
    assert set(turns) <= set(turning_points(fit, head, 25.0))
    assert order[0] == 0 and np.abs(np.diff(order)).max() == 1
    angle = np.arctan2(fit.rotation[order, 0, 2], fit.rotation[order, 0, 0])
    naive = np.r_[np.arange(300), np.arange(298, -1, -1)]
    jerk = np.abs(np.diff(angle, 2)).max()
    assert jerk < 0.3 * np.abs(np.diff(np.arctan2(fit.rotation[naive, 0, 2], fit.rotation[naive, 0, 0]), 2)).max()


def blinking(head, count: int, frames: list[int]) -> HeadFit:
    """The same head, blinking at other frames; its lids rise and fall slowly in between."""
    fit = nodding(head, count)
    lids = [i for i, name in enumerate(head.expression_names) if name.startswith("eyeBlink")]
    fit.psi[:, lids] = (0.15 + 0.1 * np.sin(np.arange(count) / 40))[:, None]
    for frame in frames:
        fit.psi[frame : frame + 3, lids] = 0.7
    return fit


def test_blinks_are_found_by_their_dip_and_two_at_once_are_one(head):
    fit = blinking(head, 300, [60, 66, 140, 298])
    assert list(blinks_of(fit, head, 25.0)) == [60, 140, 298]
    assert len(blinks_of(blinking(head, 300, []), head, 25.0)) == 0


@pytest.mark.parametrize("frames", [[20, 60, 100, 140, 165], [40], [100, 280]])
def test_a_minute_has_a_human_count_of_blinks_where_the_footage_has_more_or_fewer(head, frames):
    fit = blinking(head, 300, frames)
    order = frame_order(1500, fit, head, FPS, FPS)
    count = np.isin(order, blinks_of(fit, head, 25.0)).sum()
    assert BLINKS[0] <= count <= BLINKS[1]


def test_other_frame_rates_and_tiny_footage_stay_inside(head):
    fit = nodding(head, 300)
    order = frame_order(900, fit, head, Fraction(30000, 1001), FPS)
    assert order.min() >= 0 and order.max() < 300 and np.abs(np.diff(order)).max() <= 1
    for count in (1, 2, 3):
        order = frame_order(40, nodding(head, 30).select(slice(0, count)), head, FPS, FPS)
        assert order.min() == 0 and order.max() == count - 1


def test_a_long_take_of_footage_without_a_blink_says_so(head):
    person = SimpleNamespace(head=head, subject=SimpleNamespace(info=SimpleNamespace(fps=FPS)))
    for blinks, frames, said in (([], 500, 1), ([], 200, 0), ([100], 500, 0)):
        told = []
        reporter = SimpleNamespace(warning=told.append)
        name_missing_blinks(person, SimpleNamespace(fit=blinking(head, 300, blinks), fps=FPS), frames, reporter)
        assert len(told) == said
