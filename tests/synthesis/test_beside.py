"""Neck and collar beside a jaw that turns."""

import dataclasses

import numpy as np
import pytest

from relitalk_engine.synthesis.beside import CHIN_LOW, Beside, behind
from relitalk_engine.synthesis.boxes import window
from relitalk_engine.synthesis.motion import Motion
from relitalk_engine.synthesis.warp import window_map

CELLS = 60
JAW = slice(0, 4)
"""The lower half of the outline's heights."""
BEFORE_EARS = (234, 454)
"""Mediapipe's points, on either side."""
HEAD = np.array([5.0, 2.0])
"""How far the head's motion would read everything, pixels."""


@pytest.fixture(scope="module")
def turned_fit(clip):
    """The clip's fit, its second frame like its first but turned by 30 degrees."""
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    rotation, translation = clip.fit.rotation.copy(), clip.fit.translation.copy()
    rotation[1] = rotation[0] @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    pivot = clip.head.joints["neck"]
    translation[1] = translation[0] + (rotation[0] - rotation[1]) @ pivot
    return dataclasses.replace(clip.fit, rotation=rotation.astype(np.float32), translation=translation)


@pytest.fixture(scope="module")
def turned(clip, turned_fit):
    """The motion of that."""
    return Motion.of(clip.head, turned_fit)


def _read(motion, driven, source, matte=None):
    """Where a driven frame reads a source frame, and its places."""
    places = window_map(window(motion, driven), CELLS)
    size = int(places.max()) + 40
    matte = np.full((size, size), 255, np.uint8) if matte is None else matte
    head = np.broadcast_to(HEAD, places.shape).astype(np.float32)
    return Beside(motion, driven, places).moved(head, np.ones(places.shape[:2]), motion, source, matte), places


def _cell(places, point):
    return np.unravel_index(np.linalg.norm(places - point, axis=-1).argmin(), places.shape[:2])


def test_a_head_that_turns_leaves_its_neck_behind(turned):
    chin = turned.landmarks[1, CHIN_LOW] - turned.landmarks[0, CHIN_LOW]
    neck = turned.neck[1] - turned.neck[0]
    assert np.linalg.norm(neck) < 0.3 * np.linalg.norm(chin)


def test_the_mouth_is_before_what_stays_and_the_neck_is_not(turned):
    places = window_map(window(turned, 0), CELLS)
    hidden = behind(turned, 0, places)
    assert hidden[_cell(places, turned.centre[0])] == 1
    below = turned.landmarks[0, CHIN_LOW] + (0, 0.3 * turned.unit[0])
    assert hidden[_cell(places, below)] == 0
    assert hidden[0, 0] == 0 or hidden[0, -1] == 0
    assert (np.abs(np.diff(hidden, axis=0)) < 0.8).all()


def test_a_turned_jaw_ends_before_the_near_ear_and_not_behind_that_on_the_neck(clip, turned_fit, turned):
    ears = clip.head.at_landmarks(turned_fit.shape(clip.head, turned_fit.psi[1]))[list(BEFORE_EARS)]
    placed = ears @ turned_fit.rotation[1].T + turned_fit.translation[1]
    near = int(placed[:, 2].argmax())
    out = turned.outwards[1, near]
    past = turned.outline[1, near::2][JAW] @ out - turned_fit.project(placed[None])[0, near] @ out
    assert (past < 0.06 * turned.unit[1]).all()


def test_the_neck_is_read_where_the_trunk_stands_and_the_face_where_the_head_is(turned):
    read, places = _read(turned, 1, 0)
    below = turned.landmarks[1, CHIN_LOW] + (0, 0.35 * turned.unit[1])
    stays = turned.neck[0] + (below - turned.neck[1]) * turned.unit[0] / turned.unit[1] - below
    assert np.linalg.norm(read[_cell(places, below)] - stays) < 0.2 * np.linalg.norm(HEAD - stays)
    assert np.allclose(read[_cell(places, turned.centre[1])], HEAD, atol=0.05)


def test_what_the_other_jaw_hid_is_not_read_off_that_jaw_nor_off_the_backdrop(turned):
    beside = Beside(turned, 0, window_map(window(turned, 0), CELLS))
    with_trunk = _with_trunk(turned, beside.places)
    hidden = (behind(turned, 1, with_trunk) > 0.99) & (beside.share > 0.99)
    assert hidden.any()
    read, places = _read(turned, 0, 1)
    inner = np.zeros_like(hidden)
    inner[1:-1, 1:-1] = hidden[1:-1, 1:-1] & hidden[:-2, 1:-1] & hidden[2:, 1:-1] & hidden[1:-1, :-2] & hidden[1:-1, 2:]
    assert np.linalg.norm(read[inner] - HEAD, axis=-1).mean() < 0.15 * np.linalg.norm(
        (with_trunk - places)[inner] - HEAD, axis=-1
    ).mean()
    assert _followed(turned, places, hidden) > 0.5


def test_above_the_jaw_the_trunk_stands_in_only_where_the_heads_motion_finds_nobody(turned):
    read, places = _read(turned, 0, 1)
    beside = Beside(turned, 0, places)
    with_trunk = _with_trunk(turned, places)
    above = (beside.share < 0.1) & (beside.uncovered > 0.6)
    assert above.any()
    assert np.linalg.norm(read[above] - HEAD, axis=-1).mean() < 0.1 * np.linalg.norm(
        (with_trunk - places)[above] - HEAD, axis=-1
    ).mean()
    assert _followed(turned, places, above) > 0.3


def _with_trunk(motion, places):
    """Where the trunk of the second frame has what stands at places of the first."""
    return motion.neck[1] + (places - motion.neck[0]) * motion.unit[1] / motion.unit[0]


def _followed(motion, places, chosen):
    """How far the trunk's motion is followed where it alone finds somebody, 0..1."""
    with_trunk = _with_trunk(motion, places)
    matte = np.zeros((400, 400), np.uint8)
    for x, y in np.rint(with_trunk[chosen] - 0.5).astype(int):
        matte[y - 1 : y + 2, x - 1 : x + 2] = 255
    looked = np.rint((places + HEAD)[chosen] - 0.5).astype(int)
    alone = matte[looked[:, 1], looked[:, 0]] == 0
    assert alone.any()
    read, _ = _read(motion, 0, 1, matte)
    away = np.linalg.norm((read - HEAD)[chosen][alone], axis=-1)
    return away.mean() / np.linalg.norm((with_trunk - places - HEAD)[chosen][alone], axis=-1).mean()


def test_poses_that_hardly_differ_are_left_to_the_head(turned):
    read, _ = _read(turned, 2, 2)
    assert np.allclose(read, HEAD, atol=1e-3)
