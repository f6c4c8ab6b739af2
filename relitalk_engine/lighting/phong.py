"""Blinn-Phong highlights under an environment or one directional light, seen from the camera (view = +z)."""

from __future__ import annotations

import numpy as np

from . import envmap

VIEW = np.array([0.0, 0.0, 1.0])
CHUNK = 4096
FACING = 0.028
"""Reflectance of skin that faces the light (refractive index 1.4), to which the weight of highlights refers."""


def normalisation(exponent: float) -> float:
    """Factor that keeps the energy of a highlight while its exponent changes.

    Source: Akenine-Möller et al., "Real-Time Rendering" (Blinn-Phong with the cosine of the incoming light).
    """
    return (exponent + 8.0) / (8.0 * np.pi)


def halfway(directions: np.ndarray) -> np.ndarray:
    """[D, 3] unit vectors between the view and directions [D, 3] towards the light; 0 for a light right behind."""
    half = directions + VIEW
    length = np.linalg.norm(half, axis=-1, keepdims=True)
    return np.where(length > 1e-6, half / np.maximum(length, 1e-6), 0.0)


def fresnel(directions: np.ndarray) -> np.ndarray:
    """How much more light from there is mirrored than by a facing surface: light from behind glances off the outline.

    Args:
        directions: [D, 3] unit vectors towards the light, camera frame.

    Returns:
        [D], 1 from the camera, rising to 1 / FACING from behind.

    Source: Schlick 1994.
    """
    return 1.0 + (1.0 / FACING - 1.0) * (1.0 - np.clip(halfway(directions) @ VIEW, 0.0, 1.0)) ** 5


def response(normals: np.ndarray, exponent: float, directions: np.ndarray) -> np.ndarray:
    """Light towards the camera per unit irradiance from each direction: F · (p + 8) / 8π · max(0, h·n)^p · max(0, l·n).

    F is `fresnel`. The last factor is what the normalisation takes for granted; it also keeps a light behind the
    surface from shining through it.

    Args:
        normals: [N, 3] unit vectors, camera frame.
        exponent: p, the sharpness.
        directions: [D, 3] unit vectors towards the light, camera frame.

    Returns:
        [N, D].

    Source: Blinn 1977; Qiu et al. 2023, eq. 15.
    """
    half = halfway(directions).astype(normals.dtype)
    lobe = np.maximum(normals @ half.T, 0.0) ** normals.dtype.type(exponent)
    lobe *= np.maximum(normals @ directions.T.astype(normals.dtype), 0.0)
    return lobe * (normalisation(exponent) * fresnel(directions)).astype(normals.dtype)


def specular(normals: np.ndarray, exponent: float, environment: np.ndarray) -> np.ndarray:
    """Highlights under an environment: eq. 15, each direction weighted with its solid angle.

    Args:
        normals: [..., 3] unit vectors, camera frame.
        exponent: p, the sharpness.
        environment: [H, W, 3] radiance.

    Returns:
        [..., 3], about 1 on a facing wall under radiance 1 from everywhere.
    """
    height, width = environment.shape[:2]
    directions = envmap.directions(height, width).reshape(-1, 3)
    power = (environment * envmap.solid_angles(height, width)[..., None]).reshape(-1, 3)
    flat = np.asarray(normals, float).reshape(-1, 3)
    parts = [response(flat[i : i + CHUNK], exponent, directions) @ power for i in range(0, len(flat), CHUNK)]
    return np.concatenate(parts).reshape(np.shape(normals)) if parts else np.zeros(np.shape(normals))


def specular_directional(
    normals: np.ndarray, exponent: float, direction: np.ndarray, irradiance: np.ndarray
) -> np.ndarray:
    """Highlights of one directional light.

    Args:
        normals: [..., 3] unit vectors, camera frame.
        exponent: p, the sharpness.
        direction: [3] unit vector towards the light.
        irradiance: [3] RGB on a wall that faces it.

    Returns:
        [..., 3].
    """
    flat = np.asarray(normals, float).reshape(-1, 3)
    return (response(flat, exponent, np.asarray(direction, float)[None]) * irradiance).reshape(np.shape(normals))
