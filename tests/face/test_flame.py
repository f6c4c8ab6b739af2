"""FLAME's adapter, on Anny's own head written out with FLAME's keys, sizes and pickle."""

import os
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from relitalk_engine.config import FitConfig
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.events import Reporter
from relitalk_engine.face.adapters.flame import read
from relitalk_engine.face.fitting import fit
from relitalk_engine.face.heads import load_head
from relitalk_engine.face.landmarks import OVAL, track
from relitalk_engine.face.residuals import fitted_landmarks, reprojection

PLACE = np.array([0.01, -0.03, 0.02])
"""FLAME's origin is not between the eyes."""


class Ch:
    """As chumpy pickles its arrays."""

    def __init__(self, x):
        self.x = x
        self._dirty_vars = set()


def outer_faces(anny):
    """Anny's faces without the inside of its mouth, which FLAME has not."""
    skin = (anny.regions["mouth_interior"] < 0.5) | (anny.regions["lips"] > 0.5)
    return anny.faces[skin[anny.faces].all(1)]


@pytest.fixture(scope="session")
def table(anny):
    """FLAME's dictionary: Anny without its mouth's inside, jaw and eyes by skinning, the rest as expression space."""
    faces = outer_faces(anny)
    kept = np.unique(faces)
    faces = np.searchsorted(kept, faces)
    template, count = anny.template[kept].astype(np.float64), len(kept)
    jaw_open = anny.expression_basis[anny.index("jawOpen")[0]][kept]
    weights = np.zeros((count, 5))
    weights[:, 2] = np.clip(np.linalg.norm(jaw_open, axis=1) / np.linalg.norm(jaw_open, axis=1).max(), 0, 1)
    for k, eye in ((3, "eye_l"), (4, "eye_r")):
        weights[anny.regions[eye][kept] > 0.5] = np.eye(5)[k]
    weights[:, 1] = (1 - weights.sum(1)) * (template[:, 1] > -0.1)
    weights[:, 0] = 1 - weights.sum(1)
    still = [i for i, name in enumerate(anny.expression_names) if not name.startswith(("jaw", "eyeLook", "eyeBlink"))]
    mix = np.random.default_rng(0).normal(0, 0.1, (100, len(still)))
    directions = np.zeros((400, count, 3))
    directions[:80] = anny.shape_basis[:, kept]
    directions[300:] = np.tensordot(mix, anny.expression_basis[still][:, kept], 1)
    joints = [anny.joints["neck"], anny.joints["neck"], *(anny.joints[j] for j in ("jaw", "eye_l", "eye_r"))]
    even = np.concatenate([template, np.ones((count, 1))], 1)
    regressor = np.stack([even @ np.linalg.solve(even.T @ even, [*joint, 1]) for joint in joints])
    return {
        "v_template": Ch(template + PLACE),
        "f": faces.astype(np.uint32),
        "shapedirs": Ch(np.moveaxis(directions, 0, 2).astype(np.float32)),
        "posedirs": np.zeros((count, 3, 36)),
        "J_regressor": csc_matrix(regressor),
        "J": np.stack(joints),
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "weights": weights,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def written(table, path):
    """The pickle, its arrays under chumpy's name."""
    package, module = ModuleType("chumpy"), ModuleType("chumpy.ch")
    module.Ch, Ch.__module__, home = Ch, "chumpy.ch", Ch.__module__
    sys.modules |= {"chumpy": package, "chumpy.ch": module}
    try:
        path.write_bytes(pickle.dumps(table, protocol=2))
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]
        Ch.__module__ = home
    return path


@pytest.fixture(scope="session")
def file(table, tmp_path_factory):
    """flame.pkl in a weights folder."""
    return written(table, tmp_path_factory.mktemp("weights") / "flame.pkl")


