"""Frames as the networks see them: small, joined into batches."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from ..media.images import linear_to_srgb, srgb_to_linear
from .outline import rounded

COMB, FOLDS, RIM = 0.025, 0.02, 0.004
"""Widths of the smoothing of normals under hair, on ears, and of the rims of eyes, mouth and face, as shares of the
image's."""
OPENINGS = ("eyes", "mouth", "teeth")
FACE = ("skin", "lips", "brows", "beard", *OPENINGS)


@dataclass
class Batch:
    """Frames at the networks' size; [B, C, S, S] torch."""

    image: Tensor
    """3, linear."""
    normal: Tensor
    """3, N̂."""
    alpha: Tensor
    """1."""
    skin: Tensor
    """1."""
    hair: Tensor
    """1."""
    transfer: Tensor | None = None
    """9, the head's radiance transfer."""
    transfer0: Tensor | None = None
    """9, the same without visibility."""
    neck: Tensor | None = None
    """1, neck and ears."""
    cloth: Tensor | None = None
    """1."""

    @property
    def encoded(self) -> Tensor:
        """[B, 3, S, S] sRGB-encoded image."""
        return linear_to_srgb(self.image.clamp(0, 1))

    def select(self, index: Tensor) -> "Batch":
        """Some of the frames."""
        return Batch(*[None if v is None else v[index] for v in self.__dict__.values()])

    def to(self, device: torch.device | str) -> "Batch":
        """The same on a device."""
        return Batch(*[None if v is None else v.to(device) for v in self.__dict__.values()])

    @classmethod
    def join(cls, batches: list["Batch"]) -> "Batch":
        """One batch of many."""
        columns = zip(*[b.__dict__.values() for b in batches], strict=True)
        return cls(*[None if any(v is None for v in column) else torch.cat(column) for column in columns])


def combed(normal: np.ndarray, regions: dict[str, np.ndarray]) -> np.ndarray:
    """N̂ with what lies under the hair smoothed away, the ears' folds, and the rims of eyes, mouth and face.

    The ears and the skull of the mesh do not show through hair; and where lids, lips or jaw of mesh and picture lie a
    pixel apart, a smooth normal gives no bright or dark line. Ears are fitted to nothing: their folds lie elsewhere.

    Args:
        normal: [H, W, 3], unit.
        regions: ``hair``, and what else is known of the face, [H, W] 0..1.

    Returns:
        [H, W, 3] float32, unit.
    """
    height, width = normal.shape[:2]
    step = max(1, width // 128)
    small = cv2.resize(np.asarray(normal, np.float32), (width // step, height // step), interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(cv2.GaussianBlur(small, (0, 0), COMB * width / step), (width, height))
    mixed = normal + np.asarray(regions["hair"], np.float32)[..., None] * (smooth - normal)
    openings, face = (_sum(regions, names, normal) for names in (OPENINGS, FACE))
    rim = np.clip(3 * cv2.GaussianBlur(openings, (0, 0), RIM * width), 0, 1)
    if "background" in regions:  # the outline before what is behind the person is the mesh's own
        share = cv2.GaussianBlur(face, (0, 0), 1.5 * RIM * width)
        behind = cv2.GaussianBlur(np.asarray(regions["background"], np.float32), (0, 0), 2 * RIM * width)
        rim = np.maximum(rim, np.clip(5 * share * (1 - share), 0, 1) * np.clip(1 - 5 * behind, 0, 1))
    mixed += rim[..., None] * (cv2.GaussianBlur(mixed.astype(np.float32), (0, 0), 3.5 * RIM * width) - mixed)
    folds = np.clip(2 * cv2.GaussianBlur(_sum(regions, ("ears",), normal), (0, 0), 2 * RIM * width), 0, 1)
    mixed += folds[..., None] * (cv2.GaussianBlur(mixed.astype(np.float32), (0, 0), FOLDS * width) - mixed)
    return (mixed / np.maximum(np.linalg.norm(mixed, axis=-1, keepdims=True), 1e-6)).astype(np.float32)


def calmed(normal: np.ndarray, regions: dict[str, np.ndarray], alpha: np.ndarray) -> np.ndarray:
    """N̂ as the networks take it: `combed`, and hair `rounded` towards the matte's outline, [H, W, 3]."""
    return rounded(combed(normal, regions), regions["hair"], alpha)


def _sum(regions: dict[str, np.ndarray], names: tuple[str, ...], like: np.ndarray) -> np.ndarray:
    """[H, W] float32 of all the regions of these names that are known, 1 at most."""
    known = [np.asarray(regions[name], np.float32) for name in names if name in regions]
    return np.clip(sum(known, np.zeros(like.shape[:2], np.float32)), 0, 1)


def small_batch(image: np.ndarray, normal: np.ndarray, alpha: np.ndarray, regions: dict[str, np.ndarray], size: int
                ) -> Batch:
    """Bring a frame to the networks' size, averaging light and not codes.

    Args:
        image: [H, W, 3] uint8, sRGB.
        normal: [H, W, 3] unit.
        alpha: [H, W].
        regions: ``skin`` and ``hair`` at least, ``neck``, ``ears`` and ``cloth`` where they are known; [H, W] each.
        size: side of the square.

    Returns:
        A batch of one.
    """
    turned = shrink(normal, size)
    turned = turned / np.maximum(np.linalg.norm(turned, axis=-1, keepdims=True), 1e-6)
    maps = [shrink(m, size)[..., None] for m in (alpha, regions["skin"], regions["hair"])]
    batch = Batch(*[tensor(v) for v in (shrink(srgb_to_linear(image), size), turned, *maps)])
    if {"neck", "ears", "cloth"} <= regions.keys():
        neck, cloth = (shrink(m, size)[..., None] for m in (regions["neck"] + regions["ears"], regions["cloth"]))
        batch = replace(batch, neck=tensor(neck), cloth=tensor(cloth))
    return batch


def shrink(values: np.ndarray, size: int) -> np.ndarray:
    """A map brought to [size, size] by area, float32."""
    return cv2.resize(np.asarray(values, np.float32), (size, size), interpolation=cv2.INTER_AREA)


def tensor(values: np.ndarray) -> Tensor:
    """[H, W, C] to [1, C, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32))


def pixels(values: Tensor) -> np.ndarray:
    """[1, C, H, W] to [H, W, C]."""
    return np.ascontiguousarray(values[0].permute(1, 2, 0).cpu().numpy())
