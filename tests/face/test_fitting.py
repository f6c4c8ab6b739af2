"""The head fitted to what is known: its own projections, and the sample clip."""


from dataclasses import replace

import numpy as np
import pytest

from relitalk_engine.config import FitConfig
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.events import Reporter
from relitalk_engine.face.crop import find_crop
from relitalk_engine.face.fitting import HeadFit, fit
from relitalk_engine.face.landmarks import LIPS, OVAL, Track, track
from relitalk_engine.face.observation import Observer
from relitalk_engine.face.solving.refine import refine

FRAMES = 30


@pytest.fixture(scope="module")
def head(anny):
    """The head model that ships."""
    return anny


@pytest.fixture(scope="module")
def frames(sample_frames):
    """The sample's first frames."""
    return sample_frames[:FRAMES]


@pytest.fixture(scope="module")
def tracked(frames):
    """Their landmarks."""
    return track(frames, len(frames), Reporter(quiet=True))


@pytest.fixture(scope="module")
def fitted(tracked, head, frames):
    """The head fitted to them."""
    return fit(tracked, head, frames[0].shape[:2], FitConfig(), Reporter(quiet=True))


@pytest.fixture(scope="module")
def seen(tracked, head, frames):
    """The same with every frame's own picture."""
    config = FitConfig(iterations=60, photometric=0.0)
    return fit(tracked, head, frames[0].shape[:2], config, Reporter(quiet=True), frames=frames.__getitem__)


def projected(fitted, head, frame):
    return fitted.project(fitted.place(head.at_landmarks(fitted.shape(head, fitted.psi[frame])), frame))


def test_the_origin_of_the_head_lies_between_its_eyes(head):
    sides = [head.template[head.regions[side] > 0.5] for side in ("eye_l", "eye_r")]
    middle = np.mean([side.mean(0) for side in sides], 0)
    assert np.abs(middle[:2]).max() < 1e-3 and abs(middle[2]) < 6e-3
    eyes = np.concatenate(sides)
    assert 0.15 < np.ptp(head.template[:, 1]) < 0.35  # metres
    assert head.at_landmarks(head.template)[1, 2] > eyes[:, 2].max()  # the nose points at the viewer


def test_an_action_moves_what_it_names(head):
    points = head.at_landmarks(head.expression_basis)
    assert points[head.index("jawOpen")[0], 152, 1] < -0.01  # the chin drops
    assert np.abs(points[head.index("jawOpen")[0], 10]).max() < 1e-3  # the forehead does not
    blink = points[head.index("eyeBlinkLeft")[0]]
    assert np.abs(blink[[386, 374]]).max() > 5 * np.abs(blink[[159, 145]]).max()  # the person's left eye


def test_landmarks_reproject_within_two_percent_of_the_eyes_distance(fitted, tracked, head):
    inner = [k for k in range(468) if k not in OVAL]
    errors = [np.linalg.norm(projected(fitted, head, i) - tracked.points[i], axis=-1)[inner] for i in range(FRAMES)]
    assert np.sqrt(np.mean(np.square(errors))) / tracked.inter_ocular().mean() < 0.02


def test_the_fitted_mouth_opens_with_the_tracked_one(fitted, tracked, head):
    opening = [np.linalg.norm(np.subtract(*p[[13, 14]])) for p in tracked.points]
    model = [np.linalg.norm(np.subtract(*projected(fitted, head, i)[[13, 14]])) for i in range(FRAMES)]
    assert np.corrcoef(opening, model)[0, 1] > 0.95


def test_a_fit_survives_its_tensors(fitted):
    again = HeadFit.from_tensors(fitted.tensors())
    assert again.size == fitted.size and abs(again.focal - fitted.focal) < 1e-2
    assert np.allclose(again.rotation, fitted.rotation) and again.valid.dtype == bool
    assert again.skin is None


def test_the_skin_survives_its_tensors(seen):
    again = HeadFit.from_tensors(seen.tensors())
    assert np.array_equal(again.skin.looks, seen.skin.looks) and np.array_equal(again.skin.reach, seen.skin.reach)


def test_the_pictures_may_be_left_out(tracked, head, frames, seen):
    config = FitConfig(iterations=60, photometric=0.0, refine=0.0)
    blind = fit(tracked, head, seen.size, config, Reporter(quiet=True), frames=frames.__getitem__)
    assert blind.skin is None and not np.array_equal(blind.rotation, seen.rotation)


def test_the_upper_face_alone_gives_nearly_the_same_pose_whatever_the_mouth_does(fitted, tracked, head):
    scrambled, deep = tracked.points.copy(), tracked.depth.copy()
    lower = [*LIPS, 18, 200, 199, 175, 152, 148, 377]
    scrambled[:, lower] += np.random.default_rng(0).normal(0, 8, (FRAMES, len(lower), 2))
    deep[:, lower] += 9
    config, quiet = FitConfig(iterations=150), Reporter(quiet=True)
    poses = [
        fit(Track(points, tracked.valid, 1, depth), head, fitted.size, config, quiet, known=fitted, upper_only=True)
        for points, depth in ((tracked.points, tracked.depth), (scrambled, deep))
    ]
    assert np.array_equal(poses[0].rotation, poses[1].rotation)
    assert np.abs(poses[0].psi[:, head.mouth_actions]).max() == 0
    turned = np.einsum("tij,tij->t", poses[0].rotation, fitted.rotation)
    assert np.degrees(np.arccos(np.clip((turned - 1) / 2, -1, 1))).mean() < 3


