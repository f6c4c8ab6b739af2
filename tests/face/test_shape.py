"""What the fit adds to landmarks: the outline, the tracker's depth, the pictures, a camera that is given."""


import numpy as np
import pytest

from relitalk_engine.config import FitConfig
from relitalk_engine.events import Reporter
from relitalk_engine.face.fitting import HeadFit, fit
from relitalk_engine.face.landmarks import Track, track
from relitalk_engine.face.solving.contour import CHEEKS, outline_vertices
from relitalk_engine.face.solving.personal import personal_fields
from relitalk_engine.face.solving.terms import LIP_PAIRS
from relitalk_engine.geometry.raster import cast, interpolate
from relitalk_engine.geometry.surface import vertex_normals
from relitalk_engine.lighting import sh
from relitalk_engine.media.images import encode_uint8

QUIET = Reporter(quiet=True)
SIZE = (240, 240)


@pytest.fixture(scope="module")
def head(anny):
    """The head model that ships."""
    return anny


@pytest.fixture(scope="module")
def truth(head):
    """A head whose shape is known, turning from side to side."""
    rng = np.random.default_rng(3)
    frames = 12
    angles = np.radians(30 * np.sin(np.arange(frames) / 2))
    turn = np.zeros((frames, 3, 3), np.float32)
    turn[:, 1, 1] = 1
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(angles)
    turn[:, 0, 2], turn[:, 2, 0] = np.sin(angles), -np.sin(angles)
    fields = personal_fields(head)
    psi = np.zeros((frames, len(head.expression_names)), np.float32)
    psi[4:7, head.index("jawOpen")] = 0.5
    return HeadFit(
        beta=rng.normal(0, 1, len(head.shape_basis)).astype(np.float32) * (np.arange(len(head.shape_basis)) < 12),
        psi=psi,
        rotation=turn,
        translation=np.tile(np.float32([0, 0.02, -1.2]), (frames, 1)),
        focal=1300.0,
        center=(120.0, 120.0),
        size=SIZE,
        landmarks=np.zeros((frames, 478, 2), np.float32),
        valid=np.ones(frames, bool),
        offset=0.6 * fields @ rng.normal(0, 1, (fields.shape[1], 3)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def tracked(head, truth):
    """Its landmarks, with the errors that a tracker makes: the same ones in all frames, and some trembling."""
    rng = np.random.default_rng(4)
    points = [truth.place(head.at_landmarks(truth.shape(head, psi)), i) for i, psi in enumerate(truth.psi)]
    pixels = np.stack([truth.project(p) for p in points])
    pixels += rng.normal(0, 0.7, (1, 478, 2)) + rng.normal(0, 0.1, pixels.shape)
    return Track(pixels.astype(np.float32), truth.valid, 1)


@pytest.fixture(scope="module")
def pictures(head, truth):
    """It under a light from the side, all of one colour."""
    light = np.zeros((9, 3), np.float32)
    light[0], light[1], light[2], light[3] = 2.2, 0.5, 0.7, 0.9
    drawn = []
    for frame in range(len(truth)):
        vertices = truth.vertices(head, frame)
        hits = cast(vertices, head.faces, truth.focal, truth.center, truth.size)
        shading = sh.shade(light, vertex_normals(vertices, head.faces)) * np.float32([0.5, 0.35, 0.28])
        drawn.append(encode_uint8(interpolate(hits, shading, head.faces)))
    return drawn


def normal_error(head, fitted, truth):
    """Mean angle in degrees between the fitted and the true normals of the face's skin."""
    skin = (head.regions["skin"] > 0.9) & (head.regions["scalp"] + head.regions["neck"] + head.regions["ears"] < 0.1)
    errors = []
    for frame in (0, 6, 11):
        mine, theirs = (vertex_normals(f.vertices(head, frame), head.faces)[skin] for f in (fitted, truth))
        seen = theirs[:, 2] > 0.3
        errors.append(np.degrees(np.arccos(np.clip((mine * theirs).sum(1)[seen], -1, 1))).mean())
    return np.mean(errors)


def test_pictures_shape_the_head(head, truth, tracked, pictures):
    without, seen = (
        fit(tracked, head, SIZE, FitConfig(iterations=240, focal=1300.0), QUIET, frames=frames)
        for frames in (None, pictures.__getitem__)
    )
    assert normal_error(head, seen, truth) < 0.9 * normal_error(head, without, truth)


def test_the_trackers_depth_shapes_the_head(head, truth, tracked):
    depth = []
    for frame, psi in enumerate(truth.psi):
        points = truth.place(head.at_landmarks(truth.shape(head, psi)), frame)
        depth.append(-points[:, 2] * truth.focal / 1.2)
    deep = Track(tracked.points, tracked.valid, 1, np.array(depth, np.float32))
    flat, relief = (fit(t, head, SIZE, FitConfig(iterations=200, focal=1300.0), QUIET) for t in (tracked, deep))
    assert normal_error(head, relief, truth) < normal_error(head, flat, truth)


def test_the_silhouette_meets_the_outline_where_the_landmarks_do_not_say(head, truth, tracked):
    rim = outline_vertices(head)
    wide = Track(tracked.points.copy(), tracked.valid, 1)
    face = wide.points[:, CHEEKS].mean(1, keepdims=True)
    wide.points[:, CHEEKS] = face + 1.06 * (wide.points[:, CHEEKS] - face)
    widths = []
    for contour in (0.0, 1.0):
        fitted = fit(wide, head, SIZE, FitConfig(iterations=200, contour=contour, focal=1300.0), QUIET)
        drawn = np.stack([fitted.project(fitted.vertices(head, i)[rim])[:, 0] for i in range(len(truth))])
        outline = wide.points[:, CHEEKS, 0]
        widths.append(np.abs(np.ptp(drawn, axis=1) - np.ptp(outline, axis=1)).mean())
    assert widths[1] < widths[0]


def test_a_given_focal_length_is_kept(head, tracked):
    fitted = fit(tracked, head, SIZE, FitConfig(iterations=60, focal=900.0), QUIET)
    assert fitted.focal == 900


def test_lips_meet_where_they_meet_in_the_clip(head, sample_frames):
    frames = sample_frames
    found = track(frames, len(frames), QUIET)
    fitted = fit(found, head, frames[0].shape[:2], FitConfig(), QUIET)
    eyes = found.inter_ocular()
    upper, lower = np.array(LIP_PAIRS[:3]).T
    gap = np.linalg.norm(found.points[:, upper] - found.points[:, lower], axis=-1).mean(1) / eyes
    closed = gap < 0.03
    assert closed.any()
    pixels = np.stack([fitted.project(head.at_landmarks(fitted.vertices(head, i))) for i in range(len(frames))])
    mine = np.linalg.norm(pixels[:, upper] - pixels[:, lower], axis=-1).mean(1) / eyes
    assert np.abs(mine - gap)[closed].max() < 0.03


def test_the_same_clip_gives_the_same_fit(head, tracked, pictures):
    config = FitConfig(iterations=30)
    first, again = (fit(tracked, head, SIZE, config, QUIET, frames=pictures.__getitem__).tensors() for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_a_fit_keeps_what_is_the_persons_own(head, truth):
    again = HeadFit.from_tensors(truth.tensors())
    assert np.allclose(again.vertices(head, 5), truth.vertices(head, 5), atol=1e-6)
    plain = HeadFit.from_tensors({name: value for name, value in truth.tensors().items() if name != "offset"})
    assert plain.offset is None and not np.allclose(plain.vertices(head, 5), truth.vertices(head, 5))


def test_another_clip_of_the_person_keeps_the_shape(head, tracked, pictures):
    known = fit(tracked, head, SIZE, FitConfig(iterations=60), QUIET, frames=pictures.__getitem__)
    other = fit(tracked, head, SIZE, FitConfig(iterations=60), QUIET, known=known)
    assert np.array_equal(other.beta, known.beta) and np.array_equal(other.offset, known.offset)
    assert other.focal == pytest.approx(known.focal)
