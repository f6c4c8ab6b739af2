"""What a take holds besides its frames lights them anew and moves the head, without the engine."""

import numpy as np
import pytest

from relitalk_engine.cli import main
from relitalk_engine.lighting import hair as strands
from relitalk_engine.lighting import lit_sphere, portrait, sh
from relitalk_engine.lighting.light import Light
from relitalk_engine.media import images
from relitalk_engine.take import Take


@pytest.fixture(scope="module")
def take(subject, tmp_path_factory):
    """One frame of the clip under a side light, with passes."""
    place = tmp_path_factory.mktemp("lit") / "take"
    words = ("relight", subject, "--light", "dir:50,20", "--exr", "--passes", "--frames", "3:4", "-o", place)
    assert main([str(word) for word in words]) == 0
    return Take.open(place)


def layer(take, name):
    channels = images.read_exr(take.pass_path(name, 3) if name != "beauty" else take.beauty_path(3))
    return np.stack([channels[key] for key in "RGB" if key in channels] or list(channels.values()), axis=-1)


def lit(take, light):
    """The beauty from the passes that no light is in."""
    source, sphere = Light.load(take.source_light_path), lit_sphere.bake(light, take.info.specular_exponent)
    normal, hair = layer(take, "normal"), layer(take, "hair")
    normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    shade = lit_sphere.sample(sphere.diffuse, normal)
    matt, through, gloss = (lit_sphere.sample(part, normal) for part in strands.bake(light).spheres)
    shade = shade + hair * (matt - shade)
    shine = lit_sphere.sample(sphere.specular, normal)
    shine = (shine + hair * (gloss - shine)) * layer(take, "specular_weight")
    shine = shine + np.sqrt(layer(take, "albedo")) * hair * through
    transfer = np.concatenate([layer(take, f"transfer_{k}") for k in range(3)], axis=-1)
    always = portrait.SHADOW_FLOOR * 0.282095 * np.abs(light.sh[0]) + 1e-6
    free = np.maximum(sh.shade(light.sh, layer(take, "smooth_normal")), 0) + always
    visible = np.clip((np.maximum(transfer @ light.sh, 0) + always) / free, 0, 1)
    visible = visible + portrait.HAIR_OPEN * hair * (1 - visible)
    strength, weight = portrait.departure(source, light)
    left = layer(take, "source_residual") * strength * weight
    return np.maximum((layer(take, "albedo") * shade + shine) * visible + left, 0)


def test_the_unlit_passes_give_the_beauty_under_the_takes_own_light(take):
    inside = layer(take, "alpha")[..., 0] > 0.99
    made, beauty = lit(take, Light.load(take.light_path))[inside], layer(take, "beauty")[inside]
    away = np.abs(images.linear_to_srgb(np.clip(made, 0, 1)) - images.linear_to_srgb(np.clip(beauty, 0, 1))) * 255
    assert away.mean() < 2.0


def test_the_unlit_passes_do_not_know_the_takes_light(take, subject, run, tmp_path):
    words = ("--exr", "--passes", "--frames", "3:4", "-o", tmp_path / "source")
    code, events = run("relight", subject, "--light", "source", *words)
    assert code == 0, events[-1]
    other = Take.open(tmp_path / "source")
    for name in ("albedo", "normal", "specular_weight", "smooth_normal", "hair", "source_residual", "transfer_1"):
        assert np.allclose(layer(other, name), layer(take, name), atol=2e-3), name
    inside = layer(take, "alpha")[..., 0] > 0.99
    made, beauty = lit(take, Light.load(other.light_path))[inside], layer(other, "beauty")[inside]
    assert np.abs(made - beauty).mean() < 0.01


def test_the_head_and_its_motion_lie_beside_the_frames(take):
    with np.load(take.head_path) as head, np.load(take.motion_path) as motion:
        vertices, faces = head["neutral"], head["faces"]
        assert head["actions"].shape == (len(head["names"]), *vertices.shape)
        assert head["uv"].shape == (len(faces), 3, 2) and faces.max() < len(vertices)
        assert list(motion["names"]) == list(head["names"])
        assert motion["psi"].shape == (take.info.total, len(head["names"]))
        moved = vertices + np.tensordot(motion["psi"][3], head["actions"].astype(float), 1)
        seen = moved @ motion["rotation"][3].T + motion["translation"][3]
        focal, x, y = head["camera"]
        pixels = seen[:, :2] * (focal / -seen[:, 2:]) * [1, -1] + [x, y]
    alpha = layer(take, "alpha")[..., 0]
    at = np.clip(np.rint(pixels).astype(int), 0, np.array(alpha.shape[::-1]) - 1)
    assert (alpha[at[:, 1], at[:, 0]] > 0.5).mean() > 0.8  # the head lies where the person is


def test_the_heads_texture_is_the_clips_albedo(take):
    texture = images.srgb_to_linear(images.read_image(take.texture_path)[..., :3].astype(np.float32) / 255)
    albedo, alpha = layer(take, "albedo"), layer(take, "alpha")[..., 0]
    with np.load(take.head_path) as head:
        middle = head["uv"][np.abs(head["neutral"][head["faces"]].mean(1)[:, :2]).sum(1) < 0.05].reshape(-1, 2)
    size = texture.shape[0]
    columns, rows = (np.clip(part * size, 0, size - 1).astype(int) for part in (middle[:, 0], 1 - middle[:, 1]))
    face = texture[rows, columns].mean(0)
    assert np.abs(np.log(face / albedo[alpha > 0.99].mean(0))).max() < 0.7
