import numpy as np
import pytest

from relitalk_engine.lighting import lit_sphere
from relitalk_engine.lighting.light import Light
from relitalk_engine.lighting.portrait import departure
from relitalk_engine.lighting.rigs import directional
from relitalk_engine.media.images import encode_uint8, srgb_to_linear
from relitalk_engine.reflectance.passes import FramePasses
from relitalk_engine.reflectance.relight import bake, compose, decompose, light_up, look_up, relight
from relitalk_engine.reflectance.shadow import self_shadow

SIZE = 96
EXPONENT = 24.0


def room(seed: int) -> Light:
    """A room with a few lamps."""
    rng = np.random.default_rng(seed)
    environment = rng.uniform(0.1, 0.3, (32, 64, 3))
    for _ in range(3):
        row, column = rng.integers(4, 24), rng.integers(0, 60)
        environment[row : row + 4, column : column + 4] += rng.uniform(4, 20, 3)
    return Light.from_environment(environment.astype(np.float32))


@pytest.fixture
def ball():
    """A noisy picture of a ball, its passes, and a shadow that depends on the light."""
    rng = np.random.default_rng(0)
    normal = lit_sphere.normals(SIZE).astype(np.float32)
    picture = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    weight = rng.uniform(0, 0.1, (SIZE, SIZE)).astype(np.float32)
    gain = rng.uniform(-0.5, 0.5, (24, 24, 3)).astype(np.float32)
    hair = np.zeros((24, 24), np.float32)
    hair[:8] = 1
    free = rng.uniform(0.0, 0.3, (SIZE, SIZE, 9)).astype(np.float32)
    free[..., 0] = 0.8

    def shadow(light):
        return self_shadow(0.7 * free, free, light)

    return picture, FramePasses(normal, weight, np.ones((SIZE, SIZE), np.float32), gain, hair), shadow


def test_the_source_light_gives_the_clip_back_to_the_bit(ball):
    picture, passes, shadow = ball
    source = bake(room(1), EXPONENT)
    relit = relight(compose(srgb_to_linear(picture), passes, shadow), source, source)
    assert np.array_equal(encode_uint8(relit.beauty), picture)


def test_an_equal_light_that_was_saved_and_loaded_gives_the_clip_back(ball, tmp_path):
    picture, passes, shadow = ball
    room(1).save(tmp_path / "light.json")
    relit = relight(
        compose(srgb_to_linear(picture), passes, shadow),
        bake(room(1), EXPONENT),
        bake(Light.load(tmp_path / "light.json"), EXPONENT),
    )
    assert np.array_equal(encode_uint8(relit.beauty), picture)


def test_passes_add_up_in_half_float_and_light_is_never_negative(ball):
    picture, passes, shadow = ball
    frame = compose(srgb_to_linear(picture), passes, shadow)
    relit = relight(frame, bake(room(1), EXPONENT), bake(room(2), EXPONENT))
    half = [np.float16(p).astype(np.float32) for p in (relit.albedo, relit.shading, relit.specular, relit.residual)]
    total = half[0] * half[1] + half[2] + half[3]
    assert np.abs(total - relit.beauty).max() < 4e-3 * max(1.0, relit.beauty.max())
    assert relit.beauty.min() >= 0
    for values in vars(relit).values():
        assert values.dtype == np.float32 and values.shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("light", [room(2), directional(30, 20, 1.0)])
def test_twice_the_light_is_twice_the_picture(ball, light):
    picture, passes, shadow = ball
    source = bake(room(1), EXPONENT)
    frame = compose(srgb_to_linear(picture), passes, shadow)
    one = relight(frame, source, bake(light, EXPONENT)).beauty
    two = relight(frame, source, bake(light.scaled(2.0), EXPONENT)).beauty
    assert two == pytest.approx(2 * one, rel=1e-3, abs=1e-5)


