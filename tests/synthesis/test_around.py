"""What is seen about the removed area: it tells frames apart, and never by what lies under the box."""

import numpy as np

from relitalk_engine.events import Reporter
from relitalk_engine.synthesis.around import look, looks, unlike
from relitalk_engine.synthesis.boxes import boxes, mouth_sweep
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.retrieval import plan


def _seen(clip):
    motion = Motion.of(clip.head, clip.fit)
    sweep = mouth_sweep(motion, clip.head.mouth_actions)
    return motion, boxes(clip.head, clip.fit, motion, sweep, 120 / 256, 80 / 256).removed


def test_what_is_removed_is_not_seen(clip):
    motion, removed = _seen(clip)
    x, y, w, h = removed[7]
    scrambled = clip.rgb[7].copy()
    scrambled[y : y + h, x : x + w] = np.random.default_rng(0).integers(0, 255, (h, w, 3), np.uint8)
    one, two = look(clip.rgb[7], removed[7], motion, 7), look(scrambled, removed[7], motion, 7)
    assert np.array_equal(one, two)
    assert 0.2 < one[..., 3].mean() < 0.9


def test_each_frame_is_most_like_itself(clip):
    motion, removed = _seen(clip)
    seen = looks(clip.rgb.__getitem__, removed, motion, np.arange(len(motion)), Reporter(quiet=True))
    apart = unlike(seen, seen)
    assert np.array_equal(apart.argmin(1), np.arange(len(motion)))
    assert apart.diagonal().max() < 1e-3 < np.median(apart)


def test_a_picture_that_is_shown_twice_is_read_once(clip):
    motion, removed = _seen(clip)
    shown, asked = np.array([3, 4, 4, 3]), []

    def rgb(number):
        asked.append(number)
        return clip.rgb[number]

    seen = looks(rgb, removed[shown], motion.select(shown), shown, Reporter(quiet=True))
    assert asked == [3, 4] and np.array_equal(seen[0], seen[3]) and not np.array_equal(seen[0], seen[1])


def test_the_surroundings_are_taken_from_where_they_look_alike(clip):
    motion = Motion.of(clip.head, clip.fit)
    around = np.ones((len(motion), len(motion)), np.float32)
    around[:, 20] = 0
    found = plan(motion, motion, 2, around=around)
    assert (found.source[:, -1, 0] == 20).mean() > 0.9
    assert (found.source[:, 0, 0] == 20).mean() < 0.2
