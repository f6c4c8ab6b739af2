import numpy as np
import pytest

from relitalk_engine.lighting import hair, lit_sphere
from relitalk_engine.lighting.light import Light
from relitalk_engine.lighting.rigs import directional

INSIDE = (lit_sphere.normals(96)[..., :2] ** 2).sum(-1) < 0.99


def test_light_from_everywhere_is_one_on_hair():
    lit = hair.bake(Light.from_environment(np.ones((32, 64, 3), np.float32)), 96)
    for sphere in (lit.matt, lit.gloss):
        assert sphere.shape == (96, 96, 3) and sphere.dtype == np.float32
        assert sphere[INSIDE].mean() == pytest.approx(1.0, abs=0.1)


def test_a_light_behind_comes_through_at_its_side_of_the_outline_alone():
    normal = lit_sphere.normals(96)
    through = hair.bake(directional(160, 0, 1.0), 96).through[..., 0]
    towards, away = normal[..., 0] > 0.95, normal[..., 0] < -0.95
    assert through[towards].mean() > 4 * through[away].mean()
    assert through[towards].mean() > 30 * through[normal[..., 2] > 0.9].mean()


def test_a_lamp_and_the_same_lamp_in_an_environment_agree():
    lamp = directional(40, 30, 1.0)
    small = Light.from_environment(lamp.environment)
    for exact, summed in zip(hair.bake(lamp, 64).spheres, hair.bake(small, 64).spheres, strict=True):
        assert np.abs(exact - summed).mean() < 0.03 * exact.mean()


def test_paint_is_found_again_by_light_and_by_what_comes_through():
    rng = np.random.default_rng(0)
    paint, matt, through = rng.uniform(0.002, 0.6, 500), rng.uniform(0.05, 2, 500), rng.uniform(0, 3, 500)
    through[:250] = 0
    assert hair.paint(paint * matt + np.sqrt(paint) * through, matt, through) == pytest.approx(paint, rel=1e-4)
