"""Lit spheres: with the view fixed, unshadowed light is a function of the normal, kept as a picture of a sphere.

A map is [S, S, 3] over N.xy in −1..1: column 0 is N.x = −1, row 0 is N.y = +1; outside the disc stands the rim's value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from . import envmap, phong, sh
from .light import HEIGHT, WIDTH, Light

SIZE = 128
PREVIEW_EXPONENT = 48.0
PREVIEW_ALBEDO = 0.6
PREVIEW_SPECULAR = 0.08
BACKDROP = 0.03


@dataclass
class LitSphere:
    """A light as seen on a sphere, for white walls and full highlights.

    Attributes:
        diffuse: [S, S, 3] float32, irradiance / π.
        specular: [S, S, 3] float32, Blinn-Phong with the subject's exponent.
        exponent: that exponent.
        directional: direction [3] and irradiance [3] of a light that is directional; it is then evaluated exactly.
    """

    diffuse: np.ndarray
    specular: np.ndarray
    exponent: float
    directional: tuple[np.ndarray, np.ndarray] | None = None

    def shade(self, surface: np.ndarray) -> np.ndarray:
        """Unshadowed diffuse light on white walls, irradiance / π; [..., 3] from unit normals [..., 3]."""
        if self.directional:
            direction, irradiance = (part.astype(surface.dtype) for part in self.directional)
            return np.maximum(surface @ direction, 0.0)[..., None] * (irradiance / surface.dtype.type(np.pi))
        return sample(self.diffuse, surface)

    def shine(self, surface: np.ndarray) -> np.ndarray:
        """Unshadowed, unweighted highlights; [..., 3] from unit normals [..., 3]."""
        if self.directional:
            return phong.specular_directional(surface, self.exponent, *self.directional).astype(surface.dtype)
        return sample(self.specular, surface)


def normals(size: int) -> np.ndarray:
    """The normal of every texel, [S, S, 3] float64, camera frame; outside the disc the nearest of the rim."""
    axis = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    x, y = np.meshgrid(axis, -axis)
    radius = np.maximum(np.hypot(x, y), 1.0)
    x, y = x / radius, y / radius
    return np.stack([x, y, np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))], axis=-1)


def bake(light: Light, exponent: float, size: int = SIZE) -> LitSphere:
    """Light a sphere.

    A directional light is evaluated exactly; coefficients alone give their own shading and the highlights of their
    positive part; an environment is summed over its directions, and its diffuse light of order 2 is the coefficients',
    which may know the panorama better than 64×32 texels do.

    Args:
        light: the light; of one that moves, take `light.at(frame)`.
        exponent: Blinn-Phong exponent of the subject.
        size: rows and columns.
    """
    surface = normals(size)
    if light.directional:
        exact = LitSphere(np.empty(0), np.empty(0), exponent, light.directional)
        exact.diffuse = exact.shade(surface).astype(np.float32)
        exact.specular = exact.shine(surface).astype(np.float32)
        return exact
    radiance = light.radiance()
    cosine, lobe = _kernels(float(exponent), size)
    power = (radiance * envmap.solid_angles(HEIGHT, WIDTH)[..., None]).reshape(-1, 3).astype(np.float32)
    specular = (lobe @ power).reshape(size, size, 3)
    if light.environment is None:
        return LitSphere(np.maximum(sh.shade(light.sh, surface), 0.0).astype(np.float32), specular, exponent)
    correction = sh.shade(light.sh - sh.project(radiance), surface)
    diffuse = np.maximum((cosine @ power).reshape(size, size, 3) + correction, 0.0)
    return LitSphere(diffuse.astype(np.float32), specular, exponent)


@lru_cache(maxsize=1)
def _kernels(exponent: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """What each texel of a lit sphere takes from each of an environment: diffuse, specular; [S·S, 2048] float32."""
    surface = normals(size).reshape(-1, 3).astype(np.float32)
    directions = envmap.directions(HEIGHT, WIDTH).reshape(-1, 3)
    cosine = np.maximum(surface @ directions.T.astype(np.float32), 0.0) * np.float32(1.0 / np.pi)
    lobe = np.empty_like(cosine)
    for start in range(0, len(surface), phong.CHUNK):
        chunk = slice(start, start + phong.CHUNK)
        lobe[chunk] = phong.response(surface[chunk], exponent, directions)
    return cosine, lobe


def sample(sphere: Any, surface: Any) -> Any:
    """Read a map at normals, bilinearly; differentiable in both for torch.

    Args:
        sphere: [S, S, 3] map, numpy or torch.
        surface: [..., 3] unit normals in the camera frame, of the same type; those that look away count as on the rim.

    Returns:
        [..., 3].
    """
    if isinstance(surface, np.ndarray):
        x, y = _positions(surface, np.hypot, np.where, np.maximum, sphere.shape[0])
        x, y = np.clip(x, 0.0, sphere.shape[1] - 1.0), np.clip(y, 0.0, sphere.shape[0] - 1.0)
        left = np.minimum(x.astype(int), sphere.shape[1] - 2)
        top = np.minimum(y.astype(int), sphere.shape[0] - 2)
    else:
        import torch

        x, y = _positions(surface, _hypot, torch.where, lambda a, b: a.clamp(min=b), sphere.shape[0])
        x, y = x.clamp(0.0, sphere.shape[1] - 1.0), y.clamp(0.0, sphere.shape[0] - 1.0)
        left = x.detach().long().clamp(max=sphere.shape[1] - 2)
        top = y.detach().long().clamp(max=sphere.shape[0] - 2)
    right, down = (x - left)[..., None], (y - top)[..., None]
    upper = sphere[top, left] * (1.0 - right) + sphere[top, left + 1] * right
    lower = sphere[top + 1, left] * (1.0 - right) + sphere[top + 1, left + 1] * right
    return upper * (1.0 - down) + lower * down


def _hypot(a: Any, b: Any) -> Any:
    return (a * a + b * b + 1e-12).sqrt()  # differentiable at 0


def _positions(surface: Any, hypot: Any, where: Any, at_least: Any, size: int) -> tuple[Any, Any]:
    """Column and row of normals on a map, texel centres at whole numbers."""
    x, y, z = surface[..., 0], surface[..., 1], surface[..., 2]
    radius = hypot(x, y)
    divisor = where(z < 0.0, at_least(radius, 1e-6), at_least(radius, 1.0))
    return (x / divisor + 1.0) * (size / 2.0) - 0.5, (1.0 - y / divisor) * (size / 2.0) - 0.5


def preview(light: Light, size: int = 256, exponent: float = PREVIEW_EXPONENT) -> np.ndarray:
    """Picture of a matt, slightly shiny ball under the light, at its true brightness.

    Args:
        light: the light.
        size: rows and columns.
        exponent: of its highlights.

    Returns:
        [size, size, 3] uint8, sRGB.
    """
    baked = bake(light, exponent)
    axis = ((np.arange(size) + 0.5) / size * 2.0 - 1.0) * 1.06
    x, y = np.meshgrid(axis, -axis)
    surface = np.stack([x, y, np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))], axis=-1)
    surface /= np.linalg.norm(surface, axis=-1, keepdims=True)
    ball = PREVIEW_ALBEDO * baked.shade(surface) + PREVIEW_SPECULAR * baked.shine(surface)
    cover = np.clip((1.0 - np.hypot(x, y)) * size / 2.12 + 0.5, 0.0, 1.0)[..., None]
    linear = np.clip(ball * cover + BACKDROP * (1.0 - cover), 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255.0).astype(np.uint8)
