"""ICT-FaceKit's adapter, on Anny's own head written out with its files, sizes and vertex ranges."""

import os

import numpy as np
import pytest

from relitalk_engine.config import FitConfig
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.events import Reporter
from relitalk_engine.face.adapters.ict import IDENTITIES, KEPT, RANGES, VERTICES, convert, sources
from relitalk_engine.face.fitting import fit
from relitalk_engine.face.heads import load_head
from relitalk_engine.face.landmarks import track
from relitalk_engine.face.residuals import fitted_landmarks, reprojection

PLACE = np.array([0.4, 3.6, 8.4])
"""Centimetres; ICT's origin lies inside the head."""
SHOULDER = (11244, 11245, 11246, 11247)
"""Vertices of a face below the neck."""
COUNT = KEPT - len(SHOULDER)


@pytest.fixture(scope="module")
def seats(anny):
    """Where each of Anny's vertices sits among ICT's: the parts in the ranges of its README."""
    seats = np.full(len(anny.template), -1)
    for part, ranges in RANGES.items():
        mine = np.flatnonzero((anny.regions[part] > 0.5) & (seats < 0))
        free = np.concatenate([np.arange(*r) for r in ranges])
        seats[mine] = free[: len(mine)]
    rest = np.flatnonzero(seats < 0)
    seats[rest] = np.arange(len(rest))
    return seats


@pytest.fixture(scope="module")
def folder(anny, seats, tmp_path_factory):
    """FaceXModel in a weights folder. Vertices that Anny has not sit on another of their part and belong to no face."""
    folder = tmp_path_factory.mktemp("weights") / "FaceXModel"
    folder.mkdir()
    owner = np.full(VERTICES, np.argmax(anny.template[:, 1]))
    for part, ranges in RANGES.items():
        for r in ranges:
            owner[slice(*r)] = np.argmax(anny.regions[part])
    owner[seats] = np.arange(len(seats))
    tail = "".join(f"vt {u:.5f} {v:.5f}\n" for u, v in anny.uv)
    shoulder = [f"f {' '.join(f'{k + 1}/1' for k in SHOULDER)}\n"]
    quads = [f"f {' '.join(f'{seats[k] + 1}/{k + 1}' for k in face)}\n" for face in anny.faces]
    lashes = [f"f {KEPT + k + 1}/1 {KEPT + k + 2}/1 {KEPT + k + 3}/1 {KEPT + k + 4}/1\n" for k in range(0, 400, 4)]
    tail += "".join(quads + lashes + shoulder)

    def write(name, vertices):
        lines = [f"v {x:.5f} {y:.5f} {z:.5f}\n" for x, y, z in 100 * vertices + PLACE]
        rows = [lines[k] for k in owner]
        rows[SHOULDER[0] : SHOULDER[-1] + 1] = [f"v {k} -20 {k * k}\n" for k in range(4)]
        (folder / f"{name}.obj").write_text("# ICT FaceKit\n" + "".join(rows) + tail)

    write("generic_neutral_mesh", anny.template)
    for k in range(IDENTITIES):
        if k < 60:
            write(f"identity{k:03d}", anny.template + anny.shape_basis[k])
        else:
            os.link(folder / "generic_neutral_mesh.obj", folder / f"identity{k:03d}.obj")
    left = anny.template[:, :1] > anny.joints["jaw"][0]
    balls = (anny.regions["eye_l"] + anny.regions["eye_r"] > 0.5)[:, None]
    for name, motion in zip(anny.expression_names, anny.expression_basis, strict=True):
        halves = (left, ~left) if len(sources(name)) == 2 else (True,)
        for source, half in zip(sources(name), halves, strict=False):
            write(source, anny.template + np.where(balls, 0, motion * half))
    return folder


@pytest.fixture(scope="module")
def here(seats):
    """Where each of Anny's vertices is in the adapter's head, the shoulder cut away."""
    return np.where(seats > SHOULDER[-1], seats - len(SHOULDER), seats)