def test_turning_the_light_by_a_degree_changes_little_everywhere(ball):
    picture, passes, shadow = ball
    source = bake(room(1), EXPONENT)
    frame = compose(srgb_to_linear(picture), passes, shadow)
    shots = [relight(frame, source, bake(directional(az, 10, 1.0), EXPONENT)).beauty for az in (20, 21, 22, 23)]
    steps = [np.abs(b - a) for a, b in zip(shots, shots[1:], strict=False)]
    assert max(step.max() for step in steps) < 0.05
    # and leaving the source's own light, too, begins gently
    near = relight(frame, source, bake(room(1).rotated(1.0), EXPONENT)).beauty
    assert np.abs(near - srgb_to_linear(picture)).mean() < 0.02


def test_departure_is_none_for_the_same_light_at_any_strength():
    source = bake(room(1), EXPONENT)
    strength, weight = departure(source, bake(room(1).scaled(3.0), EXPONENT))
    assert strength == pytest.approx(3.0, rel=1e-5)
    assert weight == pytest.approx(1.0, abs=1e-5)
    assert departure(source, bake(directional(120, 0, 1.0), EXPONENT))[1] < 0.2


def test_looking_up_is_what_the_lit_sphere_says():
    sphere = lit_sphere.bake(room(3), EXPONENT).diffuse
    normal = lit_sphere.normals(61).astype(np.float32)
    assert look_up(sphere, normal) == pytest.approx(lit_sphere.sample(sphere, normal), rel=0.01, abs=2e-3)


def test_albedo_of_a_matt_ball_is_found_again():
    normal = lit_sphere.normals(SIZE).astype(np.float32)
    light = bake(room(1), EXPONENT)
    paint = np.float32([0.5, 0.3, 0.2])
    picture = paint * look_up(light.sphere.diffuse, normal)
    flat = np.zeros((SIZE, SIZE), np.float32)
    passes = FramePasses(normal, flat, flat + 1, np.zeros((8, 8, 3), np.float32), flat[:8, :8])
    frame = compose(np.zeros((SIZE, SIZE, 3), np.uint8), passes)
    frame.image = picture
    found = decompose(frame, light).albedo
    assert np.median(found.reshape(-1, 3), 0) == pytest.approx(paint, rel=0.02)


def test_shadow_of_nothing_is_none_and_does_not_know_the_lights_strength():
    rng = np.random.default_rng(0)
    free = rng.uniform(-0.2, 0.3, (50, 9)).astype(np.float32)
    free[:, 0] = 0.8
    light = room(1).sh.astype(np.float32)
    assert self_shadow(free, free, light) == pytest.approx(1.0)
    part = free * rng.uniform(0.2, 1, (50, 1)).astype(np.float32)
    assert self_shadow(part, free, 5 * light) == pytest.approx(self_shadow(part, free, light), abs=1e-4)
    assert (self_shadow(part, free, light) <= 1).all()


def test_hair_glows_at_its_rim_when_the_light_is_behind_and_skin_does_not():
    behind = bake(directional(180, 10, 1.0), EXPONENT)
    facing = lit_sphere.normals(behind.hair.through.shape[0])
    rim, low = facing[..., 2] < 0.3, facing[..., 1] < 0
    assert behind.hair.through[rim & ~low].mean() > 0.5 > 0.1 > behind.hair.through[facing[..., 2] > 0.8].mean()
    assert behind.sphere.diffuse[rim & low].mean() < 0.02


def test_hair_keeps_its_paint_and_its_light_comes_through_at_the_side_of_the_lamp(ball):
    picture, passes, shadow = ball
    frame = compose(srgb_to_linear(picture), passes, shadow)
    source = bake(room(1), EXPONENT)
    found = decompose(frame, source)
    shade, through, shine = light_up(frame, source)
    whole = found.albedo * shade + np.sqrt(found.albedo) * through + shine + found.residual
    assert whole == pytest.approx(frame.image, abs=1e-5)
    side = relight(frame, source, bake(directional(150, 0, 1.0), EXPONENT), found)
    hairy = frame.hair[..., 0] > 0.99
    right = hairy & (passes.normal[..., 0] > 0.8)
    left = hairy & (passes.normal[..., 0] < -0.8)
    assert side.specular[right].mean() > 3 * side.specular[left].mean()
