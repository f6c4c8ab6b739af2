"""The head's shadow on itself, from radiance transfer per vertex to pixels (decision 5)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from ..geometry.raster import Hits, interpolate
from ..geometry.visibility import sphere_directions
from ..lighting import sh
from ..lighting.portrait import SHADOW_FLOOR

SPREAD = 0.035
"""How far the shadow goes on beyond the head's mesh, as a share of the image's width."""
BLUR = 0.006
"""Width of the shadow's edge, which hides that creases of the mesh and of the face do not quite coincide."""
PROBES = 15
"""Lights under which the maps of the shadow are made to agree with it."""


def self_shadow(transfer: Any, transfer0: Any, light: Any, floor: float = SHADOW_FLOOR) -> Any:
    """How much of the light reaches a point past the head itself: V = (T·L) / (T₀·L).

    Args:
        transfer: [..., 9] with visibility (numpy or torch).
        transfer0: [..., 9] without.
        light: [9, 3] radiance coefficients of the same kind and frame.
        floor: the light that always finds a way (through skin, off the shoulders), as a share of the mean light.

    Returns:
        [..., 3] in 0..1, per channel.
    """
    # A share of the mean light on both sides keeps the quotient calm where neither sees any.
    always = floor * 0.282095 * abs(light[:1]) + 1e-6
    seen = (transfer @ light).clip(0) + always
    free = (transfer0 @ light).clip(0) + always
    return (seen / free).clip(0, 1)


@dataclass(frozen=True)
class HeadShadow:
    """Radiance transfer of one subject's head, in the head frame (``geometry.visibility.transfer``)."""

    transfer: np.ndarray
    """[V, 9]."""
    transfer0: np.ndarray
    """[V, 9], without visibility."""
    faces: np.ndarray
    """[F, 3]."""
    open: np.ndarray | None = None
    """[V] 0..1: where the shadow is not to be believed (mouth and eyes, whose insides the mesh only hints at)."""

    def at(self, hits: Hits, rotation: np.ndarray) -> "PixelShadow":
        """The shadow as one frame sees it.

        Args:
            hits: what the pixels see of the head.
            rotation: [3, 3], head to camera.
        """
        return PixelShadow(self, hits, rotation)


@dataclass(frozen=True)
class PixelShadow:
    """Self-shadow of one frame: call it with a light."""

    head: HeadShadow
    hits: Hits
    rotation: np.ndarray

    def __call__(self, light: np.ndarray) -> np.ndarray:
        """V under a light.

        Args:
            light: [9, 3] radiance coefficients, camera frame.

        Returns:
            [H, W, 3] in 0..1; beyond the mesh it fades to 1.
        """
        turned = sh.rotate(light, self.rotation.T).astype(np.float32)
        seen = self_shadow(self.head.transfer, self.head.transfer0, turned)
        columns = seen.astype(np.float32)
        if self.head.open is not None:
            columns = np.concatenate([columns, self.head.open[:, None].astype(np.float32)], 1)
        maps = interpolate(self.hits, columns, self.head.faces)
        believed = (self.hits.triangle >= 0).astype(np.float32)
        if self.head.open is not None:
            believed *= 1 - maps[..., 3].clip(0, 1)
        return self._soften(1 - _spread(1 - maps[..., :3], believed))

    def maps(self) -> tuple[np.ndarray, np.ndarray]:
        """What gives V under any light in a renderer that knows no mesh: V = (T·L) / (T₀·L), as ``self_shadow`` does.

        Returns:
            T [H, W, 9], radiance transfer with visibility in the camera frame, spread and softened as V is; and
            the smooth unit normals [H, W, 3] whose bare transfer is T₀ (``bare_transfer``).
        """
        head = self.head
        free = sh.rotate(head.transfer0.T, self.rotation).T.astype(np.float32)
        around = interpolate(self.hits, free[:, [3, 1, 2]], head.faces)  # the first band of a bare transfer: its normal
        mask = (self.hits.triangle >= 0).astype(np.float32)
        normal = self._soften(_spread(around, mask, least=1e-4))
        normal[..., 2] += 1e-6
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        bare = bare_transfer(normal)
        lights = _probes()
        lost = np.empty((*mask.shape, lights.shape[1]), np.float32)  # V is no quotient of two sums: the nearest one
        for k in range(0, lights.shape[1], 3):
            three = lights[:, k : k + 3]
            always = SHADOW_FLOOR * 0.282095 * abs(three[:1]) + 1e-6
            lost[..., k : k + 3] = (1 - self(three)) * ((bare @ three).clip(0) + always)
        return bare - lost @ np.linalg.pinv(lights).astype(np.float32), normal

    def _soften(self, values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (0, 0), BLUR * values.shape[1])

    def transfers(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """T and T₀ as small maps in the camera frame, [size, size, 9] each; beyond the mesh both are the mean's.

        Args:
            size: rows and columns.
        """
        found = []
        bare, shadowed = self.head.transfer0, self.head.transfer
        if self.head.open is not None:
            shadowed = shadowed + self.head.open[:, None] * (bare - shadowed)
        for values in (shadowed, bare):
            turned = sh.rotate(values.T, self.rotation).T.astype(np.float32)
            found.append(interpolate(self.hits, turned, self.head.faces))
        mask = (self.hits.triangle >= 0).astype(np.float32)
        cover = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)[..., None]
        small = [_shrink(values, size) for values in found]
        away = 1 - cover
        constant = np.zeros(9, np.float32)
        constant[0] = 3.5449  # an open point: shading 1 under radiance 1
        return small[0] + away * constant, small[1] + away * constant


def _shrink(values: np.ndarray, size: int) -> np.ndarray:
    """[H, W, 9] to [size, size, 9] by area; three channels at a time, as OpenCV takes four at most."""
    parts = [np.ascontiguousarray(values[..., k : k + 3]) for k in (0, 3, 6)]
    return np.concatenate([cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA) for part in parts], -1)


@lru_cache(maxsize=1)
def _probes() -> np.ndarray:
    """Lights from all around, each over a dim room, [9, K] with K a multiple of three."""
    lights = sh.basis(sphere_directions(PROBES).astype(float)) * np.repeat([1.0, 0.8, 0.4], [1, 3, 5])
    lights[:, 0] *= 2.0
    return np.ascontiguousarray(lights.T, np.float32)


def bare_transfer(normal: np.ndarray) -> np.ndarray:
    """Transfer of an open point, T₀ [..., 9] from its unit normal [..., 3]: T₀ · L is its shading."""
    return (sh.basis(normal) * (sh.COSINE_BANDS / np.pi)).astype(np.float32)


def _spread(values: np.ndarray, believed: np.ndarray, least: float = 0.3) -> np.ndarray:
    """Values where the mesh is believed; elsewhere those of the surroundings, fading to 0 away from the head.

    Args:
        values: [H, W, 3].
        believed: [H, W] 0..1.
        least: share of believed surroundings below which the values fade.
    """
    height, width = believed.shape
    step = max(1, width // 96)
    size = (width // step, height // step)
    weight = cv2.resize(believed, size, interpolation=cv2.INTER_AREA)
    known = cv2.resize(values * believed[..., None], size, interpolation=cv2.INTER_AREA)
    sigma = SPREAD * size[0]
    near = cv2.GaussianBlur(weight, (0, 0), sigma)
    known = cv2.GaussianBlur(known, (0, 0), sigma) / np.maximum(near, least)[..., None]
    beyond = cv2.resize(known, (width, height), interpolation=cv2.INTER_LINEAR)
    return beyond + believed[..., None] * (values - beyond)
