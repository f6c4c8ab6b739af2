"""Whole-clip fit of the head: one shape, one camera, a pose and an expression per frame.

Maximum a posteriori over all frames at once, by Adam in torch: robust landmark reprojection, a unit-Gaussian prior on
the shape, a sparse one on the actions, and second differences in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..config import FitConfig
from ..events import Reporter
from .head_model import HeadModel
from .landmarks import Track

OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
        150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]  # fmt: skip
LIPS = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 78, 95, 88, 178,
        87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191]  # fmt: skip
EYELIDS = [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173,
           263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398]  # fmt: skip
IRISES = list(range(468, 478))
LOWER_FACE = 0.02
"""Landmarks up to this far (m) above the nose's base may be hidden with the mouth."""


@dataclass(frozen=True)
class HeadFit:
    """The fitted head over a clip. Camera frame: X = R v + t, in metres; pixels of the crop.

    Attributes:
        beta: [S] shape.
        psi: [T, E] actions, 0..1.
        rotation: [T, 3, 3] head to camera.
        translation: [T, 3].
        focal: pixels.
        center: principal point, pixels.
        size: (height, width) of the crop.
        landmarks: [T, 478, 2] tracked points, pixels of the crop.
        valid: [T] bool, False where the face was bridged.
    """

    beta: np.ndarray
    psi: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    focal: float
    center: tuple[float, float]
    size: tuple[int, int]
    landmarks: np.ndarray
    valid: np.ndarray

    def __len__(self) -> int:
        return len(self.psi)

    def place(self, points: np.ndarray, frame: int) -> np.ndarray:
        """Head frame [..., 3] to camera frame, for one frame."""
        return points @ self.rotation[frame].T + self.translation[frame]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera frame [..., 3] to pixels [..., 2]."""
        scale = self.focal / -points[..., 2:3]
        return points[..., :2] * scale * np.array([1, -1]) + np.array(self.center)

    def vertices(self, head: HeadModel, frame: int, psi: np.ndarray | None = None) -> np.ndarray:
        """[V, 3] camera frame; with another expression `psi` [E] if given."""
        return self.place(head.vertices(self.beta, self.psi[frame] if psi is None else psi), frame)

    def tensors(self) -> dict[str, np.ndarray]:
        """What `head.safetensors` holds."""
        return {
            "beta": self.beta.astype(np.float32),
            "psi": self.psi.astype(np.float32),
            "rotation": self.rotation.astype(np.float32),
            "translation": self.translation.astype(np.float32),
            "camera": np.array([self.focal, *self.center, *self.size], np.float32),
            "landmarks": self.landmarks.astype(np.float32),
            "valid": self.valid.astype(np.uint8),
        }

    @classmethod
    def from_tensors(cls, data: dict[str, np.ndarray]) -> HeadFit:
        """The inverse of `tensors`."""
        focal, cx, cy, height, width = (float(x) for x in data["camera"])
        names = ("beta", "psi", "rotation", "translation", "landmarks")
        return cls(
            **{name: data[name] for name in names},
            focal=focal,
            center=(cx, cy),
            size=(int(height), int(width)),
            valid=data["valid"].astype(bool),
        )

    def select(self, frames: slice | np.ndarray) -> HeadFit:
        """The same head over some of the frames."""
        per_frame = ("psi", "rotation", "translation", "landmarks", "valid")
        return replace(self, **{name: getattr(self, name)[frames] for name in per_frame})


def _start_poses(points: np.ndarray, model: np.ndarray, focal: float, center: tuple[float, float]):
    """Axis-angle [T, 3] and translation [T, 3] by perspective-n-point on the rigid part of the face."""
    import cv2

    rigid = [k for k in range(468) if k not in OVAL and k not in LIPS and k not in EYELIDS]
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


def _rotation(turn):
    """Axis-angle [T, 3] to matrices [T, 3, 3] (Rodrigues), torch."""
    import torch

    angle = turn.norm(dim=-1, keepdim=True).clamp_min(1e-8)[..., None]
    x, y, z = (turn / angle[..., 0]).unbind(-1)
    zero = torch.zeros_like(x)
    k = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    return torch.eye(3, device=turn.device) + angle.sin() * k + (1 - angle.cos()) * (k @ k)


def _weights(head: HeadModel, upper_only: bool) -> np.ndarray:
    """[478] trust in each landmark; the outline slides over the surface, lips and lids are what is looked at."""
    weights = np.ones(478, np.float32)
    weights[OVAL] = 0.15
    weights[LIPS] = 3.0
    weights[EYELIDS] = 3.0
    weights[IRISES] = 1.0
    if upper_only:
        points = head.at_landmarks(head.template)
        weights[points[:, 1] < points[2, 1] + LOWER_FACE] = 0  # 2: the nose's base
        weights[LIPS] = 0
        weights[OVAL] = 0
    return weights


def fit(
    track: Track,
    head: HeadModel,
    size: tuple[int, int],
    config: FitConfig,
    reporter: Reporter,
    known: HeadFit | None = None,
    upper_only: bool = False,
    fps: float = 25.0,
    device: str = "cpu",
) -> HeadFit:
    """Fit the head to the tracked landmarks.

    Args:
        track: landmarks in pixels of the crop.
        head: the head model.
        size: (height, width) of the crop.
        config: iterations and smoothness.
        reporter: hears the progress and may cancel.
        known: the same person's earlier fit; its shape is kept (and its camera, where the crops agree in size).
        upper_only: leave out mouth, jaw and outline (base footage whose mouth must not matter).
        fps: frames per second, to which smoothness in time refers.
        device: torch device.

    Returns:
        The fit, mouth and jaw actions zero where `upper_only`.
    """
    import torch

    height, width = size
    center = (width / 2, height / 2)
    shaped = head.template if known is None else head.template + np.tensordot(known.beta, head.shape_basis, 1)
    model = head.at_landmarks(shaped)
    eyes_px = float(np.median(track.inter_ocular()))
    eyes_m = float(np.linalg.norm(model[33] - model[263]))
    focal = config.distance * eyes_px / eyes_m if known is None else known.focal * size[0] / known.size[0]
    turn0, move0 = _start_poses(track.points, model, focal, center)

    def tensor(x):
        return torch.tensor(np.asarray(x), dtype=torch.float32, device=device)

    frames = len(track.points)
    psi_basis = tensor(head.at_landmarks(head.expression_basis)).reshape(len(head.expression_names), -1)
    beta_basis = tensor(head.at_landmarks(head.shape_basis)).reshape(len(head.shape_basis), -1)
    template = tensor(head.at_landmarks(head.template)).reshape(-1)
    target = tensor(track.points)
    trust = tensor(_weights(head, upper_only)) * tensor(np.where(track.valid, 1.0, 0.1))[:, None]
    middle = tensor(center)
    beta = tensor(np.zeros(len(head.shape_basis)) if known is None else known.beta).requires_grad_(known is None)
    psi = torch.zeros(frames, len(head.expression_names), device=device, requires_grad=True)
    turn, move = tensor(turn0).requires_grad_(), tensor(move0).requires_grad_()
    zoom = torch.zeros((), device=device, requires_grad=known is None)
    frozen = torch.ones(len(head.expression_names), device=device)
    if upper_only:
        frozen[head.mouth_actions] = 0
    groups = [{"params": [turn], "lr": 0.01}, {"params": [move], "lr": 0.004}, {"params": [psi], "lr": 0.03}]
    if known is None:
        groups += [{"params": [beta], "lr": 0.05}, {"params": [zoom], "lr": 0.01}]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [g["lr"] for g in groups], total_steps=config.iterations, pct_start=0.15, final_div_factor=50
    )
    rate = (fps / 25.0) ** 2  # second differences shrink with the square of the frame's length
    for step in range(config.iterations):
        reporter.progress("fit", step, config.iterations)
        optimizer.zero_grad()
        points = (template + beta @ beta_basis + psi @ psi_basis).reshape(frames, -1, 3)
        points = points @ _rotation(turn).transpose(1, 2) + move[:, None]
        scale = focal * zoom.exp() / -points[..., 2].clamp_max(-0.05)
        pixels = torch.stack([points[..., 0] * scale, -points[..., 1] * scale], -1) + middle
        error = (pixels - target) / eyes_px / config.landmark_sigma
        data = (trust[..., None] * ((1 + error**2).sqrt() - 1)).sum((1, 2)).mean() * 0.15
        prior = 0.5 * (beta**2).sum() * config.shape_weight + 0.5 * (zoom / 0.15) ** 2
        sparse = config.expression_weight * (psi**2 + 0.3 * psi).sum(1).mean()
        smooth = 0.0
        if frames > 2:
            for value, sigma in ((turn, 0.006), (move, 0.0012), (psi, 0.06)):
                bend = (value[2:] - 2 * value[1:-1] + value[:-2]) * rate / sigma
                smooth = smooth + config.smooth * ((1 + bend**2).sqrt() - 1).sum(1).mean()
        loss = data + prior / max(frames, 25) * 10 + sparse + smooth
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            psi.clamp_(0, 1).mul_(frozen)
    reporter.progress("fit", config.iterations, config.iterations)
    with torch.no_grad():
        return HeadFit(
            beta=beta.cpu().numpy(),
            psi=psi.cpu().numpy(),
            rotation=_rotation(turn).cpu().numpy(),
            translation=move.cpu().numpy(),
            focal=float(focal * zoom.exp()),
            center=center,
            size=size,
            landmarks=track.points,
            valid=track.valid,
        )
