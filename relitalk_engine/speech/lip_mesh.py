"""F_mesh: from f_pho to the lips of the head, V_lip = F_mesh(V_template, f_pho), for any speaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import visemes
from .features import Layout

if TYPE_CHECKING:
    from ..face.head_model import HeadModel

LIP_POINTS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
"""K = 40 of mediapipe's points: outer and inner rim of the lips."""

_UPPER, _LOWER = LIP_POINTS.index(13), LIP_POINTS.index(14)
_CORNERS = LIP_POINTS.index(61), LIP_POINTS.index(291)
_EYES = (33, 263)


@dataclass(frozen=True)
class Lips:
    """The lips of one person's head, linear in the mouth's actions. Head frame, metres.

    Attributes:
        template: [K, 3] at rest.
        basis: [M, K, 3] per mouth action.
        actions: names of the M actions.
        scale: distance of the outer eye corners.
    """

    template: np.ndarray
    basis: np.ndarray
    actions: tuple[str, ...]
    scale: float

    @classmethod
    def of(cls, head: HeadModel, beta: np.ndarray) -> Lips:
        """Lips of a head of shape ``beta`` [S]."""
        shaped = head.at_landmarks(head.template + np.tensordot(beta, head.shape_basis, 1))
        basis = head.at_landmarks(head.expression_basis[head.mouth_actions])
        return cls(
            template=shaped[list(LIP_POINTS)].astype(np.float32),
            basis=basis[:, list(LIP_POINTS)].astype(np.float32),
            actions=tuple(head.expression_names[i] for i in head.mouth_actions),
            scale=float(np.linalg.norm(shaped[_EYES[0]] - shaped[_EYES[1]])),
        )

    def vertices(self, psi: np.ndarray) -> np.ndarray:
        """[T, K, 3] of mouth actions [T, M]."""
        return self.template + np.tensordot(psi, self.basis, 1)

    def opening(self, psi: np.ndarray) -> np.ndarray:
        """Gap of the inner lips over the distance of the outer eye corners, [T]; 0 where they touch."""
        lips = self.vertices(psi)
        return np.maximum(lips[:, _UPPER, 1] - lips[:, _LOWER, 1], 0.0) / self.scale

    def width(self, psi: np.ndarray) -> np.ndarray:
        """Distance of the mouth's corners over that of the outer eye corners, [T]."""
        lips = self.vertices(psi)
        return np.linalg.norm(lips[:, _CORNERS[0]] - lips[:, _CORNERS[1]], axis=-1) / self.scale


WAYS = ("words", "sound", "ear")
"""Who says which phones are spoken: recognised words, the sound alone, or the ear that knows any language."""


class LipMesh:
    """F_mesh: every phone has a mouth, and insists on it more or less against its neighbours.

    By words and by sound this is a rule on soft phones; the features' own window in time is the coarticulation. By ear
    it is what a network has learnt that coarticulates as speech does.

    Source: visemes with dominance, Cohen & Massaro 1993.
    """

    ways: tuple[str, ...] = WAYS

    def __init__(self, lips: Lips, layout: Layout) -> None:
        self.lips = lips
        self.layout = layout
        self._table = visemes.table(layout.phones, lips.actions)
        self._dominance = visemes.dominance(layout.phones)
        self._expand = visemes.expand(lips.actions)
        shapes = self._displacement(self._table)
        self._mean = shapes.mean(0)
        self._axes = np.linalg.svd(shapes - self._mean, full_matrices=False)[2][:6]

    def actions(self, f_pho: np.ndarray, way: str = "words") -> np.ndarray:
        """Mouth actions [T, M] that one of the `WAYS` asks for.

        Args:
            f_pho: [T, F].
            way: one of `WAYS`.
        """
        if way == "ear":
            return f_pho[:, self.layout.spoken][:, : len(visemes.ACTIONS)] @ self._expand
        belief = f_pho[:, self.layout.understood if way == "words" else self.layout.heard] * self._dominance
        return belief @ self._table / np.maximum(belief.sum(1, keepdims=True), 1e-6)

    def vertices(self, f_pho: np.ndarray, way: str = "words") -> np.ndarray:
        """V_lip [T, K, 3] in the head frame, metres."""
        return self.lips.vertices(self.actions(f_pho, way))

    def coordinates(self, v_lip: np.ndarray) -> np.ndarray:
        """V_lip [T, K, 3] along the six directions in which the visemes differ, [T, 6], in centimetres."""
        return 100.0 * ((v_lip - self.lips.template).reshape(len(v_lip), -1) - self._mean) @ self._axes.T

    def _displacement(self, psi: np.ndarray) -> np.ndarray:
        return np.tensordot(psi, self.lips.basis, 1).reshape(len(psi), -1)
