"""Retrieval: the right mouth, never its own in training, and a plan for the whole take."""

import numpy as np

from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.retrieval import FADE, MOUTH, _fade, distances, plan


def test_a_take_like_the_clip_gets_the_clips_own_run(clip):
    motion = Motion.of(clip.head, clip.fit)
    found = plan(motion.select(slice(5, 25)), motion, layers=1)
    assert np.abs(found.source[:, 0, 0] - np.arange(5, 25)).max() <= 1
    assert found.cost.max() < 0.05


def test_training_never_shows_a_frame_to_itself(clip):
    motion = Motion.of(clip.head, clip.fit)
    own = np.arange(len(motion))
    found = plan(motion, motion, 2, None, own, 3)
    shown = np.where(found.weight > 0, found.source, -100)
    assert np.abs(shown[:, :, 0] - own[:, None]).min() > 3


def test_shares_add_up_to_one_and_bad_frames_are_left_out(clip):
    motion = Motion.of(clip.head, clip.fit)
    usable = np.ones(len(motion), bool)
    usable[8:16] = False
    found = plan(motion, motion, 3, usable)
    assert np.allclose(found.weight.sum(-1), 1)
    assert usable[found.source[:, 0, 0]].all()


def test_nearer_lips_cost_less(clip):
    motion = Motion.of(clip.head, clip.fit)
    cost = distances(motion, motion, MOUTH)
    assert np.array_equal(cost.argmin(1), np.arange(len(motion)))
    assert cost.diagonal().max() < 1e-2


def test_a_take_that_runs_backwards_follows_the_clip_backwards(clip):
    motion = Motion.of(clip.head, clip.fit)
    back = np.arange(30, 8, -1)
    found = plan(motion.select(back), motion, layers=2)
    assert np.abs(found.source[:, 1, 0] - back).max() <= 1


def test_one_run_fades_into_the_next():
    path = np.concatenate([np.arange(10, 20), np.arange(50, 60)])
    source, weight = _fade(path, np.zeros(80))
    assert np.array_equal(source[:, 0], path)
    assert source[9, 1] == 49 and source[10, 1] == 20  # each run is carried on across the change
    first, last = 10 - FADE, 9 + FADE
    assert (np.diff(weight[first:10, 1]) > 0).all() and (np.diff(weight[10 : last + 1, 1]) < 0).all()
    assert not weight[:first, 1].any() and not weight[last + 1 :, 1].any()


def test_an_open_mouth_does_not_fade_into_a_closed_one():
    path = np.concatenate([np.arange(10, 20), np.arange(50, 60)])
    _, weight = _fade(path, np.where(np.arange(80) < 40, -4.0, -1.5))
    assert weight[:, 1].max() < 1e-3
