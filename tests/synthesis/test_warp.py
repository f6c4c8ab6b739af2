"""The spline: knots land on knots, and a still head stays still."""

import numpy as np

from relitalk_engine.synthesis.boxes import window
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.warp import CONTROL, Spline, pull, window_map


def test_knots_land_on_the_other_frames_knots(clip):
    motion = Motion.of(clip.head, clip.fit)
    view = window(motion, 0)
    field = Spline(motion.knots[0], view).displacement(motion.knots[12])
    x, y, side = view
    cells = (motion.knots[0] - (x, y)) * (len(field) / side)
    moved = motion.knots[0] + pull(field, cells[None].astype(np.float32), sharp=False)[0]
    assert np.abs(moved - motion.knots[12]).mean() < 0.35
    assert np.abs(motion.knots[0] - motion.knots[12]).mean() > 2


def test_a_jaw_that_opens_uncovers_the_upper_teeth_and_does_not_stretch_them(clip):
    psi = np.repeat(clip.fit.psi[:1] * 0, 4, 0)
    psi[:, clip.head.index("jawOpen")[0]] = 0, 0.35, 0.55, 0.8
    fit = clip.fit.select(np.zeros(4, int))
    motion = Motion.of(clip.head, fit, psi)
    upper, lower = (motion.landmarks[:, CONTROL.index(point), 1] for point in (13, 14))
    below = (motion.teeth[:, 1, 1] - upper) / motion.unit
    gap = (lower - upper) / motion.unit
    assert gap[3] > 1.3 * gap[1] > 0
    assert (below[1:] > 0.03).all() and np.ptp(below[1:]) < 0.01 < np.ptp(gap[1:])
    assert 0 <= below[0] <= max(gap[0], 0.01)


def test_same_landmarks_do_not_move(clip):
    motion = Motion.of(clip.head, clip.fit)
    field = Spline(motion.knots[3], window(motion, 3)).displacement(motion.knots[3])
    assert np.abs(field).max() < 0.02


def test_hold_keeps_the_backdrop_in_place(clip):
    motion = Motion.of(clip.head, clip.fit)
    hold = np.zeros((72, 72), np.float32)
    field = Spline(motion.knots[0], window(motion, 0)).displacement(motion.knots[20], hold)
    assert not field.any()


def test_window_map_and_pull_agree_with_pixels():
    image = np.random.default_rng(0).integers(0, 255, (12, 14, 6), np.uint8)
    found = pull(image, window_map((2.0, 3.0, 8.0), 8))
    assert np.array_equal(found, image[3:11, 2:10])
