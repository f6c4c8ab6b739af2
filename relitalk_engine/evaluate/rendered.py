"""What Cycles left of a person, put into the files of a folder laid out as data/synthetic/subject_a."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..face.head_model import HeadModel
from ..lighting import envmap, sh
from ..media import images
from .acting import Performance

MULTI_PIE = [
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71, 63, 105, 66, 107, 336, 296,
    334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61,
    39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
]  # fmt: skip
"""mediapipe's points at the 68 of Multi-PIE."""
LUMA = np.array([0.2126, 0.7152, 0.0722])
FACING = np.array([[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.6, 0.8], [0, -0.6, 0.8]])
"""Normals of the front of a face."""


@dataclass(frozen=True)
class SceneLight:
    """A world HDRI of Blender's, turned, at a strength."""

    hdri: str
    rotation_deg: float
    strength: float

    def save(self, path: Path) -> None:
        """Write the three as JSON."""
        facts = {"hdri": self.hdri, "rotation_deg": self.rotation_deg, "strength": self.strength}
        path.write_text(json.dumps(facts), encoding="utf-8")


def exposed(hdri: str, path: Path, rotation_deg: float, brightness: float) -> SceneLight:
    """A world at the strength at which white that faces the camera shades to `brightness` in the mean."""
    panorama = envmap.to_environment(envmap.read_panorama(path), rotation_deg)
    shade = sh.shade(sh.project(panorama), FACING).mean(0) @ LUMA
    return SceneLight(hdri, rotation_deg, brightness / float(shade))


@dataclass(frozen=True)
class Frame:
    """A rendered frame.

    Attributes:
        rgb: [H, W, 3] linear, straight.
        alpha: [H, W].
        opaque: [H, W] bool, skin, eye, teeth or cloth, inside the edge.
    """

    rgb: np.ndarray
    alpha: np.ndarray
    opaque: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Frame:
        """Of the EXR that Cycles wrote."""
        from scipy.ndimage import binary_erosion

        channels = images.read_exr(path)

        def get(*endings: str) -> list[np.ndarray]:
            return [next(v for k, v in channels.items() if k.endswith(end)) for end in endings]

        combined = np.stack(get("Combined.R", "Combined.G", "Combined.B", "Combined.A"), -1).astype(np.float32)
        alpha = np.clip(combined[..., 3], 0, 1)
        rgb = np.maximum(combined[..., :3], 0) / np.maximum(combined[..., 3:], 1e-4)
        sure = next(v for k, v in channels.items() if "opaque" in k) > 0.995
        return cls(rgb * (alpha > 0)[..., None], alpha, binary_erosion(sure & (alpha > 0.995)))

    def write(self, path: Path) -> None:
        """As RGBA, 8 bit, sRGB, straight."""
        alpha = np.rint(self.alpha * 255).astype(np.uint8)[..., None]
        images.write_png(path, np.concatenate([images.encode_uint8(self.rgb), alpha], -1))

    def over(self, backdrop: np.ndarray) -> np.ndarray:
        """[H, W, 3] uint8 before a linear backdrop."""
        alpha = self.alpha[..., None]
        return images.encode_uint8(self.rgb * alpha + backdrop * (1 - alpha))


def backdrop(path: Path, light: SceneLight, size: int, focal: float) -> np.ndarray:
    """The world behind the person out of focus, linear [size, size, 3]."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    world = envmap.to_environment(envmap.read_panorama(path), light.rotation_deg, light.strength, (256, 512))
    world = gaussian_filter(np.minimum(world, 1.5), (3, 3, 0), mode=("nearest", "wrap", "nearest"))
    u, v = np.meshgrid(np.arange(size) + 0.5 - size / 2, np.arange(size) + 0.5 - size / 2)
    rays = np.stack([u / focal, -v / focal, -np.ones_like(u)], -1)
    row, column = envmap.texel(rays / np.linalg.norm(rays, axis=-1, keepdims=True), 256, 512)
    return np.stack([map_coordinates(world[..., c], (row, column), order=1, mode="nearest") for c in range(3)], -1)


def truth(
    head: HeadModel, acted: Performance, vertices: np.ndarray, camera: tuple[float, float], size: int, focal: float
) -> dict[str, np.ndarray]:
    """What is known of a clip, as in subject_a's `train_truth.npz`.

    Args:
        head: the head model.
        acted: what was done.
        vertices: [T, V, 3] the turned head, head frame.
        camera: metres before the head's origin, and its height against it.
        size: side of the pictures in pixels.
        focal: in pixels.
    """
    points = head.at_landmarks(vertices)
    away, height = camera
    depth = away - points[..., 2]
    aside, down = points[..., 0] / depth, (height - points[..., 1]) / depth
    pixels = size / 2 + focal * np.stack([aside, down], -1)

    def between(a: int, b: int) -> np.ndarray:
        return 100 * np.linalg.norm(points[:, a] - points[:, b], axis=-1)

    return {
        "landmarks68_px": pixels[:, MULTI_PIE].astype(np.float32),
        "head_rotation": acted.rotation.astype(np.float32),
        "lip_aperture_cm": between(13, 14).astype(np.float32),
        "lip_width_cm": between(61, 291).astype(np.float32),
        "outer_eye_distance_cm": np.float32(np.median(between(33, 263))),
        "blink": acted.psi[:, head.index("eyeBlinkLeft", "eyeBlinkRight")],
        "expression": acted.psi,
        "expression_names": np.array(head.expression_names),
        "phoneme": np.array([name for name, _ in acted.phones]),
        "phoneme_ms": np.array([round(1000 * at) for _, at in acted.phones]),
        "focal_px": np.float32(focal),
    }
