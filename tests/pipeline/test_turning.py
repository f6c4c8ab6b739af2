"""Footage that is shorter than the sound goes on and back without a jump."""

from fractions import Fraction

import numpy as np
import pytest

from relitalk_engine.face.fitting import HeadFit
from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.pipeline.turning import frame_order, turning_points

FPS = Fraction(25)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.read()


def nodding(head, count: int) -> HeadFit:
    """A head that turns to and fro in 4 s and comes to rest at frames 25, 75, 125 ..., with a blink at frame 25."""
    angle = 0.3 * np.sin(2 * np.pi * np.arange(count) / 100)
    rotation = np.tile(np.eye(3, dtype=np.float32), (count, 1, 1))
    rotation[:, 0, 0] = rotation[:, 2, 2] = np.cos(angle)
    rotation[:, 0, 2], rotation[:, 2, 0] = np.sin(angle), -np.sin(angle)
    psi = np.zeros((count, len(head.expression_names)), np.float32)
    lids = [i for i, name in enumerate(head.expression_names) if name.startswith("eyeBlink")]
    psi[24:27, lids] = 0.9
    return HeadFit(
        np.zeros(len(head.shape_basis), np.float32), psi, rotation, np.zeros((count, 3), np.float32), 500.0,
        (128.0, 128.0), (256, 256), np.zeros((count, 478, 2), np.float32), np.ones(count, bool),
    )  # fmt: skip


def test_a_sound_as_long_as_the_footage_takes_it_as_it_is(head):
    assert np.array_equal(frame_order(300, nodding(head, 300), head, FPS, FPS), np.arange(300))


def test_long_sound_turns_where_the_head_rests_and_nowhere_near_a_blink(head):
    fit = nodding(head, 300)
    low, high = turning_points(fit, head, 25.0)
    assert abs(low - 75) <= 2 and abs(high - 275) <= 2
    order = frame_order(1500, fit, head, FPS, FPS)
    assert order[0] == 0 and order.max() == high and order[high:].min() == low
    assert np.abs(np.diff(order)).max() == 1
    angle = np.arctan2(fit.rotation[order, 0, 2], fit.rotation[order, 0, 0])
    naive = np.r_[np.arange(300), np.arange(298, -1, -1)]
    jerk = np.abs(np.diff(angle, 2)).max()
    assert jerk < 0.3 * np.abs(np.diff(np.arctan2(fit.rotation[naive, 0, 2], fit.rotation[naive, 0, 0]), 2)).max()


def test_other_frame_rates_and_tiny_footage_stay_inside(head):
    fit = nodding(head, 300)
    order = frame_order(900, fit, head, Fraction(30000, 1001), FPS)
    assert order.min() >= 0 and order.max() < 300 and np.abs(np.diff(order)).max() <= 1
    for count in (1, 2, 3):
        order = frame_order(40, nodding(head, 30).select(slice(0, count)), head, FPS, FPS)
        assert order.min() == 0 and order.max() == count - 1
