"""Mouths where their picture ends."""

import dataclasses

import numpy as np

from relitalk_engine.synthesis.bank import Bank, Driven
from relitalk_engine.synthesis.guides import SourceLight
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.warp import CONTROL, window_map


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


def test_a_mouth_opened_wider_than_its_frame_had_it_shows_the_dark_behind_and_no_streaks(clip):
    jaw = clip.head.index("jawOpen")[0]
    psi = np.zeros_like(clip.fit.psi)
    psi[:, jaw] = 0.12
    psi[5, jaw] = 0.8
    fit = dataclasses.replace(clip.fit, psi=psi)
    frames = {t: clip.render(t, psi[t]) for t in (0, 5)}
    motion, light = Motion.of(clip.head, fit), SourceLight(None)
    bank = Bank(clip.head, fit, motion, light, lambda frame: frames.get(frame, frames[0]), None)
    asked = Motion.of(clip.head, fit, np.repeat(psi[5:6], len(psi), 0))
    driven = Driven(clip.head, fit, asked, 0, light, 96)
    layer = bank.layers(driven, driven.grid()[0], np.array([[0, 0]]), np.array([[1.0, 0.0]], np.float32))[0]
    x, y, side = driven.view
    upper, lower = (asked.landmarks[0, CONTROL.index(point)] for point in (13, 14))
    column, row = ((0.3 * upper + 0.7 * lower - (x, y)) / side * 96).astype(int)
    assert bank.dark.max() < 0.3
    assert np.abs(layer[row, column, :3] - bank.dark).max() < 0.1
    skin = layer[row + 25, column, :3]
    assert np.abs(skin - bank.dark).max() > 0.2
