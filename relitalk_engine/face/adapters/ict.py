"""ICT-FaceKit's head, read from the user's own copy of its folder FaceXModel.

Its meshes are Wavefront files of 26719 vertices in centimetres, the same faces in all: a neutral head, a hundred
identity directions in standard deviations, 53 expressions named as ARKit's with _L and _R. The eyes' fluids, lashes and
shadow shells are left out, as they are to be seen through, and so are the shoulders, which do not turn with the head.
What it lacks is carried over from Anny: the turning of the eyeballs, the joints of jaw and neck, regions on the skin;
it has no tongue action. mediapipe's points are found by showing mediapipe the neutral head.

Source: Li et al. 2020, Learning Formation of Physically-Based Face Attributes; vertex ranges from its README.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import ReliTalkError
from ..head_model import HeadModel
from .adopt import above_collar, adopt

NEUTRAL = "generic_neutral_mesh"
VERTICES = 26719
KEPT = 24591
"""The vertices before the eyes' fluids, lashes and shells."""
IDENTITIES = 100
CENTIMETRE = 0.01
RANGES = {
    "mouth_interior": ((11248, 13294), (14062, 21451)),
    "eye_l": ((21451, 23021),),
    "eye_r": ((23021, 24591),),
    "eye_cavity": ((13294, 14062),),
}
"""Vertices of the parts: mouth socket, gums, tongue and teeth; eyeballs; eye sockets."""
HINT = "Copy the folder FaceXModel of https://github.com/ICT-VGL/ICT-FaceKit whole."


def sources(action: str) -> list[str]:
    """The folder's expressions that add up to one of ARKit's actions; empty: it has none."""
    if action in ("browInnerUp", "cheekPuff"):
        return [action + "_L", action + "_R"]
    if action == "tongueOut":
        return []
    for side in ("Left", "Right"):
        if action.endswith(side) and action not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            return [f"{action.removesuffix(side)}_{side[0]}"]
    return [action]


def files(folder: Path, actions: tuple[str, ...]) -> list[Path]:
    """Every file of the folder that is read."""
    names = [NEUTRAL, *(f"identity{k:03d}" for k in range(IDENTITIES))]
    names += [name for action in actions for name in sources(action)]
    return [folder / f"{name}.obj" for name in names]


def check(folder: Path, anny: HeadModel) -> None:
    """See that every file is there.

    Raises:
        ReliTalkError: one is missing.
    """
    missing = [path.name for path in files(folder, anny.expression_names) if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ReliTalkError("bad_head", f"{folder} lacks {missing[0]}{more}.", HINT)


def convert(folder: Path, anny: HeadModel) -> HeadModel:
    """Read the folder as a head model.

    Args:
        folder: ICT-FaceKit's FaceXModel.
        anny: the default head, whose actions are the names wanted and which lends what is missing.

    Raises:
        ReliTalkError: a file is missing, is no Wavefront mesh, or has another number of vertices.
    """
    check(folder, anny)
    digest = hashlib.sha256()
    meshes = {}
    for path in files(folder, anny.expression_names):
        content = path.read_bytes()
        digest.update(content)
        meshes[path.stem] = _points(path, content)
    neutral = meshes[NEUTRAL]
    faces, uv = _faces(folder / f"{NEUTRAL}.obj")
    regions = {name: np.zeros(KEPT, np.float32) for name in RANGES}
    for name, ranges in RANGES.items():
        for start, end in ranges:
            regions[name][start:end] = 1
    eyes = {side: _middle(neutral[regions[side] > 0.5]) for side in ("eye_l", "eye_r")}
    origin = (eyes["eye_l"] + eyes["eye_r"]) / 2
    shape = np.stack([meshes[f"identity{k:03d}"] - neutral for k in range(IDENTITIES)])
    shape -= (shape[:, regions["eye_l"] > 0.5].mean(1) + shape[:, regions["eye_r"] > 0.5].mean(1))[:, None] / 2
    kept, faces = above_collar(neutral - origin, faces)
    still = np.zeros_like(neutral)
    actions = np.stack([sum((meshes[s] - neutral for s in sources(a)), still) for a in anny.expression_names])[:, kept]
    regions = {name: mask[kept] for name, mask in regions.items()}
    head, match = adopt(
        anny,
        name=f"ict-{digest.hexdigest()[:8]}",
        template=(neutral - origin)[kept],
        faces=faces,
        uv=uv[kept],
        shape_basis=shape[:, kept],
        regions=regions,
        joints={side: place - origin for side, place in eyes.items()},
        parted=0.35 * actions[anny.index("jawOpen")[0]],
    )
    balls = (regions["eye_l"] + regions["eye_r"] > 0.5)[:, None]
    turned = match.motions(anny.expression_basis)
    return replace(head, expression_basis=np.where(balls, turned, actions).astype(np.float32))


def _points(path: Path, content: bytes) -> np.ndarray:
    """[KEPT, 3] in metres."""
    rows = [line[2:] for line in content.split(b"\n") if line.startswith(b"v ")]
    if len(rows) != VERTICES:
        raise ReliTalkError("bad_head", f"{path} has {len(rows)} vertices; {VERTICES} are expected.", HINT)
    try:
        values = np.array(b" ".join(rows).split(), np.float32).reshape(VERTICES, 3)
    except ValueError as error:
        raise ReliTalkError("bad_head", f"{path} is not a whole Wavefront mesh ({error}).", HINT) from error
    return values[:KEPT] * CENTIMETRE


def _middle(points: np.ndarray) -> np.ndarray:
    return (points.min(0) + points.max(0)) / 2


def _faces(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Triangles [F, 3] among the kept vertices and a texture place per vertex [KEPT, 2]."""
    places, triangles, uv = [], [], np.zeros((KEPT, 2), np.float32)
    try:
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("vt "):
                places.append([float(x) for x in line.split()[1:3]])
            elif line.startswith("f "):
                corners = [[int(x or 0) - 1 for x in corner.split("/")[:2]] for corner in line.split()[1:]]
                if max(corner[0] for corner in corners) >= KEPT:
                    continue
                for corner in corners:
                    if len(corner) > 1:
                        uv[corner[0]] = places[corner[1]]
                first, *rest = (corner[0] for corner in corners)
                triangles += [(first, a, b) for a, b in zip(rest, rest[1:], strict=False)]
    except (ValueError, IndexError) as error:
        raise ReliTalkError("bad_head", f"{path} is not a whole Wavefront mesh ({error}).", HINT) from error
    if not triangles:
        raise ReliTalkError("bad_head", f"{path} has no faces.", HINT)
    return np.array(triangles, np.int64), uv
