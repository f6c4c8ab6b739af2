"""Lit spheres and highlights: against sums by brute force, exact directions, exposure, the picture of a ball."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relitalk_engine.lighting import envmap, lit_sphere, phong, rigs, sh
from relitalk_engine.lighting.light import Light


def some_normals(count=300, seed=0, lowest=0.15):
    rng = np.random.default_rng(seed)
    z = rng.uniform(lowest, 1.0, count)
    turn, level = rng.uniform(0, 2 * np.pi, count), np.sqrt(1 - z * z)
    return np.stack([level * np.cos(turn), level * np.sin(turn), z], -1)


def some_light(seed=0):
    return Light.from_environment(np.random.default_rng(seed).random((32, 64, 3)) ** 6 * 10)


def test_the_maps_are_laid_out_as_said():
    n = lit_sphere.normals(128)
    assert n[0, 64, 1] > 0.99 and n[64, 0, 0] < -0.99 and n[64, 64, 2] > 0.999
    assert np.allclose(np.linalg.norm(n, axis=-1), 1)


def test_a_lit_sphere_is_the_sum_over_all_directions():
    light, n = some_light(), some_normals()
    baked = lit_sphere.bake(light, 30.0)
    directions, weights = envmap.directions(32, 64), envmap.solid_angles(32, 64)
    half = directions + (0, 0, 1)
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    glancing = 1 + (1 / 0.028 - 1) * (1 - half[..., 2]) ** 5
    diffuse, specular = [], []
    for normal in n:
        cosine = np.maximum(directions @ normal, 0)
        lobe = (30 + 8) / (8 * np.pi) * np.maximum(half @ normal, 0) ** 30 * cosine * glancing
        diffuse.append(np.einsum("hwc,hw->c", light.environment, cosine * weights) / np.pi)
        specular.append(np.einsum("hwc,hw->c", light.environment, lobe * weights))
    assert np.abs(baked.shade(n) - diffuse).max() < 0.01 * np.max(diffuse)
    assert np.abs(baked.shine(n) - specular).max() < 0.03 * np.max(specular)


def test_radiance_one_shades_to_one_whatever_the_number_of_directions():
    n = some_normals()
    for size in ((16, 32), (32, 64), (64, 128)):
        shine = phong.specular(n[:20], 30.0, np.ones((*size, 3)))
        assert np.allclose(shine, phong.specular(n[:20], 30.0, np.ones((128, 256, 3))), rtol=0.1)
    baked = lit_sphere.bake(Light.from_environment(np.ones((32, 64, 3))), 30.0)
    assert np.allclose(baked.shade(n), 1.0, atol=2e-3)
    assert np.allclose(baked.shine(np.array([[0.0, 0.0, 1.0]])), 1.0, atol=0.06)


def test_a_light_from_behind_glances_off_the_outline():
    beside, behind = np.array([[1.0, 0.0, 0.0]]), np.array([[0.5, 0.0, -np.sqrt(0.75)]])
    assert phong.fresnel(np.array([[0.0, 0.0, 1.0]]))[0] == pytest.approx(1)
    assert 1 < phong.fresnel(beside)[0] < 1.2 and 7 < phong.fresnel(behind)[0] < 10
    assert phong.response(np.array([[0.98, 0.0, 0.199]]), 20.0, behind)[0, 0] > 1


def test_a_highlight_keeps_its_energy_when_it_sharpens():
    facing = np.array([[0.0, 0.0, 1.0]])
    shine = [phong.specular(facing, p, np.ones((64, 128, 3)))[0, 0] for p in (20, 80, 300)]
    assert np.allclose(shine, 1.0, atol=0.07)


def test_nothing_shines_through_from_behind():
    behind = rigs.directional(180.0, 0.0)
    for light in (behind, rigs.directional(150.0, 10.0)):
        baked = lit_sphere.bake(light, 5.0)
        assert baked.shine(np.array([[0.0, 0.0, 1.0]])).max() == 0
        assert baked.shade(np.array([[0.0, 0.0, 1.0]])).max() == 0


@pytest.mark.parametrize("angles", [(0, 0), (60, 20), (-35, -50), (10, 90)])
def test_a_directional_light_shades_a_facing_wall_to_its_intensity_exactly(angles):
    light = rigs.directional(*angles, 1.0)
    baked = lit_sphere.bake(light, 30.0)
    direction, n = light.directional[0], some_normals()
    assert np.allclose(baked.shade(direction[None]), 1.0, atol=1e-12)
    assert np.allclose(baked.shade(n), np.maximum(n @ direction, 0)[:, None], atol=1e-12)
    assert np.abs(lit_sphere.sample(baked.diffuse.astype(float), n) - baked.shade(n)).max() < 0.02


def test_a_directional_light_and_its_environment_agree():
    light, n = rigs.directional(40, 25, 2.0), some_normals()
    spread = lit_sphere.bake(Light(light.sh, light.environment, {"kind": "panorama"}), 10.0)
    exact = lit_sphere.bake(light, 10.0)
    assert np.sqrt(((spread.shade(n) - exact.shade(n)) ** 2).mean()) < 0.03
    assert np.sqrt(((spread.shine(n) - exact.shine(n)) ** 2).mean()) < 0.06


def test_coefficients_alone_shade_as_harmonics_do():
    light = Light.from_sh(sh.project(some_light().environment))
    baked, n = lit_sphere.bake(light, 30.0), some_normals()
    assert np.abs(baked.shade(n) - np.maximum(sh.shade(light.sh, n), 0)).max() < 0.02
    assert baked.specular.min() >= 0


def test_the_small_environment_shades_as_the_whole_panorama(worlds):
    panorama = envmap.read_panorama(worlds["interior"])
    light = Light.from_panorama(panorama)
    n = some_normals(60)
    directions = envmap.directions(*panorama.shape[:2]).reshape(-1, 3)
    weighted = (panorama * envmap.solid_angles(*panorama.shape[:2])[..., None]).reshape(-1, 3)
    truth = np.stack([np.maximum(directions @ normal, 0) @ weighted / np.pi for normal in n])
    error = lit_sphere.bake(light, 30.0).shade(n) - truth
    assert np.sqrt((error**2).mean() / (truth**2).mean()) < 0.01


def test_torch_samples_the_same_with_gradients():
    baked = lit_sphere.bake(some_light(), 30.0)
    n = np.concatenate([some_normals(), [[0.6, 0.0, -0.8], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]])
    grid = torch.tensor(baked.diffuse, dtype=torch.float64, requires_grad=True)
    normals = torch.tensor(n, requires_grad=True)
    out = lit_sphere.sample(grid, normals)
    assert np.allclose(out.detach().numpy(), lit_sphere.sample(baked.diffuse.astype(float), n), atol=1e-6)
    out.sum().backward()
    assert torch.isfinite(normals.grad).all() and normals.grad.abs().max() > 0
    assert float(grid.grad.sum()) == pytest.approx(3 * len(n))


def test_twice_the_strength_is_twice_the_light():
    for light in (some_light(), rigs.directional(30, 30), Light.from_sh(some_light().sh)):
        once, twice = lit_sphere.bake(light, 20.0), lit_sphere.bake(light.scaled(2.0), 20.0)
        assert np.allclose(twice.diffuse, 2 * once.diffuse, rtol=1e-5, atol=1e-6)
        assert np.allclose(twice.specular, 2 * once.specular, rtol=1e-5, atol=1e-6)


def test_the_picture_is_brighter_where_the_light_stands():
    right = lit_sphere.preview(rigs.directional(60, 0), 64).astype(int)
    assert right.shape == (64, 64, 3)
    assert right[32, 50].mean() > right[32, 14].mean() + 100
    above = lit_sphere.preview(rigs.directional(0, 60), 64).astype(int)
    assert above[14, 32].mean() > above[50, 32].mean() + 100
