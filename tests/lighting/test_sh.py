"""Spherical harmonics: known values, exact projection, rotation, torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from relitalk_engine.lighting import envmap, sh


def some_normals(count=200, seed=0):
    n = np.random.default_rng(seed).normal(size=(count, 3))
    return n / np.linalg.norm(n, axis=1, keepdims=True)


def test_the_constants_and_their_order_are_the_designs():
    x, y, z = 0.36, 0.48, 0.8
    expected = [
        0.2821, 0.4886 * y, 0.4886 * z, 0.4886 * x, 1.0925 * x * y, 1.0925 * y * z, 0.3154 * (3 * z * z - 1),
        1.0925 * x * z, 0.5463 * (x * x - y * y),
    ]
    assert np.allclose(sh.basis(np.array([x, y, z])), expected, atol=1e-4)


def test_the_basis_is_orthonormal():
    values, weights = sh.basis(envmap.directions(128, 256)), envmap.solid_angles(128, 256)
    assert np.allclose(np.einsum("hwi,hwj,hw->ij", values, values, weights), np.eye(9), atol=2e-4)


def test_radiance_one_shades_every_wall_to_one():
    coefficients = sh.project(np.ones((32, 64, 3)))
    assert np.allclose(sh.shade(coefficients, some_normals()), 1.0, atol=1e-12)


def test_projection_gives_back_the_coefficients():
    wanted = np.random.default_rng(1).normal(size=(9, 3))
    assert np.allclose(sh.project(sh.basis(envmap.directions(256, 512)) @ wanted), wanted, atol=5e-4)


def test_projection_puts_light_where_it_comes_from():
    for direction in some_normals(20):
        environment = np.zeros((64, 128, 3))
        row, column = (round(float(part)) for part in envmap.texel(direction, 64, 128))
        environment[row, column % 128] = 1.0
        centre = envmap.directions(64, 128)[row, column % 128]
        area = envmap.solid_angles(64, 128)[row, column % 128]
        assert np.allclose(sh.project(environment)[:, 0], sh.basis(centre) * area, atol=2e-3 * area)


def test_shading_of_a_distant_light_is_the_clamped_cosine_of_order_two():
    coefficients = sh.basis(np.array([0.0, 0.0, 1.0]))[:, None] * np.full(3, np.pi)
    facing, side, away = sh.shade(coefficients, np.array([[0, 0, 1.0], [1.0, 0, 0], [0, 0, -1.0]]))[:, 0]
    # the series 1/4 + cos/2 + 5/32 (3 cos² − 1)
    assert (facing, side, away) == pytest.approx((0.25 + 0.5 + 0.3125, 0.25 - 5 / 32, 0.25 - 0.5 + 0.3125))


def test_rotation_moves_radiance_along():
    rng = np.random.default_rng(2)
    coefficients, turns = rng.normal(size=(9, 3)), Rotation.random(5, random_state=3).as_matrix()
    for turn, turned in zip(turns, sh.rotate(coefficients, turns), strict=True):
        n = some_normals()
        assert np.allclose(sh.basis(n @ turn.T) @ turned, sh.basis(n) @ coefficients)
        assert np.allclose(turned, sh.rotate(coefficients, turn))


def test_torch_gives_the_same_and_gradients():
    n = torch.tensor(some_normals(), requires_grad=True)
    coefficients = torch.randn(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = sh.shade(coefficients, n)
    assert np.allclose(out.detach().numpy(), sh.shade(coefficients.numpy(), n.detach().numpy()))
    assert torch.autograd.gradcheck(sh.shade, (coefficients[:, :1].clone().requires_grad_(), n[:3].detach()))