def apart(one, other, head):
    """Mean distance of the landmarks of two fits, pixels."""
    off = [projected(one, head, i) - projected(other, head, i) for i in range(FRAMES)]
    return np.linalg.norm(off, axis=-1).mean()


@pytest.mark.parametrize("upper_only", [False, True])
def test_a_fit_that_drifts_finds_back_to_the_skin(seen, head, frames, upper_only):
    from scipy.spatial.transform import Rotation

    drift = np.sin(np.arange(FRAMES)[:, None] / 5 + np.arange(6)) * [0.03, 0.03, 0.03, 0.001, 0.001, 0.005]
    turned = Rotation.from_rotvec(drift[:, :3]).as_matrix().astype(np.float32)
    moved = (seen.translation + drift[:, 3:]).astype(np.float32)
    drifting = replace(seen, rotation=turned @ seen.rotation, translation=moved)
    found = refine(drifting, head, frames.__getitem__, 1.0, upper_only, 25.0, Reporter(quiet=True))
    assert apart(found, seen, head) < 0.4 * apart(drifting, seen, head)
    if upper_only:
        assert np.array_equal(found.psi[:, head.mouth_actions], seen.psi[:, head.mouth_actions])


@pytest.mark.parametrize("frames_a_radian", [5, 1.5])
def test_a_pose_is_found_again_by_nose_and_cheeks_where_all_below_them_is_covered(
    seen, head, frames, frames_a_radian
):
    from scipy.spatial.transform import Rotation

    drift = np.sin(np.arange(FRAMES)[:, None] / frames_a_radian + np.arange(3)) * 0.02
    turned = Rotation.from_rotvec(drift).as_matrix().astype(np.float32)
    drifting = replace(seen, rotation=turned @ seen.rotation)
    noses = np.stack([projected(seen, head, i)[2] for i in range(FRAMES)])
    rows = np.floor(noses[:, 1] - 4)

    def covered(i):
        picture, last = frames[i].copy(), int(rows[i])
        picture[last:] = picture[last - 1]
        return picture

    found = refine(drifting, head, covered, 1.0, True, 25.0, Reporter(quiet=True), rows)
    assert apart(found, seen, head) < 0.5 * apart(drifting, seen, head)
    assert np.array_equal(found.psi[:, head.mouth_actions], seen.psi[:, head.mouth_actions])


def test_a_frame_that_shows_something_else_stays_with_its_neighbours(seen, head, frames):
    noise = np.random.default_rng(0).integers(0, 256, frames[0].shape, np.uint8)
    found = refine(seen, head, lambda i: noise if i == 10 else frames[i], 1.0, False, 25.0, Reporter(quiet=True))
    steps = np.linalg.norm(found.translation - seen.translation, axis=1)
    assert steps[10] < 2 * max(steps[9], steps[11]) + 1e-4


def test_a_square_clip_with_a_large_head_is_used_whole(tracked, frames):
    height, width = frames[0].shape[:2]
    assert find_crop(tracked, width, height) == (0, 0, width, height)


def test_a_small_head_in_a_wide_frame_gets_a_square_inside_it(tracked):
    moved = Track(tracked.points * 0.5 + np.float32([900, 300]), tracked.valid, 1)
    x, y, width, height = find_crop(moved, 1920, 1080)
    assert width == height < 1080 and x >= 0 and y >= 0 and x + width <= 1920 and y + height <= 1080
    assert moved.points[..., 0].min() > x and moved.points[..., 1].max() < y + height


def test_single_lost_frames_are_bridged_and_a_lost_face_is_refused(frames):
    blank = np.zeros_like(frames[0])
    short = [blank if i == 7 else f for i, f in enumerate(frames[:20])]
    found = track(short, 20, Reporter(quiet=True))
    assert not found.valid[7] and found.valid.sum() == 19
    assert np.abs(found.points[7] - (found.points[6] + found.points[8]) / 2).max() < 1e-3
    with pytest.raises(ReliTalkError, match="10 of 20 frames"):
        track([f if i < 10 else blank for i, f in enumerate(frames[:20])], 20, Reporter(quiet=True))
    with pytest.raises(ReliTalkError, match="No face"):
        track([blank] * 3, 3, Reporter(quiet=True))


def test_an_observed_frame_has_a_matte_normals_and_skin(fitted, head, frames):
    with Observer(head, fitted) as observer:
        seen = observer.observe(0, frames[0])
        again = observer.observe(0, frames[0])
    assert np.array_equal(seen.alpha, again.alpha)  # every frame stands alone
    height, width = frames[0].shape[:2]
    assert seen.alpha[height // 2, width // 2] > 0.98 and seen.alpha[:8, :8].max() < 0.1
    assert np.allclose(np.linalg.norm(seen.normal, axis=-1), 1, atol=1e-4)
    skin = seen.regions["skin"]
    assert 0.05 < (skin > 0.5).mean() < 0.5
    assert all(m.min() >= 0 and m.max() <= 1 for m in seen.regions.values())
