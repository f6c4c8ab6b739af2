"""Boxes: what they hold, and what they must not look at."""

import numpy as np

from relitalk_engine.synthesis.boxes import boxes, inside, mouth_sweep, window
from relitalk_engine.synthesis.motion import Motion

PAPER = (120 / 256, 80 / 256)


def _boxes(clip, psi=None):
    motion = Motion.of(clip.head, clip.fit, psi)
    sweep = mouth_sweep(Motion.of(clip.head, clip.fit), clip.head.mouth_actions)
    return boxes(clip.head, clip.fit, motion, sweep, *PAPER), sweep


def test_driven_lies_in_removed_and_removed_in_the_image(clip):
    found, _ = _boxes(clip)
    height, width = clip.fit.size
    driven, removed = found.driven, found.removed
    assert (removed[:, :2] >= 0).all()
    assert (removed[:, 0] + removed[:, 2] <= width).all() and (removed[:, 1] + removed[:, 3] <= height).all()
    assert (driven[:, :2] >= removed[:, :2]).all()
    assert (driven[:, :2] + driven[:, 2:] <= removed[:, :2] + removed[:, 2:]).all()


def test_removed_holds_every_lip_and_chin_of_the_sweep(clip):
    found, sweep = _boxes(clip)
    for actions in sweep:
        points = clip.head.at_landmarks(clip.fit.shape(clip.head, actions))[[13, 14, 61, 291, 152, 17, 0]]
        for t in range(0, len(clip.fit), 7):
            pixels = clip.fit.project(clip.fit.place(points, t))
            x, y, w, h = found.removed[t]
            assert (pixels > (x, y)).all() and (pixels < (x + w, y + h)).all()


def test_boxes_do_not_follow_a_frames_own_mouth(clip):
    rng = np.random.default_rng(0)
    psi = clip.fit.psi.copy()
    psi[:, clip.head.mouth_actions] = rng.random((len(psi), len(clip.head.mouth_actions)))
    ours, other = _boxes(clip)[0], _boxes(clip, psi)[0]
    assert np.array_equal(ours.removed, other.removed) and np.array_equal(ours.driven, other.driven)


def test_window_is_wider_than_the_removed_area(clip):
    motion = Motion.of(clip.head, clip.fit)
    found, _ = _boxes(clip)
    for t in range(len(motion)):
        x, y, side = window(motion, t)
        bx, by, bw, bh = found.removed[t]
        assert x < bx and y < by and x + side > bx + bw and y + side > by + bh


def test_inside_measures_area():
    cover = inside(np.array([2, 3, 5, 4]), (0.5, 0.5, 10.0), 20)
    assert np.isclose(cover.sum() * 0.25, 20.0)
    assert cover.max() == 1 and cover[0, 0] == 0
