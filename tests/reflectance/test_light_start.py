import numpy as np
import pytest

from relitalk_engine.lighting import envmap
from relitalk_engine.reflectance.light_start import START_SIZE, SkinSamples, fit_environment


def lit_face(environment, count=4000, seed=0):
    """Normals of the front half of a sphere and their shading under an environment."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(count, 3))
    normal[:, 2] = np.abs(normal[:, 2]) + 0.2
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return normal, shading(environment, normal)


def shading(environment, normal):
    size = environment.shape[:2]
    kernel = np.maximum(normal @ envmap.directions(*size).reshape(-1, 3).T, 0)
    return kernel * envmap.solid_angles(*size).reshape(-1) / np.pi @ environment.reshape(-1, 3)


def window_light(size=(32, 64)):
    """A dim room with a warm lamp at the left and a blue window at the upper right."""
    toward = envmap.directions(*size)
    lamp = np.maximum(toward @ [-0.7, 0.1, 0.7], 0)[..., None] ** 20 * [3.0, 2.2, 1.5]
    window = np.maximum(toward @ [0.6, 0.6, 0.5], 0)[..., None] ** 6 * [0.6, 0.8, 1.2]
    return 0.15 + lamp + window


@pytest.mark.parametrize("outliers", [0.0, 0.15])
def test_shading_is_found_even_where_some_skin_is_not_skin(outliers):
    normal, seen = lit_face(window_light())
    albedo = np.array([0.5, 0.3, 0.2])
    rng = np.random.default_rng(1)
    stray = rng.random(len(normal)) < outliers
    colour = seen * albedo * np.where(stray, rng.choice([0.25, 2.5], len(normal)), 1)[:, None]
    found = fit_environment(SkinSamples(normal, colour, np.ones(len(normal))))
    assert found.shape == (*START_SIZE, 3)
    assert (found >= 0).all()
    error = np.log(shading(found, normal) / (seen * albedo))
    assert np.median(np.abs(error)) < 0.05


def test_twice_the_light_is_twice_the_environment():
    normal, seen = lit_face(window_light(), 1500)
    one, two = (fit_environment(SkinSamples(normal, k * seen, np.ones(len(normal)))) for k in (1.0, 2.0))
    assert shading(two, normal) == pytest.approx(2 * shading(one, normal), rel=0.01)


def test_too_little_skin_is_refused():
    with pytest.raises(ValueError, match="few"):
        fit_environment(SkinSamples(np.tile([0.0, 0, 1], (10, 1)), np.ones((10, 3)), np.ones(10)))
