"""A take's motion as files: for other rigs, and to be edited and rendered again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ReliTalkError
from ..media.files import replacing
from .options import VoiceOptions
from .person import Person

if TYPE_CHECKING:
    from .motion import Motion

_GIVE = "Give the motion of a take, npz, json or bvh."

CENTIMETRES = 100.0
"""BVH's unit of length, as most rigs read it."""


def write_motion(folder: Path, person: Person, motion: Motion, voice: VoiceOptions | None = None) -> None:
    """Write `motion.npz`, `motion.json` and `motion.bvh`: ARKit-named actions and the head's pose in every frame.

    Args:
        folder: where to.
        person: whose head and frame rate it is.
        motion: T frames.
        voice: what made it, kept beside the curves; None: it is the clip's own.
    """
    names, fps = tuple(person.head.expression_names), person.subject.info.fps
    np.savez_compressed(
        folder / "motion.npz",
        fps=np.array([fps.numerator, fps.denominator]),
        names=np.array(names),
        psi=motion.psi,
        rotation=motion.fit.rotation,
        translation=motion.fit.translation,
    )
    table = {"fps": float(fps), "controls": voice.record() if voice else {}, "names": list(names)}
    with open(folder / "motion.json", "w", encoding="utf-8") as file:  # row by row: an hour has five million numbers
        file.write(json.dumps(table).removesuffix("}") + ', "frames": [')
        for i, row in enumerate(motion.psi):
            file.write((", " if i else "") + json.dumps([round(float(v), 4) for v in row]))
        file.write("]}")
    write_bvh(folder / "motion.bvh", names, motion.psi, motion.fit.rotation, motion.fit.translation, float(fps))


def write_bvh(
    path: Path, names: tuple[str, ...], psi: np.ndarray, rotation: np.ndarray, translation: np.ndarray, fps: float
) -> None:
    """Write a BVH: the joint Head with its pose, and under it a joint for each action, its X position the action.

    Args:
        path: the file.
        names: of the E actions.
        psi: [T, E], 0..1.
        rotation: [T, 3, 3] head to camera; x right, y up, z towards the viewer.
        translation: [T, 3] metres.
        fps: frames a second.
    """
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_matrix(rotation).as_euler("ZXY", degrees=True)
    rows = np.concatenate([translation * CENTIMETRES, turned, psi], 1)
    with replacing(path) as part, open(part, "w", encoding="ascii") as file:
        file.write("HIERARCHY\nROOT Head\n{\n\tOFFSET 0 0 0\n")
        file.write("\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n")
        for name in names:
            file.write(f"\tJOINT {name}\n\t{{\n\t\tOFFSET 0 0 0\n\t\tCHANNELS 1 Xposition\n")
            file.write("\t\tEnd Site\n\t\t{\n\t\t\tOFFSET 0 1 0\n\t\t}\n\t}\n")
        file.write(f"}}\nMOTION\nFrames: {len(rows)}\nFrame Time: {1 / fps:.8f}\n")
        for row in rows:
            file.write(" ".join(f"{value:.4f}" for value in row) + "\n")


def read_mouth(path: Path, person: Person, frames: int) -> np.ndarray:
    """The mouth's actions of a `motion.npz`, `motion.json` or `motion.bvh`, perhaps edited.

    Args:
        path: the file.
        person: whose mouth actions are wanted.
        frames: T; what the file lacks at the end holds its last frame.

    Returns:
        [T, M], 0..1.

    Raises:
        ReliTalkError: it cannot be read, lacks an action of the mouth, or has another frame rate.
    """
    names, psi, fps = _read(path)
    wanted = [person.head.expression_names[i] for i in person.head.mouth_actions]
    missing = [name for name in wanted if name not in names]
    if missing or psi.ndim != 2 or psi.shape[1] != len(names) or not len(psi) or not np.isfinite(psi).all():
        reason = f"has no {missing[0]}" if missing else "is not a table of numbers"
        raise ReliTalkError("bad_motion", f"The motion {path} {reason}.", _GIVE)
    own = float(person.subject.info.fps)
    if abs(fps - own) > 0.01:
        raise ReliTalkError(
            "bad_motion", f"The motion {path} has {fps:g} frames a second, the subject {own:g}.",
            "Give the motion of a take of this subject.",
        )
    rows = np.minimum(np.arange(frames), len(psi) - 1)
    return np.clip(psi[rows][:, [names.index(name) for name in wanted]], 0, 1).astype(np.float32)


def _read(path: Path) -> tuple[list[str], np.ndarray, float]:
    """Names, psi [T, E] and frame rate."""
    try:
        if path.suffix == ".json":
            table = json.loads(path.read_text(encoding="utf-8"))
            return [str(n) for n in table["names"]], np.array(table["frames"], np.float32), float(table["fps"])
        if path.suffix == ".bvh":
            return _read_bvh(path)
        with np.load(path, allow_pickle=False) as data:
            numerator, denominator = (int(x) for x in data["fps"])
            return [str(n) for n in data["names"]], data["psi"].astype(np.float32), numerator / denominator
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError, EOFError, zipfile.BadZipFile) as error:
        raise ReliTalkError(
            "bad_motion", f"The motion {path} cannot be read ({error}).", _GIVE
        ) from error


def _read_bvh(path: Path) -> tuple[list[str], np.ndarray, float]:
    """Names, psi [T, E] and frame rate of a BVH: the X position of every joint that has one, whatever else it has.

    Raises:
        ValueError: it is no BVH.
    """
    skeleton, found, motion = path.read_text(encoding="utf-8").partition("MOTION")
    frames, _, rows = motion.partition("Frame Time:")
    seconds, _, rows = rows.strip().partition("\n")
    columns: dict[str, int] = {}
    joint, width = "", 0
    for word, *rest in (line.split() for line in skeleton.splitlines() if line.strip()):
        if word in ("ROOT", "JOINT"):
            joint = " ".join(rest)
        elif word == "CHANNELS":
            names = [name.lower() for name in rest[1:]]
            if "xposition" in names:
                columns[joint] = width + names.index("xposition")
            width += len(names)
    values = np.array(rows.split(), np.float32)
    if not found or not width or values.size != width * int(frames.split()[-1]):
        raise ValueError("its rows do not fit its joints")
    return list(columns), values.reshape(-1, width)[:, list(columns.values())], 1.0 / float(seconds)
