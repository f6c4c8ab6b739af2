"""How neck and trunk follow a head: about the neck's pivot, with a share of its turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fitting import HeadFit
from .head_model import HeadModel

FOLLOW = 0.2
"""Share of the head's turn that a trunk usually makes too."""


@dataclass(frozen=True)
class Trunk:
    """A trunk's place under its head.

    Attributes:
        rotation: [3, 3] head to camera, in the clip's middle.
        pivot: [3] head frame, metres.
        follow: share of the head's turn away from the middle that the trunk makes too.
    """

    rotation: np.ndarray
    pivot: np.ndarray
    follow: float = FOLLOW

    @classmethod
    def of(cls, head: HeadModel, fit: HeadFit) -> Trunk:
        """From a clip's fit: the middle of its poses."""
        left, _, right = np.linalg.svd(fit.rotation.mean(0).astype(np.float64))
        return cls(left @ right, head.joints["neck"].astype(np.float64))

    @classmethod
    def from_tensor(cls, values: np.ndarray) -> Trunk:
        """The inverse of `tensor`."""
        values = np.asarray(values, np.float64)
        return cls(values[:9].reshape(3, 3), values[9:12], float(values[12]))

    @property
    def tensor(self) -> np.ndarray:
        """[13] float32: what a subject's weights hold of it."""
        return np.concatenate([self.rotation.ravel(), self.pivot, [self.follow]]).astype(np.float32)

    def place(self, rotation: np.ndarray, translation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The trunk's rotation [3, 3] and translation [3] for a head's."""
        import cv2

        turn = cv2.Rodrigues((self.rotation.T @ rotation).astype(np.float64))[0]
        turned = self.rotation @ cv2.Rodrigues(turn * self.follow)[0]
        return turned, rotation @ self.pivot + translation - turned @ self.pivot
