"""Footage whose mouth is hidden: what happens there must not matter."""


import numpy as np
import pytest

from relitalk_engine.events import Reporter
from relitalk_engine.face.landmarks import track
from relitalk_engine.face.stand_in import ANCHORS, StandIn, carry_over, nearest_pose, track_coarsely, track_covered


@pytest.fixture(scope="module")
def clip(sample_frames):
    """Frames of the sample and their landmarks."""
    frames = sample_frames[:40]
    return frames, track(frames, len(frames), Reporter(quiet=True)).points


def test_a_known_frame_is_found_again_in_itself(clip):
    frames, points = clip
    found, which = carry_over(StandIn(frames[3], points[3]), frames[3], points[3] + 2.0)
    assert which.sum() > 40
    assert np.abs(found - points[3])[which].max() < 0.1


def test_the_nearest_pose_of_a_known_frame_is_its_own(clip):
    _, points = clip
    assert nearest_pose(points[17], points) == 17


def test_scrambled_mouths_do_not_move_the_head(clip):
    frames, points = clip
    known, quiet = StandIn(frames[0], points[0]), Reporter(quiet=True)
    footage = frames[10:34]
    scrambled, rng = [], np.random.default_rng(0)
    for frame, landmarks in zip(footage, points[10:34], strict=True):
        reach = int(0.3 * np.linalg.norm(landmarks[33] - landmarks[263]))
        u, v = landmarks[[13, 14]].mean(0).astype(int)
        noisy = frame.copy()
        noisy[v - reach : v + reach, u - reach : u + reach] = rng.integers(0, 256, (2 * reach, 2 * reach, 3))
        scrambled.append(noisy)
    tracks = []
    for frames_now in (footage, scrambled):
        coarse = track_coarsely(frames_now, known, quiet)
        tracks.append(track_covered(frames_now, coarse, [known] * len(footage), quiet).points)
    same = np.abs(tracks[0] - tracks[1]).max((1, 2)) == 0
    assert same.mean() > 0.8
    eyes = np.linalg.norm(points[0, 33] - points[0, 263])
    anchors = list(ANCHORS)
    assert np.abs(tracks[0][:, anchors] - points[10:34][:, anchors]).mean() < 0.03 * eyes
