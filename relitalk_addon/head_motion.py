"""The fitted head and its motion as a take holds them, read with numpy alone."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.take import Take


@dataclass(frozen=True)
class Head:
    """The subject's head; its own frame: x right, y up, z out of the face, origin between the eyes, metres."""

    neutral: np.ndarray
    """[V, 3]."""
    actions: np.ndarray
    """[E, V, 3], what each action adds at 1."""
    names: tuple[str, ...]
    """E names, ARKit's where they mean the same."""
    faces: np.ndarray
    """[F, 3]."""
    uv: np.ndarray
    """[F, 3, 2], of each triangle's corners."""
    focal: float
    """Pixels."""
    center: np.ndarray
    """[2], principal point in pixels of the take's frames."""


@dataclass(frozen=True)
class Motion:
    """The head over the whole take: X_camera = rotation · X_head + translation, metres."""

    fps: Fraction
    names: tuple[str, ...]
    psi: np.ndarray
    """[T, E], 0..1."""
    rotation: np.ndarray
    """[T, 3, 3]."""
    translation: np.ndarray
    """[T, 3]."""


def read_head(take: Take) -> Head:
    """The head of a take.

    Raises:
        ReliTalkError: the take is of an older engine and holds none, or the file is damaged.
    """
    data = _read(take, "head.npz", ("neutral", "actions", "names", "faces", "uv", "camera"))
    vertices, faces = len(data["neutral"]), data["faces"]
    sound = data["actions"].shape[1:] == (vertices, 3) and data["uv"].shape == (len(faces), 3, 2)
    if not sound or len(data["names"]) != len(data["actions"]) or faces.min() < 0 or faces.max() >= vertices:
        raise _damaged(take, "head.npz")
    focal, x, y = (float(value) for value in data["camera"])
    names = tuple(str(name) for name in data["names"])
    return Head(
        data["neutral"].astype(float), data["actions"].astype(float), names, faces, data["uv"], focal, np.array([x, y]),
    )


def read_motion(take: Take) -> Motion:
    """The motion of a take.

    Raises:
        ReliTalkError: the take holds none, or the file is damaged.
    """
    data = _read(take, "motion.npz", ("fps", "names", "psi", "rotation", "translation"))
    count, actions = data["psi"].shape
    if count < take.info.frames[1] or actions != len(data["names"]) or len(data["rotation"]) != count:
        raise _damaged(take, "motion.npz")
    names = tuple(str(name) for name in data["names"])
    fps = Fraction(int(data["fps"][0]), int(data["fps"][1]))
    psi, rotation, translation = (data[field].astype(float) for field in ("psi", "rotation", "translation"))
    return Motion(fps, names, psi, rotation, translation)


def _read(take: Take, name: str, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
    path = take.path / name
    if not path.is_file():
        raise ReliTalkError("no_motion", f"{take.path.name} holds no {name}.", "Render the take again.")
    try:
        with np.load(path, allow_pickle=False) as data:
            return {field: data[field] for field in fields}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(take, name) from error


def _damaged(take: Take, name: str) -> ReliTalkError:
    return ReliTalkError("bad_take", f"{take.path / name} is damaged.", "Render the take again.")
