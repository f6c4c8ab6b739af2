"""What retrieval, warp and boxes know of the head: its landmarks, lips and pose in every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.fitting import HeadFit
from ..face.head_model import AnnyHead
from .warp import CONTROL, LIPS

_EYES = (33, 263)
_MOUTH = (13, 14)


@dataclass(frozen=True)
class Motion:
    """The head over T frames, as its fitted model has it (never as a mouth was tracked).

    Attributes:
        knots: [T, K, 2] the landmarks `warp.CONTROL` in pixels.
        lips: [T, L, 3] the landmarks `warp.LIPS` in the head frame, in outer-eye distances.
        rotation: [T, 3, 3] head to camera.
        centre: [T, 2] the resting mouth's middle in pixels: it moves with the head, not with the mouth.
        unit: [T] pixels per outer-eye distance at the mouth's depth.
        psi: [T, E] the actions that it was computed from.
    """

    knots: np.ndarray
    lips: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray
    unit: np.ndarray
    psi: np.ndarray

    def __len__(self) -> int:
        return len(self.unit)

    @classmethod
    def of(cls, head: AnnyHead, fit: HeadFit, psi: np.ndarray | None = None) -> Motion:
        """Pose of `fit`, actions `psi` [T, E] (the fit's own if absent)."""
        psi = fit.psi if psi is None else psi
        chosen = list(CONTROL)
        rest = head.at_landmarks(head.vertices(fit.beta, np.zeros(psi.shape[-1], np.float32)))
        eyes = float(np.linalg.norm(rest[_EYES[0]] - rest[_EYES[1]]))
        middle = rest[list(_MOUTH)].mean(0)
        basis = head.at_landmarks(head.expression_basis)
        points = (rest + np.tensordot(psi, basis, 1)).astype(np.float32)  # [T, 478, 3]
        turn = fit.rotation.astype(np.float32)

        def placed(p: np.ndarray) -> np.ndarray:
            return np.einsum("tij,tkj->tki", turn, p) + fit.translation[:, None]

        mouth = placed(np.broadcast_to(middle.astype(np.float32), (len(psi), 1, 3)))
        return cls(
            knots=fit.project(placed(points[:, chosen])).astype(np.float32),
            lips=points[:, list(LIPS)] / eyes,
            rotation=turn,
            centre=fit.project(mouth)[:, 0].astype(np.float32),
            unit=(fit.focal * eyes / -mouth[:, 0, 2]).astype(np.float32),
            psi=psi,
        )

    def select(self, frames: slice | np.ndarray) -> Motion:
        """Some of the frames."""
        return Motion(**{name: getattr(self, name)[frames] for name in self.__dataclass_fields__})
