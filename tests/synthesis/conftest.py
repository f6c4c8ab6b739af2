"""A small clip with known truth: the head model itself, painted, lit and turned before a backdrop."""

from dataclasses import dataclass

import numpy as np
import pytest

from relitalk_engine.face.fitting import HeadFit
from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.geometry.raster import cast, interpolate
from relitalk_engine.lighting.sh import shade
from relitalk_engine.media.images import encode_uint8
from relitalk_engine.synthesis.guides import head_normals

SIZE = 160
FRAMES = 36


@dataclass(frozen=True)
class Clip:
    """A clip and what is known of it."""

    head: HeadModel
    fit: HeadFit
    rgb: np.ndarray
    alpha: np.ndarray
    sh: np.ndarray

    def render(self, frame: int, psi: np.ndarray) -> np.ndarray:
        """What the camera would have seen with another expression."""
        return _render(self.head, self.fit, self.sh, frame, psi)[0]


def _render(
    head: HeadModel, fit: HeadFit, sh: np.ndarray, frame: int, psi: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    place = head.template * 90
    skin = 0.4 + 0.12 * np.sin(place[:, :1] * [1, 1.3, 0.7]) * np.cos(place[:, 1:2] * [0.9, 0.6, 1.2])
    skin = skin * (1 - 0.5 * head.regions["lips"][:, None] * [0.2, 1, 1])
    skin = skin * (1 - 0.8 * head.regions["mouth_interior"][:, None])
    rows, cols = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    backdrop = np.stack([0.2 + 0.1 * rows, 0.3 + 0.1 * cols, 0.4 + 0 * rows], -1)
    vertices, normals = head_normals(head, fit, frame, psi)
    hits = cast(vertices, head.faces, fit.focal, fit.center, fit.size)
    colour = interpolate(hits, (skin * np.maximum(shade(sh, normals), 0.02)).astype(np.float32), head.faces)
    return encode_uint8(np.where(hits.mask[..., None], colour, backdrop)), hits.mask.astype(np.float32)


def _motion(head: HeadModel, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    time = np.arange(frames) / 25
    psi = np.zeros((frames, len(head.expression_names)), np.float32)
    psi[:, head.index("jawOpen")[0]] = 0.25 + 0.25 * np.sin(9 * time)
    psi[:, head.index("mouthPucker")[0]] = 0.3 + 0.3 * np.sin(5 * time + 1)
    yaw = 0.15 * np.sin(2 * time)
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)
    turn = np.stack([np.cos(yaw), zero, np.sin(yaw), zero, one, zero, -np.sin(yaw), zero, np.cos(yaw)], -1)
    move = np.stack([0.004 * np.sin(3 * time), 0.03 + 0 * time, -0.75 + 0 * time], -1)
    return psi, turn.reshape(-1, 3, 3).astype(np.float32), move.astype(np.float32)


@pytest.fixture(scope="session")
def clip() -> Clip:
    """36 frames of 160², mouth and head moving."""
    head = HeadModel.read()
    psi, rotation, translation = _motion(head, FRAMES)
    camera = {"focal": 480.0, "center": (SIZE / 2, SIZE / 2), "size": (SIZE, SIZE)}
    nothing = np.zeros((FRAMES, 478, 2), np.float32)
    beta = np.zeros(len(head.shape_basis), np.float32)
    fit = HeadFit(beta, psi, rotation, translation, landmarks=nothing, valid=np.ones(FRAMES, bool), **camera)
    sh = np.zeros((9, 3))
    sh[0], sh[2], sh[3] = 2.2, 0.8, (0.9, 0.7, 0.5)
    frames, mattes = zip(*(_render(head, fit, sh, t, psi[t]) for t in range(FRAMES)), strict=True)
    return Clip(head, fit, np.stack(frames), np.stack(mattes), sh)
