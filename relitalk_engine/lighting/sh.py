"""Real, orthonormal spherical harmonics of order 2, in the order 1, y, z, x, xy, yz, 3z²−1, xz, x²−y².

Directions are unit vectors in the camera frame. Coefficients of radiance are [9, 3] (RGB).
"""

from __future__ import annotations

from typing import Any

import numpy as np

C0 = 0.5 / np.sqrt(np.pi)
C1 = np.sqrt(3.0 / (4.0 * np.pi))
C2 = np.sqrt(15.0 / (4.0 * np.pi))
C20 = np.sqrt(5.0 / (16.0 * np.pi))
C22 = np.sqrt(15.0 / (16.0 * np.pi))
COSINE_BANDS = np.repeat([np.pi, 2.0 * np.pi / 3.0, np.pi / 4.0], [1, 3, 5])


def basis(directions: Any) -> Any:
    """The nine basis functions.

    Args:
        directions: [..., 3] unit vectors, numpy or torch.

    Returns:
        [..., 9] of the same type.
    """
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    values = [
        C0 * (x * 0.0 + 1.0), C1 * y, C1 * z, C1 * x,
        C2 * x * y, C2 * y * z, C20 * (3.0 * z * z - 1.0), C2 * x * z, C22 * (x * x - y * y),
    ]
    if isinstance(directions, np.ndarray):
        return np.stack(values, axis=-1)
    import torch

    return torch.stack(values, dim=-1)


def project(environment: np.ndarray) -> np.ndarray:
    """Radiance coefficients of an environment, each texel integrated exactly.

    Args:
        environment: [H, W, 3] radiance in Blender's equirectangular layout (see `envmap`).

    Returns:
        [9, 3] float64.
    """
    height, width = environment.shape[:2]
    column = _integrals(np.pi * (1.0 - 2.0 * np.arange(width + 1) / width), _AZIMUTH)
    row = _integrals(np.pi * (0.5 - np.arange(height + 1) / height), _ELEVATION)
    # world axes: X = cos E cos P, Y = cos E sin P, Z = sin E, the texel's measure cos E dE dP
    parts = np.einsum("rwc,kw->rkc", environment, column, optimize=True)

    def moment(elevation: str, azimuth: str) -> np.ndarray:
        return row[list(_ELEVATION).index(elevation)] @ parts[:, list(_AZIMUTH).index(azimuth)]

    one = moment("c", "1")
    x, y, z = moment("cc", "c"), moment("cc", "s"), moment("cs", "1")
    xx, yy = moment("ccc", "cc"), moment("ccc", "ss")
    xy, xz, yz = moment("ccc", "cs"), moment("ccs", "c"), moment("ccs", "s")
    zz = one - xx - yy
    # the camera frame is (X, Z, −Y)
    return np.stack([
        C0 * one, C1 * z, -C1 * y, C1 * x,
        C2 * xz, -C2 * yz, C20 * (3.0 * yy - one), -C2 * xy, C22 * (xx - zz),
    ])


_AZIMUTH = {
    "1": lambda p: p,
    "c": np.sin,
    "s": lambda p: -np.cos(p),
    "cs": lambda p: np.sin(p) ** 2 / 2.0,
    "cc": lambda p: p / 2.0 + np.sin(2.0 * p) / 4.0,
    "ss": lambda p: p / 2.0 - np.sin(2.0 * p) / 4.0,
}
_ELEVATION = {
    "c": np.sin,
    "cc": lambda e: e / 2.0 + np.sin(2.0 * e) / 4.0,
    "cs": lambda e: np.sin(e) ** 2 / 2.0,
    "ccc": lambda e: np.sin(e) - np.sin(e) ** 3 / 3.0,
    "ccs": lambda e: -np.cos(e) ** 3 / 3.0,
}


def _integrals(edges: np.ndarray, primitives: dict[str, Any]) -> np.ndarray:
    """Integral of each product of cosines (c) and sines (s) over each texel; `edges` fall. [K, n]."""
    return np.stack([-np.diff(primitive(edges)) for primitive in primitives.values()])


def irradiance_coefficients(sh: Any) -> Any:
    """Coefficients of the irradiance under a light: bands times π, 2π/3, π/4.

    Args:
        sh: [9, 3] (or [..., 9, 3]) radiance, numpy or torch.

    Source: Ramamoorthi and Hanrahan 2001.
    """
    if isinstance(sh, np.ndarray):
        return sh * COSINE_BANDS[:, None].astype(sh.dtype if sh.dtype.kind == "f" else float)
    return sh * sh.new_tensor(COSINE_BANDS)[:, None]


def shade(sh: Any, normals: Any) -> Any:
    """Shading of white walls, irradiance / π, unclipped: 1 under radiance 1 from everywhere.

    Args:
        sh: [9, 3] radiance, numpy or torch.
        normals: [..., 3] unit vectors in the camera frame, of the same type.

    Returns:
        [..., 3].
    """
    return basis(normals) @ (irradiance_coefficients(sh) / np.pi)


def rotate(sh: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Coefficients of the light turned by a rotation: the radiance along R d becomes what it was along d.

    Args:
        sh: [9, 3].
        rotation: [3, 3], or [..., 3, 3] for many at once.

    Returns:
        [9, 3], or [..., 9, 3].
    """
    sh = np.asarray(sh, float)
    turn = np.asarray(rotation, float)
    linear = np.stack([sh[3], sh[1], sh[2]])  # radiance = constant + linear·d + dᵀ quadratic d
    xy, yz, zz, xz, xx = C2 * sh[4], C2 * sh[5], C20 * sh[6], C2 * sh[7], C22 * sh[8]
    quadratic = np.stack([
        np.stack([xx - zz, xy / 2, xz / 2]),
        np.stack([xy / 2, -xx - zz, yz / 2]),
        np.stack([xz / 2, yz / 2, 2 * zz]),
    ])
    v = np.einsum("...ij,jc->...ic", turn, linear)
    q = np.einsum("...ij,jkc,...lk->...ilc", turn, quadratic, turn)
    constant = np.broadcast_to(sh[0], v[..., 0, :].shape)
    return np.stack([
        constant, v[..., 1, :], v[..., 2, :], v[..., 0, :],
        2 * q[..., 0, 1, :] / C2, 2 * q[..., 1, 2, :] / C2, q[..., 2, 2, :] / (2 * C20), 2 * q[..., 0, 2, :] / C2,
        (q[..., 0, 0, :] - q[..., 1, 1, :]) / (2 * C22),
    ], axis=-2)
