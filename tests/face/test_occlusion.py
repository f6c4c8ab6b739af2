"""Something before the mouth is told from the mouth itself, and what else makes it hard to learn is said."""

import numpy as np
import pytest

from relitalk_engine.events import Reporter
from relitalk_engine.face.checks import remarks
from relitalk_engine.face.landmarks import LIPS_INNER, Track, track
from relitalk_engine.face.occlusion import face_colours, hidden_frames

FPS = 25.0
CROSSED = slice(20, 34)


@pytest.fixture(scope="module")
def clip(sample_frames) -> tuple[list[np.ndarray], Track]:
    return sample_frames, track(sample_frames, len(sample_frames), Reporter(quiet=True))


@pytest.fixture(scope="module")
def colours(clip) -> np.ndarray:
    frames, followed = clip
    return np.stack([face_colours(f, p) for f, p in zip(frames, followed.points, strict=True)])


def crossed(clip, colours: np.ndarray, below: float, colour: tuple[int, int, int]) -> np.ndarray:
    """Colours of the clip with a disc before the face, its middle so far below the mouth, in outer-eye distances."""
    frames, followed = clip
    colours = colours.copy()
    rows, columns = np.mgrid[: frames[0].shape[0], : frames[0].shape[1]]
    for t in range(*CROSSED.indices(len(frames))):
        points = followed.points[t]
        unit = np.linalg.norm(points[33] - points[263])
        u, v = points[list(LIPS_INNER)].mean(0) + (0, below * unit)
        picture = frames[t].copy()
        picture[np.hypot(columns - u, rows - v) < 0.3 * unit] = colour
        colours[t] = face_colours(picture, points)
    return colours


def test_a_free_mouth_is_never_hidden(clip, colours):
    assert not hidden_frames(clip[1].points, colours, clip[1].valid, FPS).any()


@pytest.mark.parametrize("colour", [(40, 40, 40), (200, 160, 140)], ids=["microphone", "hand"])
def test_what_crosses_the_mouth_is_found_and_nothing_else(clip, colours, colour):
    hidden = hidden_frames(clip[1].points, crossed(clip, colours, 0.0, colour), clip[1].valid, FPS)
    assert hidden[CROSSED].all()
    assert not hidden[: CROSSED.start - 3].any() and not hidden[CROSSED.stop + 3 :].any()


def test_what_stays_below_the_chin_hides_nothing(clip, colours):
    beside = crossed(clip, colours, 1.0, (40, 40, 40))
    assert not hidden_frames(clip[1].points, beside, clip[1].valid, FPS).any()


def said(clip, colours, points=None, free=None) -> list[str]:
    frames, followed = clip
    free = np.ones(len(frames), bool) if free is None else free
    return remarks("clip", followed.points if points is None else points, colours, free, frames[0].shape[:2], FPS)


def test_a_short_clip_is_told_to_be_longer(clip, colours):
    assert [s.split(".")[0] for s in said(clip, colours)] == ["clip shows the mouth for only 2"]


def test_hidden_frames_are_named_by_their_seconds(clip, colours):
    free = np.ones(50, bool)
    free[CROSSED] = False
    assert "14 of 50 frames (0.8 to 1.4 s)" in said(clip, colours, free=free)[0]


def test_a_chin_at_the_edge_is_told(clip, colours):
    points = clip[1].points
    lower = points + (0, clip[0][0].shape[0] - points[:, 152, 1].min())
    assert any("frame's edge" in s for s in said(clip, colours, points=lower))


def test_a_beard_and_painted_lips_are_told(clip, colours):
    dark, red = colours.copy(), colours.copy()
    dark[:, [18, 199, 200, 201, 421, 164, 167, 393], 0] -= 25
    red[:, [0, 17, 37, 84, 267, 314], 1] += 30
    assert any("beard" in s for s in said(clip, dark))
    assert any("lipstick" in s for s in said(clip, red))


def test_a_face_nearly_black_or_clipped_white_is_told(clip, colours):
    black, white = colours.copy(), colours.copy()
    black[..., 0] *= 0.08
    white[..., 0] = 100
    assert any("more light" in s for s in said(clip, black))
    assert any("less exposure" in s for s in said(clip, white))
