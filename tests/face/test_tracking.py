"""Clips that are hard to follow, made from the sample, and clips that hold no face to follow."""


import cv2
import numpy as np
import pytest
from skimage import data

from relitalk_engine.config import FitConfig
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.events import Reporter
from relitalk_engine.face.checks import refuse_small
from relitalk_engine.face.fitting import fit
from relitalk_engine.face.landmarks import track
from relitalk_engine.geometry.raster import cast, interpolate

FRAMES = 24


@pytest.fixture(scope="module")
def frames(sample_frames):
    """Frames of the sample."""
    return sample_frames[:FRAMES]


@pytest.fixture(scope="module")
def followed(frames):
    """Their landmarks."""
    return track(frames, len(frames), Reporter(quiet=True))


@pytest.fixture(scope="module")
def turned(frames, followed, anny):
    """Makes pictures of the sample's person, turned further by some degrees; it looks 25 to its right already."""
    fitted = fit(followed, anny, frames[0].shape[:2], FitConfig(iterations=150), Reporter(quiet=True))
    vertices = fitted.vertices(anny, 0)
    seen = fitted.project(vertices).astype(np.float32) - 0.5
    colours = cv2.remap(frames[0], seen[:, :1], seen[:, 1:], cv2.INTER_LINEAR)[:, 0].astype(np.float32)
    middle = fitted.translation[0]

    def picture(degrees):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        moved = ((vertices - middle) @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) + middle).astype(np.float32)
        hits = cast(moved, anny.faces, fitted.focal, fitted.center, fitted.size)
        return np.where(hits.mask[..., None], interpolate(hits, colours, anny.faces), 120).astype(np.uint8)

    return picture


def follow(frames):
    return track(frames, len(frames), Reporter(quiet=True))


def drawing(mouth):
    """A cartoon's face."""
    picture = np.full((300, 300, 3), (200, 220, 255), np.uint8)
    cv2.ellipse(picture, (150, 150), (72, 94), 0, 0, 360, (245, 205, 170), -1)
    for side in (-1, 1):
        eye = (150 + side * 28, 131)
        cv2.ellipse(picture, eye, (15, 9), 0, 0, 360, (255, 255, 255), -1)
        cv2.circle(picture, eye, 6, (60, 110, 60), -1)
        cv2.ellipse(picture, (eye[0], eye[1] - 16), (18, 6), 0, 180, 360, (60, 40, 30), 4)
    cv2.line(picture, (150, 142), (144, 169), (150, 100, 80), 3)
    cv2.ellipse(picture, (150, 197), (24, 6 + mouth), 0, 0, 360, (190, 60, 60), -1)
    cv2.ellipse(picture, (150, 79), (75, 45), 0, 180, 360, (80, 50, 30), -1)
    return picture


@pytest.mark.parametrize("degrees", [25, -40])
def test_a_tilted_clip_is_followed(frames, followed, degrees):
    height, width = frames[0].shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.9)
    found = follow([cv2.warpAffine(frame, matrix, (width, height)) for frame in frames[:12]])
    wanted = followed.points[:12] @ matrix[:, :2].T + matrix[:, 2]
    assert found.valid.all()
    assert np.linalg.norm(found.points - wanted, axis=-1).mean() < 0.05 * followed.inter_ocular().mean()


def test_motion_blur_costs_little(frames, followed):
    kernel = np.zeros((15, 15), np.float32)
    kernel[7] = 1 / 15
    found = follow([cv2.filter2D(frame, -1, kernel) for frame in frames[:12]])
    error = np.linalg.norm(found.points - followed.points[:12], axis=-1).mean()
    assert found.valid.all() and error < 0.04 * followed.inter_ocular().mean()


def test_a_head_that_turns_by_45_degrees_is_followed(turned):
    found = follow([turned(45 * np.sin(i / 3)) for i in range(20)])
    assert found.valid.all()


def test_a_face_found_again_is_the_same_persons(frames, followed):
    height, width = frames[0].shape[:2]
    small = [cv2.resize(frame, (width // 2, height // 2)) for frame in frames]
    small = [np.pad(frame, ((0, height - height // 2), (0, 0), (0, 0))) for frame in small]
    both = [np.concatenate(pair, 1) for pair in zip(frames, small, strict=True)]
    for frame in both[8:11]:
        frame[:, :width] = 0  # only the other, smaller person is left for a moment
    found = follow(both)
    right = found.points[..., 0].mean(1) < width
    assert right[:8].all() and right[14:].all()


def test_landmarks_that_no_pose_explains_are_bridged(followed, frames, anny):
    points = followed.points.copy()
    points[9] = points[9] * np.float32([1, 0.5]) + np.float32([60, 40])
    wrong = type(followed)(points, followed.valid, 1, followed.depth)
    config, quiet, size = FitConfig(iterations=150), Reporter(quiet=True), frames[0].shape[:2]
    fitted = fit(wrong, anny, size, config, quiet)
    assert not fitted.valid[9] and fitted.valid.sum() == FRAMES - 1
    usual = np.linalg.norm(np.diff(fitted.translation, axis=0), axis=1)
    assert usual[8:10].max() < 4 * np.median(usual) + 0.002
    eyes = followed.inter_ocular()[9]
    assert np.linalg.norm(fitted.landmarks[9] - followed.points[9], axis=-1).mean() < 0.05 * eyes


def test_a_wall_has_no_face():
    wall = np.stack([cv2.resize(data.brick(), (320, 320))] * 3, -1)
    with pytest.raises(ReliTalkError, match="No face was found") as told:
        follow([wall] * 15)
    assert told.value.exit_code == 2 and "from the front" in told.value.hint


def test_a_cartoon_is_not_a_person():
    with pytest.raises(ReliTalkError) as told:
        follow([drawing(i % 4) for i in range(15)])
    assert told.value.exit_code == 2 and told.value.code in ("not_filmed", "no_face")


def test_a_profile_is_told_to_turn(turned):
    with pytest.raises(ReliTalkError, match="from the side|No face") as told:
        follow([turned(-55 - i % 6) for i in range(15)])  # 80 to 85 from the front
    assert told.value.exit_code == 2 and "from the front" in told.value.hint


def test_a_face_covered_for_half_of_the_clip_is_refused(frames, followed):
    covered = []
    for frame, points in zip(frames, followed.points, strict=True):
        low, high = points.min(0).astype(int), points.max(0).astype(int)
        hidden = frame.copy()
        hidden[low[1] - 10 : high[1] + 10, low[0] - 10 : high[0] + 10] = (150, 110, 90)
        covered.append(hidden)
    with pytest.raises(ReliTalkError, match="12 of 24 frames") as told:
        follow(frames[:12] + covered[12:])
    assert told.value.exit_code == 2 and "nothing in front" in told.value.hint


def test_a_face_of_40_pixels_is_refused(frames, followed):
    with pytest.raises(ReliTalkError, match="40 pixels wide") as told:
        width = np.linalg.norm(followed.points[:, 234] - followed.points[:, 454], axis=-1)
        height = 0.8 * np.linalg.norm(followed.points[:, 10] - followed.points[:, 152], axis=-1)
        refuse_small(followed.points * 40 / np.median(np.maximum(width, height)), "far.mp4")
    assert told.value.exit_code == 2
