"""What training asks for: the clip's frames, and poses as covered footage gives them."""

import numpy as np
from scipy.spatial.transform import Rotation

from relitalk_engine.events import Reporter
from relitalk_engine.synthesis.asked import Asked, sway
from relitalk_engine.synthesis.boxes import mouth_sweep
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.outline import learn_outline


def test_the_clips_own_poses_come_first_and_stay(clip):
    both = sway(clip.fit, Motion.of(clip.head, clip.fit), np.random.default_rng(0))
    count = len(clip.fit)
    assert len(both) == 2 * count
    assert np.array_equal(both.rotation[:count], clip.fit.rotation)
    assert np.array_equal(both.translation[:count], clip.fit.translation)


def test_swayed_poses_are_off_by_a_little_and_less_at_the_eyes_than_at_the_mouth(clip):
    count = len(clip.fit)
    both = sway(clip.fit, Motion.of(clip.head, clip.fit), np.random.default_rng(0))
    turned = both.rotation[count:] @ clip.fit.rotation.transpose(0, 2, 1)
    angle = np.degrees(np.linalg.norm(Rotation.from_matrix(turned).as_rotvec(), axis=1))
    assert 1 < angle.mean() < 4
    points = clip.head.at_landmarks(clip.head.template)
    eyes, chin = points[[33, 263]].mean(0), points[152]

    def off(point):
        places = [both.project(both.place(point[None], t))[0] for t in range(2 * count)]
        return np.linalg.norm(np.array(places[count:]) - np.array(places[:count]), axis=1).mean()

    assert 0 < off(eyes) < off(chin)


def test_no_frame_is_shown_to_itself(clip):
    motion = Motion.of(clip.head, clip.fit)
    sweep = mouth_sweep(motion, clip.head.mouth_actions)
    outline = learn_outline(clip.head, clip.fit, motion, None)
    asked = Asked.of(
        clip.head, clip.fit, motion, outline, sweep, (120 / 256, 80 / 256), 3, clip.rgb.__getitem__, 10.0,
        np.random.default_rng(0), Reporter(quiet=True),
    )  # fmt: skip
    assert np.array_equal(asked.own, np.tile(np.arange(len(motion)), 2))
    shown = np.where(asked.plan.weight > 0, asked.plan.source, -100)
    assert np.abs(shown[:, :, 0] - asked.own[:, None]).min() > 3
