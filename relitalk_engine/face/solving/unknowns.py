"""The unknowns of the whole-clip fit, where they start, and where they put the head's points. Torch inside."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..head_model import HeadModel
from ..landmarks import EYELIDS, LIPS, OVAL

RIGID = [k for k in range(468) if k not in OVAL and k not in LIPS and k not in EYELIDS]
"""Landmarks that move little against the skull."""


@dataclass
class Unknowns:
    """What the fit looks for; torch tensors.

    Attributes:
        beta: [S] shape.
        soft: [J, 3] coefficients of the personal fields.
        psi: [T, E] actions, 0..1.
        turn: [T, 3] axis-angle, head to camera.
        move: [T, 3] metres.
        zoom: [] log of the focal length over its start.
        relief: [] log of the scale of the tracker's depth.
    """

    beta: Any
    soft: Any
    psi: Any
    turn: Any
    move: Any
    zoom: Any
    relief: Any

    def rows(self, frames: np.ndarray) -> Unknowns:
        """A copy with some of the frames."""
        whole = {name: value.detach().clone() for name, value in vars(self).items()}
        return Unknowns(**whole | {name: whole[name][frames] for name in ("psi", "turn", "move")})


@dataclass(frozen=True)
class View:
    """The camera and the scale of the face in it.

    Attributes:
        focal: pixels, where the focal length starts.
        center: principal point, pixels.
        eyes_px: distance of the outer eye corners over the clip, pixels.
        eyes_m: the same on the head model, metres.
    """

    focal: float
    center: tuple[float, float]
    eyes_px: float
    eyes_m: float

    def project(self, points: Any, zoom: Any) -> Any:
        """Pixels [..., 2] of camera-frame points [..., 3], torch."""
        import torch

        scale = self.focal * zoom.exp() / -points[..., 2].clamp_max(-0.05)
        middle = torch.tensor(self.center, dtype=torch.float32, device=points.device)
        return torch.stack([points[..., 0] * scale, -points[..., 1] * scale], -1) + middle


class PointModel:
    """Some of the head's points as a linear function of the unknowns.

    Args:
        head: the head model.
        fields: [V, J] personal fields.
        pick: takes per-vertex fields [..., V, C] to the points [..., N, C].
        device: torch device.
    """

    def __init__(self, head: HeadModel, fields: np.ndarray, pick: Any, device: str) -> None:
        import torch

        def tensor(field: np.ndarray) -> Any:
            return torch.tensor(np.ascontiguousarray(pick(field)), dtype=torch.float32, device=device)

        self.template = tensor(head.template).reshape(-1)
        self.shape = tensor(head.shape_basis).reshape(len(head.shape_basis), -1)
        self.expression = tensor(head.expression_basis).reshape(len(head.expression_basis), -1)
        self.fields = tensor(fields)

    def some(self, which: Any) -> PointModel:
        """Some of these points; `which` is a torch index."""
        part = copy(self)
        part.template = self.template.reshape(-1, 3)[which].reshape(-1)
        part.shape, part.expression = (
            basis.reshape(len(basis), -1, 3)[:, which].reshape(len(basis), -1)
            for basis in (self.shape, self.expression)
        )
        part.fields = self.fields[which]
        return part

    def at(self, u: Unknowns) -> Any:
        """[T, N, 3] in the head frame."""
        rest = self.template + u.beta @ self.shape + (self.fields @ u.soft).reshape(-1)
        return (rest + u.psi @ self.expression).reshape(len(u.psi), -1, 3)


def rotations(turn: Any) -> Any:
    """Axis-angle [T, 3] to matrices [T, 3, 3] (Rodrigues), torch."""
    import torch

    angle = turn.norm(dim=-1, keepdim=True).clamp_min(1e-8)[..., None]
    x, y, z = (turn / angle[..., 0]).unbind(-1)
    zero = torch.zeros_like(x)
    k = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    return torch.eye(3, device=turn.device) + angle.sin() * k + (1 - angle.cos()) * (k @ k)


def placed(points: Any, u: Unknowns) -> Any:
    """[T, N, 3] head-frame points in the camera frame."""
    return points @ rotations(u.turn).transpose(1, 2) + u.move[:, None]


def start_poses(
    points: np.ndarray, model: np.ndarray, rigid: np.ndarray, focal: float, center: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Axis-angle [T, 3] and translation [T, 3] by perspective-n-point on the rigid part of the face.

    Args:
        points: [T, 478, 2] pixels.
        model: [478, 3] the same points on the head.
        rigid: the points that count.
        focal: pixels.
        center: principal point, pixels.
    """
    import cv2

    flip = np.diag([1.0, -1.0, -1.0])  # OpenCV looks along +z with y down
    camera = np.array([[focal, 0, center[0]], [0, focal, center[1]], [0, 0, 1]])
    turns, moves = [], []
    guess = None
    for frame in points:
        args: dict[str, Any] = {"flags": cv2.SOLVEPNP_SQPNP}
        if guess is not None:
            args = {"flags": cv2.SOLVEPNP_ITERATIVE, "useExtrinsicGuess": True}
            args |= {"rvec": guess[0].copy(), "tvec": guess[1].copy()}
        _, turn, move = cv2.solvePnP(
            model[rigid].astype(np.float64), frame[rigid].astype(np.float64), camera, None, **args
        )
        guess = (turn, move)
        rotation = flip @ cv2.Rodrigues(turn)[0]
        turns.append(cv2.Rodrigues(rotation)[0][:, 0])
        moves.append(flip @ move[:, 0])
    return np.stack(turns), np.stack(moves)