@pytest.fixture(scope="session")
def head(file):
    """The adapter's head, as a preset finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELITALK_WEIGHTS", str(file.parent))
        return load_head("flame")


def landmark_error(head, tracked, size):
    """RMS over the distance of the outer eye corners, outline left out."""
    fitted = fit(tracked, head, size, FitConfig(iterations=150), Reporter(quiet=True))
    return reprojection(fitted_landmarks(head, fitted), tracked.points).mean()


def test_every_field_of_the_house_is_filled(head, anny):
    count = len(head.template)
    assert head.name.startswith("flame-") and head.expression_names == anny.expression_names
    assert head.shape_basis.shape == (100, count, 3) and head.expression_basis.shape == (52, count, 3)
    assert set(head.regions) == set(anny.regions) and set(head.joints) == set(anny.joints)
    assert all(mask.shape == (count,) and mask.min() >= 0 and mask.max() <= 1 for mask in head.regions.values())
    assert np.abs(head.joints["eye_l"] + head.joints["eye_r"]).max() < 1e-6  # the origin lies between the eyes
    assert head.uv.shape == (count, 2) and head.uv.min() >= 0 and head.uv.max() <= 1


def test_landmarks_and_regions_lie_where_annys_do(head, anny):
    shift = (anny.joints["eye_l"] + anny.joints["eye_r"]) / 2
    apart = np.linalg.norm(head.at_landmarks(head.template) - (anny.at_landmarks(anny.template) - shift), axis=1)
    inner = [k for k in range(468) if k not in OVAL]
    assert np.median(apart[inner]) < 2e-3 and np.percentile(apart[inner], 95) < 6e-3
    kept = np.unique(outer_faces(anny))
    for name in ("lips", "ears", "neck", "scalp"):
        both = head.regions[name][: len(kept)] > 0.5, anny.regions[name][kept] > 0.5
        assert np.logical_and(*both).sum() > 0.8 * np.logical_or(*both).sum(), name


def test_an_action_moves_what_it_names(head, anny):
    motion = {name: head.at_landmarks(head.expression_basis)[k] for k, name in enumerate(head.expression_names)}
    truth = {name: anny.at_landmarks(anny.expression_basis)[k] for k, name in enumerate(anny.expression_names)}
    for name in ("jawOpen", "mouthSmileLeft", "mouthPucker", "browInnerUp", "eyeBlinkLeft", "mouthUpperUpRight"):
        along = (motion[name] * truth[name]).sum() / np.linalg.norm(motion[name]) / np.linalg.norm(truth[name])
        assert along > 0.9, name
    assert motion["jawOpen"][152, 1] < -0.01 and np.abs(motion["jawOpen"][10]).max() < 2e-3
    assert motion["eyeLookOutLeft"][473, 0] > 3e-3  # the left iris goes to the person's left


def test_nobody_looks_through_the_mouth(head):
    from relitalk_engine.geometry.raster import cast, interpolate

    opened = head.template + head.expression_basis[head.index("jawOpen")[0]] + (0, 0, -1)
    upper, lower = head.at_landmarks(opened)[[13, 14]]
    u, v = 512 + 2000 * (upper + lower)[:2] / -(upper + lower)[2] * (1, -1)
    hits = cast(opened, head.faces, 2000, (512, 512), (1024, 1024))
    inside = interpolate(hits, head.regions["mouth_interior"][:, None], head.faces)
    assert inside[round(v), round(u), 0] > 0.9


def test_it_fits_a_clip_as_closely_as_annys_own(head, anny, sample_frames):
    frames = sample_frames[:20]
    tracked = track(frames, len(frames), Reporter(quiet=True))
    own, adapted = (landmark_error(model, tracked, frames[0].shape[:2]) for model in (anny, head))
    assert adapted < 1.15 * own


def test_jaw_turns_by_skinning_and_its_correctives(table, tmp_path):
    count = len(table["weights"])
    corrective = np.zeros((count, 3, 36))
    corrective[:, 0, 9 + 8] = 1.0  # along x, by the last entry of the jaw's matrix
    flame = read(written(table | {"posedirs": corrective}, tmp_path / "flame.pkl"))
    moved = flame.turned("jaw", 0, 0.3)
    fixed = flame.weights[:, 2] == 0
    assert np.allclose(moved[fixed], [np.cos(0.3) - 1, 0, 0])
    chin = np.argmax(flame.weights[:, 2])
    away = flame.template[chin] - flame.joints[2] @ flame.template
    assert moved[chin, 1] == pytest.approx((np.cos(0.3) - 1) * away[1] - np.sin(0.3) * away[2])
    assert moved[chin, 2] == pytest.approx(np.sin(0.3) * away[1] + (np.cos(0.3) - 1) * away[2])


def test_npz_with_the_same_keys_is_read_alike(table, file, tmp_path):
    plain = {key: getattr(value, "x", value) for key, value in table.items()}
    plain["J_regressor"] = plain["J_regressor"].toarray()
    np.savez(tmp_path / "flame.npz", **plain)
    one, other = read(file), read(tmp_path / "flame.npz")
    assert np.array_equal(one.expression, other.expression) and np.array_equal(one.joints, other.joints)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shapedirs": None}, 'no "shapedirs"'),
        ({"posedirs": np.zeros((7, 3, 36))}, '"posedirs" is 7 × 3 × 36'),
        ({"shapedirs": np.zeros((9, 3, 10))}, '"shapedirs" is 9 × 3 × 10'),
        ({"f": np.array([[0, 1, 10**6]])}, '"f" does not name'),
        ({"weights": "none"}, '"weights" is not an array'),
        ({"kintree_table": np.zeros((2, 5))}, '"kintree_table"'),
    ],
)
def test_a_wrong_file_is_named_with_its_key(table, tmp_path, change, said):
    wrong = {key: value for key, value in (table | change).items() if value is not None}
    path = written(wrong, tmp_path / "flame.pkl")
    with pytest.raises(ReliTalkError, match=said) as caught:
        read(path)
    assert str(path) in caught.value.message


class Payload:
    """Makes a file where it is unpickled."""

    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_payload_in_the_pickle_never_runs(table, tmp_path, protocol):
    trace = tmp_path / "ran"
    for call, args in ((os.mkdir, (str(trace),)), (eval, (f"open({str(trace)!r}, 'w')",)), (np.save, (str(trace), 1))):
        path = tmp_path / "flame.pkl"
        path.write_bytes(pickle.dumps({"f": table["f"], "v_template": Payload(call, *args)}, protocol=protocol))
        with pytest.raises(ReliTalkError, match="Nothing of it was run") as caught:
            read(path)
        assert str(path) in caught.value.message and caught.value.code == "unsafe_file"
        assert not list(tmp_path.glob("ran*"))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x80\x02}", b"PK\x03\x04", b"not a pickle", pickle.dumps([1]), b"\x80\x02cchumpy.ch\nCh\n}b."),
        pickle.dumps({"v_template": np.array([None])}),
    ],
    ids=["empty", "cut", "zip", "text", "list", "state for a class", "objects"],
)
def test_what_is_no_pickle_of_arrays_is_said_so(tmp_path, content):
    path = tmp_path / "flame.pkl"
    path.write_bytes(content)
    with pytest.raises(ReliTalkError, match="flame.pkl"):
        read(path)


def test_a_sparse_matrix_that_points_beyond_its_size_is_refused(table, tmp_path):
    wrong = csc_matrix(np.eye(5))
    wrong.indices[:] = 10**6
    with pytest.raises(ReliTalkError, match="out of bounds"):
        read(written(table | {"J_regressor": wrong}, tmp_path / "flame.pkl"))


def test_a_subject_is_read_with_its_own_head_alone(file, head, monkeypatch):
    monkeypatch.setenv("RELITALK_WEIGHTS", str(file.parent))
    assert np.array_equal(load_head(head.name).template, head.template)
    with pytest.raises(ReliTalkError, match="flame-00000000"):
        load_head("flame-00000000")


def test_without_the_file_it_is_said_where_it_belongs(tmp_path, monkeypatch):
    monkeypatch.setenv("RELITALK_WEIGHTS", str(tmp_path))
    with pytest.raises(ReliTalkError, match=r"flame\.pkl is missing.*flame\.is\.tue\.mpg\.de"):
        load_head("flame")
    with pytest.raises(ReliTalkError, match="anny, flame, ict"):
        load_head("bfm")
