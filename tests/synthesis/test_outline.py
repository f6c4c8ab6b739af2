"""The person's outline beside the fitted head's, read off mattes."""

import numpy as np

from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.outline import learn_outline

BANDS_OF_CHEEKS = slice(8, 16)
"""The upper half of the outline's points: below them neck is beside the jaw."""


def _mattes(clip, motion, offsets):
    """Mattes [T, H, W] that end `offsets` [T] (outer-eye distances) outside the head's outline, on every row."""
    height, width = clip.rgb.shape[1:3]
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    mattes = np.zeros((len(motion), height, width), np.float32)
    for t in range(len(motion)):
        edges = []
        for side in (0, 1):
            points = motion.outline[t, side::2] + offsets[t] * motion.unit[t] * motion.outwards[t, side::2]
            order = points[:, 1].argsort()
            edges.append(np.interp(rows[:, 0], points[order, 1], points[order, 0]))
        left, right = (e[:, None] for e in edges)
        mattes[t] = np.clip(columns - left + 0.5, 0, 1) * np.clip(right - columns + 0.5, 0, 1)
    return mattes


def test_a_beard_that_grows_with_the_turn_is_found(clip):
    motion = Motion.of(clip.head, clip.fit)
    turn = motion.rotation[:, 0, 2]
    offsets = 0.05 + 0.4 * (turn - np.quantile(turn, (0.02, 0.98)).mean())
    outline = learn_outline(clip.head, clip.fit, motion, _mattes(clip, motion, offsets).__getitem__)
    found = outline.at(motion.rotation)[:, BANDS_OF_CHEEKS]
    assert np.abs(found - offsets[:, None]).mean() < 0.5 * np.abs(0.05 - offsets).mean()  # no fixed offset would do

    truer = Motion.of(clip.head, clip.fit, outline=outline)
    out = ((truer.outline - motion.outline) * motion.outwards).sum(-1) / motion.unit[:, None]
    assert np.allclose(out[:, BANDS_OF_CHEEKS], found, atol=1e-3)


def test_nothing_is_made_up_where_nothing_is_seen(clip):
    motion = Motion.of(clip.head, clip.fit)
    opaque = np.ones(clip.rgb.shape[1:3], np.float32)
    for alpha in (None, lambda t: opaque):
        assert not learn_outline(clip.head, clip.fit, motion, alpha).at(motion.rotation).any()


def test_beyond_the_clips_poses_the_outline_stays(clip):
    motion = Motion.of(clip.head, clip.fit)
    outline = learn_outline(clip.head, clip.fit, motion, _mattes(clip, motion, np.full(len(motion), 0.05)).__getitem__)
    far = np.array([[[0.5, 0, 0.87], [0, 1, 0], [-0.87, 0, 0.5]]], np.float32)
    assert np.abs(outline.at(far)[:, BANDS_OF_CHEEKS]).max() < 0.1
