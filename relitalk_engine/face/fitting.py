"""Whole-clip fit of the head: one shape, one camera, a pose and an expression per frame.

Maximum a posteriori by Adam in torch, in three steps: all frames to the tracked landmarks, their depth and the outline;
shape and light of a few frames to the pictures; all frames once more with that shape. Then each frame's own picture
refines its pose and expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..config import FitConfig
from ..events import Reporter
from .head_model import HeadModel
from .landmarks import Track, bridge
from .solving.personal import personal_fields
from .solving.photometric import Pictures, choose_frames
from .solving.refine import refine
from .solving.skin import Skin
from .solving.solver import Solver, start
from .solving.terms import Evidence
from .solving.unknowns import View, rotations, start_poses


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
        offset: [V, 3] what this face has beyond the head model's shapes, metres, head frame; zero where absent.
        skin: how its skin looks, against which frames are held; None where no pictures were looked at.
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
    offset: np.ndarray | None = None
    skin: Skin | None = None

    def __len__(self) -> int:
        return len(self.psi)

    def place(self, points: np.ndarray, frame: int) -> np.ndarray:
        """Head frame [..., 3] to camera frame, for one frame."""
        return points @ self.rotation[frame].T + self.translation[frame]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera frame [..., 3] to pixels [..., 2]."""
        scale = self.focal / -points[..., 2:3]
        return points[..., :2] * scale * np.array([1, -1]) + np.array(self.center)

    def shape(self, head: HeadModel, psi: np.ndarray) -> np.ndarray:
        """[..., V, 3] this person's head in the head frame, from psi [..., E]."""
        vertices = head.vertices(self.beta, psi)
        return vertices if self.offset is None else vertices + self.offset

    def vertices(self, head: HeadModel, frame: int, psi: np.ndarray | None = None) -> np.ndarray:
        """[V, 3] camera frame; with another expression `psi` [E] if given."""
        return self.place(self.shape(head, self.psi[frame] if psi is None else psi), frame)

    def tensors(self) -> dict[str, np.ndarray]:
        """What `head.safetensors` holds."""
        offset = {} if self.offset is None else {"offset": self.offset.astype(np.float32)}
        skin = {} if self.skin is None else {"skin": self.skin.looks, "skin_reach": self.skin.reach}
        return offset | skin | {
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
            offset=data.get("offset"),
            skin=Skin(data["skin"], data["skin_reach"]) if "skin" in data else None,
        )

    def select(self, frames: slice | np.ndarray) -> HeadFit:
        """The same head over some of the frames."""
        per_frame = ("psi", "rotation", "translation", "landmarks", "valid")
        return replace(self, **{name: getattr(self, name)[frames] for name in per_frame})


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
    frames: Callable[[int], np.ndarray] | None = None,
) -> HeadFit:
    """Fit the head to a clip.

    Args:
        track: landmarks in pixels of the crop.
        head: the head model.
        size: (height, width) of the crop.
        config: iterations and weights.
        reporter: hears the progress and may cancel.
        known: the same person's earlier fit; its shape is kept (and its camera, where the crops agree in size).
        upper_only: leave out mouth, jaw and outline (base footage whose mouth must not matter).
        fps: frames per second, to which smoothness in time refers.
        device: torch device.
        frames: index to the crop's [H, W, 3] uint8 RGB; without it the pictures are not looked at. With `known` they
            place the head but do not shape it.

    Returns:
        The fit, mouth and jaw actions zero where `upper_only`.
    """
    view = _view(track, head, size, config, known)
    model_head = head
    if known is not None and known.offset is not None:
        head = replace(head, template=(head.template + known.offset).astype(np.float32))
    fields = personal_fields(head)
    looked_at = frames if known is None and config.photometric else None
    steps = config.iterations, config.iterations // 3, config.iterations // 2
    fixed = head.mouth_actions if upper_only else []
    solver = Solver(head, fields, config, reporter, sum(steps if looked_at else steps[:1]), fps, fixed, device)
    beta0 = np.zeros(len(head.shape_basis), np.float32) if known is None else known.beta
    model = head.at_landmarks(head.template + np.tensordot(beta0, head.shape_basis, 1))
    evidence = Evidence(track, head, fields, view, config, upper_only, device)
    poses = start_poses(track.points, model, evidence.rigid.cpu().numpy(), view.focal, view.center)
    u = start(head, poses, beta0, fields.shape[1], device)
    bad = solver.all_frames(u, evidence, steps[0], shape=known is None)
    if looked_at is not None:
        which = choose_frames(u, track.valid & ~bad, head.mouth_actions, config.keyframes)
        pictures = Pictures(looked_at, which, head, fields, view, size, device)
        solver.pictures(u, evidence.rows(which), pictures, which, steps[1])
        bad = solver.all_frames(u, evidence, steps[2], shape=False)
    reporter.progress("fit", solver.total, solver.total)
    valid = track.valid & ~bad
    beta, soft, psi, move = (x.detach().cpu().numpy() for x in (u.beta, u.soft, u.psi, u.move))
    landmarks = track.points
    if bad.any() and valid.any():
        landmarks = bridge([p if good else None for p, good in zip(landmarks, valid, strict=True)], least=0.0).points
    fitted = HeadFit(
        beta=beta,
        psi=psi,
        rotation=rotations(u.turn).detach().cpu().numpy(),
        translation=move,
        focal=view.focal * float(u.zoom.detach().exp()),
        center=view.center,
        size=size,
        landmarks=landmarks,
        valid=valid,
        offset=fields @ soft if known is None else known.offset,
        skin=None if known is None else known.skin,
    )
    if frames is None or not config.refine or (known is not None and known.skin is None):
        return fitted
    return refine(fitted, model_head, frames, config.refine, upper_only, fps, reporter)


def _view(track: Track, head: HeadModel, size: tuple[int, int], config: FitConfig, known: HeadFit | None) -> View:
    """The camera where the fit starts."""
    still = np.zeros(len(head.expression_names), np.float32)
    model = head.at_landmarks(head.template if known is None else known.shape(head, still))
    eyes_px = float(np.median(track.inter_ocular()))
    eyes_m = float(np.linalg.norm(model[33] - model[263]))
    focal = config.focal or config.distance * eyes_px / eyes_m
    if known is not None:
        focal = known.focal * size[0] / known.size[0]
    return View(focal, (size[1] / 2, size[0] / 2), eyes_px, eyes_m)
