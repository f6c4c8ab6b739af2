"""The small passes that a subject keeps of every frame, and the frame made of them (decision 9).

``00000.png``, 16 bit RGBA at the crop's size: N.x, N.y, C_spec, alpha. ``00000_paint.png``, 16 bit RGBA at the
networks' size: the logarithm of F_albedo's gain, and hair. The albedo is derived on reading.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import ReliTalkError
from .networks import SPECULAR_MOST

GAIN_MOST = 3.0
_FULL = 65535.0
_FINE = 16
"""Normals are kept in steps of 16/65535 (0.03 degrees): finer ones would only keep the PNG from being small."""


@dataclass
class FramePasses:
    """What is kept of a frame's decomposition."""

    normal: np.ndarray
    """[H, W, 3] float32, unit, camera frame, z above 0."""
    specular_weight: np.ndarray
    """[H, W] C_spec."""
    alpha: np.ndarray
    """[H, W]."""
    gain: np.ndarray
    """[S, S, 3] logarithm of the gain on the image divided by its shading, at the networks' size."""
    hair: np.ndarray
    """[S, S], how far a pixel is hair."""


def write_frame_passes(folder: Path, index: int, passes: FramePasses) -> None:
    """Write the passes of one frame.

    Args:
        folder: the subject's passes folder.
        index: number of the frame in the clip.
        passes: of ``ReflectanceModel.decompose``.

    Raises:
        ReliTalkError: the folder cannot be written.
    """
    folder = Path(folder)
    inside = passes.alpha > 0.5 / 255
    surface = np.round((passes.normal[..., :2] * 0.5 + 0.5) * (_FULL / _FINE)) * _FINE
    weight = np.round(passes.specular_weight * (255 / SPECULAR_MOST)) * 257
    whole = np.dstack([surface * inside[..., None], weight * inside, np.round(passes.alpha * 255) * 257])
    gain = np.clip(passes.gain / GAIN_MOST, -1, 1) * 0.5 + 0.5
    small = np.dstack([np.round(gain * (_FULL / _FINE)) * _FINE, np.round(passes.hair * 255) * 257])
    for name, values in ((f"{index:05d}.png", whole), (f"{index:05d}_paint.png", small)):
        _write(folder / name, values)


def read_frame_passes(folder: Path, index: int) -> FramePasses:
    """Read the passes of one frame.

    Raises:
        ReliTalkError: a file is missing or is not what it should be.
    """
    folder = Path(folder)
    whole = _read(folder / f"{index:05d}.png")
    small = _read(folder / f"{index:05d}_paint.png")
    x, y = (whole[..., k] * 2 - 1 for k in (0, 1))
    inside = whole[..., 3] > 0
    x, y = x * inside, y * inside
    z = np.sqrt(np.maximum(1 - x * x - y * y, 4e-4))
    normal = np.dstack([x, y, z])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return FramePasses(
        normal, whole[..., 2] * SPECULAR_MOST, whole[..., 3], (small[..., :3] * 2 - 1) * GAIN_MOST, small[..., 3]
    )


def _write(path: Path, values: np.ndarray) -> None:
    pixels = np.clip(values, 0, _FULL).astype(np.uint16)[..., [2, 1, 0, 3]]
    done, code = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 2])
    part = path.with_suffix(".part")
    try:
        part.write_bytes(code.tobytes())
        os.replace(part, path)
    except OSError as error:
        raise ReliTalkError(
            "unwritable", f"{path} cannot be written: {error.strerror}.", "Free the disk or name another place."
        ) from error


def _read(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] != 4:
        state = "is missing" if not path.exists() else "is not a 16-bit RGBA picture"
        raise ReliTalkError("bad_passes", f"{path} {state}.", "Train the subject again.")
    return pixels[..., [2, 1, 0, 3]].astype(np.float32) / np.float32(_FULL)
