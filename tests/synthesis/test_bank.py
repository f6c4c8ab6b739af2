"""Mouths where their picture ends."""

import numpy as np

from relitalk_engine.synthesis.bank import Bank, Driven
from relitalk_engine.synthesis.guides import SourceLight
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.warp import window_map


def test_a_mouth_fades_out_where_its_picture_ends_and_leaves_no_streaks(clip):
    height, width = clip.fit.size
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    motion, light = Motion.of(clip.head, clip.fit), SourceLight(None)
    bank = Bank(clip.head, clip.fit, motion, light, lambda frame: noise, None)
    driven = Driven(clip.head, clip.fit, motion, 0, light, 64)
    positions = window_map((60.0, height - 20.0, 40.0), 40)
    layer = bank.layers(driven, positions, np.array([[0, 0]]), np.array([[1.0, 0.0]], np.float32))[0]
    assert (layer[:4, :, 4] == 1).all() and (layer[-15:, :, 4] == 0).all()
    assert (np.diff(layer[:, :, 4], axis=0) < 0.5).all()
    assert layer[-15:, :, :3].std(1).mean() < 0.3 * layer[:4, :, :3].std(1).mean()


def test_two_mouths_that_fade_into_each_other_stay_sharp(clip):
    height, width = clip.fit.size
    noise = np.random.default_rng(0).integers(0, 255, (36, height, width, 3), np.uint8)
    motion, light = Motion.of(clip.head, clip.fit), SourceLight(None)
    bank = Bank(clip.head, clip.fit, motion, light, lambda frame: noise[frame], None)
    driven = Driven(clip.head, clip.fit, motion, 0, light, 64)
    positions = window_map((60.0, 70.0, 40.0), 40)
    layers = bank.layers(
        driven, positions, np.array([[0, 0], [2, 0], [0, 2]]), np.array([[1, 0], [1, 0], [0.6, 0.4]], np.float32)
    )
    one, other, faded = layers[..., :3]
    assert np.diff(faded, axis=0).var() > 1.25 * np.diff(0.6 * one + 0.4 * other, axis=0).var()
    assert np.abs(faded.mean((0, 1)) - (0.6 * one + 0.4 * other).mean((0, 1))).max() < 0.03