@pytest.fixture(scope="module")
def head(folder):
    """The adapter's head, as a preset finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELITALK_WEIGHTS", str(folder.parent))
        return load_head("ict")


def test_every_field_of_the_house_is_filled(head, anny):
    assert head.name.startswith("ict-") and head.expression_names == anny.expression_names
    assert head.template.shape == (COUNT, 3) and head.shape_basis.shape == (IDENTITIES, COUNT, 3)
    assert head.faces.shape == anny.faces.shape  # lashes and shoulders are left out
    assert set(head.regions) == set(anny.regions) and set(head.joints) == set(anny.joints)
    assert np.abs(head.joints["eye_l"] + head.joints["eye_r"]).max() < 1e-6


def test_it_is_anny_again_in_metres(head, anny, here):
    offset = head.template[here] - anny.template
    assert np.ptp(offset, axis=0).max() < 1e-5
    assert np.allclose(head.uv[here], anny.uv, atol=1e-4)
    apart = np.linalg.norm(head.at_landmarks(head.template) - anny.at_landmarks(anny.template) - offset[0], axis=1)
    assert np.median(apart) < 2e-3
    for joint in ("jaw", "neck"):
        assert np.linalg.norm(head.joints[joint] - anny.joints[joint] - offset[0]) < 5e-3
    for name in ("lips", "ears", "neck", "scalp", "mouth_interior"):
        both = head.regions[name][here] > 0.5, anny.regions[name] > 0.5
        assert np.logical_and(*both).sum() > 0.8 * np.logical_or(*both).sum(), name


def test_expressions_are_joined_by_name(head, anny, here):
    skin = anny.regions["skin"] > 0.5
    for name in ("jawOpen", "jawLeft", "mouthLeft", "mouthSmileLeft", "eyeBlinkRight", "browInnerUp", "cheekPuff"):
        k = anny.index(name)[0]
        assert np.abs(head.expression_basis[k][here] - anny.expression_basis[k])[skin].max() < 5e-5, name
    assert not head.expression_basis[anny.index("tongueOut")[0]][head.regions["skin"] > 0.5].any()


def test_the_eyeballs_turn_though_the_files_hold_them_still(head, anny):
    gaze = [head.at_landmarks(model.expression_basis) if model is head else model.at_landmarks(model.expression_basis)
            for model in (head, anny)]  # fmt: skip
    for name, iris in (("eyeLookOutLeft", 473), ("eyeLookUpRight", 468)):
        mine, theirs = (motion[anny.index(name)[0], iris] for motion in gaze)
        assert np.linalg.norm(mine - theirs) < 0.25 * np.linalg.norm(theirs), name


def test_it_fits_a_clip_as_closely_as_annys_own(head, anny, sample_frames):
    frames = sample_frames[:20]
    tracked = track(frames, len(frames), Reporter(quiet=True))
    errors = []
    for model in (anny, head):
        fitted = fit(tracked, model, frames[0].shape[:2], FitConfig(iterations=150), Reporter(quiet=True))
        errors.append(reprojection(fitted_landmarks(model, fitted), tracked.points).mean())
    assert errors[1] < 1.15 * errors[0]


@pytest.fixture
def copy(folder, tmp_path):
    """The folder again, by links, to be spoilt."""
    for path in folder.iterdir():
        os.link(path, tmp_path / path.name)
    return tmp_path


def test_missing_files_are_named(copy, anny):
    (copy / "jawOpen.obj").unlink()
    with pytest.raises(ReliTalkError, match=r"lacks jawOpen\.obj\."):
        convert(copy, anny)
    (copy / "identity007.obj").unlink()
    with pytest.raises(ReliTalkError, match=r"lacks identity007\.obj and 1 more"):
        convert(copy, anny)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "0 vertices; 26719"), (b"v 0 0 0\n" * 9, "9 vertices"), (b"v 0 0\n" * VERTICES, "not a whole Wavefront")],
)
def test_a_file_of_another_kind_is_named(copy, anny, content, said):
    (copy / "mouthClose.obj").unlink()
    (copy / "mouthClose.obj").write_bytes(content)
    with pytest.raises(ReliTalkError, match=said) as caught:
        convert(copy, anny)
    assert "mouthClose.obj" in caught.value.message


def test_the_folder_is_converted_once(folder, head, monkeypatch):
    monkeypatch.setenv("RELITALK_WEIGHTS", str(folder.parent))
    kept = (folder.parent / "ict.head.safetensors").stat().st_mtime_ns
    assert np.array_equal(load_head(head.name).template, head.template)
    assert (folder.parent / "ict.head.safetensors").stat().st_mtime_ns == kept


def test_without_the_folder_it_is_said_where_it_belongs(tmp_path, monkeypatch):
    monkeypatch.setenv("RELITALK_WEIGHTS", str(tmp_path))
    with pytest.raises(ReliTalkError, match=r"FaceXModel is missing.*github\.com/ICT-VGL/ICT-FaceKit"):
        load_head("ict")
