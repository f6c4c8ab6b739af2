"""Light on hair, seen from the camera (view = +z): three lobes of a coat of strands, each a lit sphere of its own.

A strand takes part of the light off its cuticle, white; lets part through, tinted once; and the rest goes to and fro
between strands until it is paint. Radiance = paint · matt + √paint · through + weight · gloss.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from . import envmap, lit_sphere
from .light import HEIGHT, WIDTH, Light

SIZE = 48
"""Rows of the spheres under an environment: strands blur more than that."""
GLOSS = 0.018
"""Usual weight of the white lobe: what hair reflects off its cuticles under light from everywhere."""
EDGE, DEPTH, FLAT = 0.2, 0.2, 0.3
"""Of the coat's shape: how softly its outline turns from the light, how deep it is, how flatly it takes light that it
faces."""


@dataclass(frozen=True)
class LitHair:
    """A light as seen on a ball of hair, [S, S, 3] float32 each, laid out as `lit_sphere` says."""

    matt: np.ndarray
    """Times the paint; about 1 under radiance 1 from everywhere."""
    through: np.ndarray
    """Times the root of the paint: bright where the light is behind, at the outline on its side."""
    gloss: np.ndarray
    """Times the weight of highlights; about 1 under radiance 1 from everywhere."""

    @property
    def spheres(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All three, in this order."""
        return self.matt, self.through, self.gloss


def response(normals: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The three lobes towards the camera per irradiance / π from each direction.

    A coat of strands is a thick, loose medium: what scatters once in it follows Lommel and Seeliger times how a strand
    scatters by the angle between light and view.

    Args:
        normals: [N, 3] unit vectors, camera frame.
        directions: [D, 3] unit vectors towards the light.

    Returns:
        [3, N, D]: matt, through, gloss.

    Source: the form is Seeliger's law; the numbers are the least squares over Cycles' principled hair on balls of
    eight styles, lying and standing, short and long, from blond to black (`benchmarks/hair.py`).
    """
    towards, facing = normals @ directions.T, np.maximum(normals[:, 2:], 0)
    loose = EDGE * (1 - facing * facing)
    lit = 0.5 * (towards + np.sqrt(towards * towards + loose * loose))
    coat = lit / (lit + facing + DEPTH) * (1 - FLAT * lit)
    forward = -directions[:, 2]
    through = 6.4 * np.exp(4.3 * (forward - 1)) + 14.1 * np.exp(25 * (forward - 1))
    gloss = np.exp(0.42 + 1.10 * forward + 0.85 * forward * forward)
    return np.stack([coat / 0.61, coat * through, coat * gloss]).astype(normals.dtype)


def bake(light: Light, size: int = lit_sphere.SIZE) -> LitHair:
    """Light a ball of hair.

    Args:
        light: the light; of one that moves, take `light.at(frame)`.
        size: rows and columns.
    """
    surface = lit_sphere.normals(size).astype(np.float32)
    if light.directional:
        direction, irradiance = (np.asarray(part, np.float32) for part in light.directional)
        lobes = response(surface.reshape(-1, 3), direction[None]) * (irradiance / np.float32(np.pi))
        return LitHair(*lobes.reshape(3, size, size, 3))
    power = (light.radiance() * envmap.solid_angles(HEIGHT, WIDTH)[..., None]).reshape(-1, 3).astype(np.float32)
    lobes = (_kernels() @ power).reshape(3, SIZE, SIZE, 3)
    return LitHair(*(lit_sphere.sample(lobe, surface).astype(np.float32) for lobe in lobes))


@lru_cache(maxsize=1)
def _kernels() -> np.ndarray:
    """What each texel of the three spheres takes from each of an environment, [3, S·S, D] float32."""
    directions = envmap.directions(HEIGHT, WIDTH).reshape(-1, 3).astype(np.float32)
    return response(lit_sphere.normals(SIZE).reshape(-1, 3).astype(np.float32), directions) / np.float32(np.pi)


def paint(image: Any, matt: Any, through: Any) -> Any:
    """The paint whose light is an image's: image = paint · matt + √paint · through.

    Args:
        image: radiance without highlights, zero or more (numpy or torch).
        matt: light on the paint, more than zero.
        through: light on its root, zero or more; where it is zero, the paint is image / matt.
    """
    root = 2 * image / (through + (through * through + 4 * matt * image + 1e-12) ** 0.5)
    return root * root
