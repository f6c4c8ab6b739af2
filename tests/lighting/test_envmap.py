"""Panoramas: directions, energy, rotation as Blender's, refusals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import OpenImageIO as oiio
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.lighting import envmap, exr, lit_sphere, sh
from relitalk_engine.lighting.light import Light
from relitalk_engine.media import images


def write(path, pixels, kind="float"):
    out = oiio.ImageOutput.create(str(path))
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], kind)
    assert out.open(str(path), spec) and out.write_image(np.ascontiguousarray(pixels)) and out.close()
    return path


def power(environment):
    return (environment.astype(float) * envmap.solid_angles(*environment.shape[:2])[..., None]).sum((0, 1))


def test_directions_follow_blenders_layout():
    d = envmap.directions(180, 360)
    # world axes X right, Y into the scene, Z up; the camera frame is (X, Z, −Y)
    assert np.allclose(d[90, 180], (1, 0, 0), atol=0.02)  # the centre is +X, at the viewer's right
    assert np.allclose(d[90, 90], (0, 0, -1), atol=0.02)  # a quarter from the left is +Y, where the camera looks
    assert np.allclose(d[90, 270], (0, 0, 1), atol=0.02)  # three quarters is −Y, behind the camera
    assert np.allclose(d[0, 7], (0, 1, 0), atol=0.02)  # the top row is up
    assert np.allclose(np.linalg.norm(d, axis=-1), 1)
    row, column = envmap.texel(d, 180, 360)
    assert np.allclose(row, np.arange(180)[:, None]) and np.allclose(column, np.arange(360))


def test_solid_angles_fill_the_sphere():
    for size in ((32, 64), (7, 13)):
        assert envmap.solid_angles(*size).sum() == pytest.approx(4 * np.pi)


@pytest.mark.parametrize("size", [(512, 1024), (100, 200), (33, 66), (32, 64), (8, 16)])
@pytest.mark.parametrize("rotation", [0.0, 37.3, -90.0])
def test_energy_is_kept_and_a_constant_stays_one(size, rotation):
    panorama = np.random.default_rng(0).random((*size, 3)) ** 8 * 100
    small = envmap.to_environment(panorama, rotation, 2.0)
    assert small.shape == (32, 64, 3) and small.dtype == np.float32
    assert np.allclose(power(small), 2.0 * power(panorama), rtol=1e-5)
    assert np.allclose(envmap.to_environment(np.ones((*size, 3)), rotation), 1.0, atol=1e-5)


def test_a_sun_of_two_texels_is_not_missed():
    for row, column in ((300, 511), (1, 0), (700, 2047), (512, 1023)):
        panorama = np.full((1024, 2048, 3), 0.01, np.float32)
        panorama[row, column] = panorama[row, (column + 1) % 2048] = 60000.0
        small = envmap.to_environment(panorama, 12.0)
        assert np.allclose(power(small), power(panorama), rtol=1e-4)
        assert np.allclose(sh.project(small)[0], sh.project(panorama)[0], rtol=1e-4)


def test_a_sun_moves_with_every_degree():
    panorama = np.zeros((512, 1024, 3))
    panorama[200, 300] = 1e4
    turned = [envmap.to_environment(panorama, degrees) for degrees in np.arange(0.0, 12.0, 1.0)]
    steps = [np.abs(b - a).sum() for a, b in zip(turned, turned[1:], strict=False)]
    assert min(steps) > 0.5 * max(steps) > 0


def test_rotation_reads_the_image_at_the_turned_direction():
    panorama = np.random.default_rng(0).random((32, 64, 3))
    degrees = 360 / 64 * 5
    turned = envmap.to_environment(panorama, degrees)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, up, z = np.moveaxis(envmap.directions(32, 64), -1, 0)
    world = np.stack([x, -z, up], -1) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
    row, column = envmap.texel(np.stack([world[..., 0], world[..., 2], -world[..., 1]], -1), 32, 64)
    there = panorama[np.rint(row).astype(int), np.rint(column).astype(int) % 64]
    assert np.allclose(turned, there, atol=1e-6)
    assert np.allclose(envmap.to_environment(panorama), panorama, atol=1e-6)


BLENDER = """
import sys, math, bpy
image, degrees, out = sys.argv[1], float(sys.argv[2]), sys.argv[3]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.world = bpy.data.worlds.new("world")
if not scene.world.node_tree:
    scene.world.use_nodes = True
tree = scene.world.node_tree
tree.nodes.clear()
names = "TexCoord", "Mapping", "TexEnvironment", "Background", "OutputWorld"
coordinates, mapping, texture, background, output = (tree.nodes.new("ShaderNode" + name) for name in names)
texture.image = bpy.data.images.load(image)
mapping.inputs["Rotation"].default_value[2] = math.radians(degrees)
for a, b in ((coordinates.outputs["Generated"], mapping.inputs["Vector"]), (mapping.outputs[0], texture.inputs[0]),
             (texture.outputs[0], background.inputs[0]), (background.outputs[0], output.inputs[0])):
    tree.links.new(a, b)
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
scene.collection.objects.link(camera)
scene.camera = camera
camera.rotation_euler = (math.pi / 2, 0, 0)  # looks along +Y
camera.data.lens, camera.data.sensor_width = 10, 36
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 64, False
scene.render.resolution_x = scene.render.resolution_y = 32
scene.render.image_settings.file_format = "OPEN_EXR"
scene.render.filepath = out
bpy.ops.render.render(write_still=True)
"""


def test_rotation_is_blenders(tmp_path, worlds):
    """What Cycles sees of a turned world, looking along +Y, is what the turned panorama holds there."""
    script, out = tmp_path / "look.py", tmp_path / "seen.exr"
    script.write_text(BLENDER)
    subprocess.run([sys.executable, script, worlds["courtyard"], "30", out], check=True, capture_output=True)
    seen = images.read_exr(out)
    seen = np.stack([seen[c] for c in "RGB"], -1)
    axis = ((np.arange(32) + 0.5) / 32 - 0.5) * 3.6
    x, y = np.meshgrid(axis, -axis)
    d = np.stack([x, y, -np.ones_like(x)], -1)
    row, column = envmap.texel(d / np.linalg.norm(d, axis=-1, keepdims=True), 128, 256)

    def agreement(degrees):
        turned = envmap.to_environment(envmap.read_panorama(worlds["courtyard"]), degrees, 1.0, (128, 256))
        there = turned[np.rint(row).astype(int), np.rint(column).astype(int) % 256]
        return np.corrcoef(np.log(there + 0.01).ravel(), np.log(seen + 0.01).ravel())[0, 1]

    assert agreement(30.0) > 0.95
    assert agreement(-30.0) < 0.7 and agreement(0.0) < 0.7


def test_blenders_worlds_are_read(worlds):
    for path in worlds.values():
        panorama = envmap.read_panorama(path)
        assert panorama.shape == (512, 1024, 3) and panorama.dtype == np.float32 and panorama.min() >= 0


@pytest.mark.parametrize("name", ["a.hdr", "a.exr"])
def test_hdr_and_exr_say_the_same(tmp_path, name):
    panorama = np.random.default_rng(0).random((16, 32, 3), np.float32) * 20 + 1
    got = envmap.read_panorama(write(tmp_path / name, panorama))
    assert np.allclose(got, panorama, rtol=0.02, atol=0.1)


def test_alpha_is_left_out_and_grey_is_spread(tmp_path):
    panorama = np.random.default_rng(0).random((8, 16, 4), np.float32)
    assert np.allclose(envmap.read_panorama(write(tmp_path / "a.exr", panorama)), panorama[..., :3])
    grey = panorama[..., :1]
    assert np.allclose(envmap.read_panorama(write(tmp_path / "b.exr", grey)), np.repeat(grey, 3, 2))


def test_what_is_no_panorama_is_refused_in_a_sentence(tmp_path):
    good = np.full((16, 32, 3), 0.5, np.float32)
    broken = {}
    for name, value in (("nan", np.nan), ("inf", np.inf), ("negative", -1.0)):
        broken[name] = good.copy()
        broken[name][3, 5, 1] = value
    text = tmp_path / "text.hdr"
    text.write_text("not an image")
    cut = tmp_path / "cut.exr"
    exr.write(cut, np.random.default_rng(0).random((64, 128, 3)))
    cut.write_bytes(cut.read_bytes()[:-9000])
    for path, code, words in (
        (tmp_path / "none.hdr", "no_such_file", "no panorama"),
        (text, "not_an_image", "not an image"),
        (cut, "not_an_image", "damaged"),
        (write(tmp_path / "square.exr", good[:, :16]), "bad_panorama", "16×16"),
        (write(tmp_path / "photo.png", (good[:, :24] * 255).astype(np.uint8), "uint8"), "bad_panorama", "24×16"),
        (write(tmp_path / "nan.exr", broken["nan"]), "bad_panorama", "not a number, the first at column 5, row 3"),
        (write(tmp_path / "inf.exr", broken["inf"]), "bad_panorama", "infinite"),
        (write(tmp_path / "negative.exr", broken["negative"]), "bad_panorama", "negative"),
    ):
        with pytest.raises(ReliTalkError) as error:
            envmap.read_panorama(path)
        assert error.value.code == code and words in error.value.message and str(path) in error.value.message, path
        assert error.value.hint and error.value.exit_code == 2


@pytest.mark.parametrize("name", ["photo.png", "photo.hdr.jpg"])
def test_an_ordinary_picture_is_read_as_srgb_and_known_as_one(tmp_path, name):
    grey = np.full((16, 32, 3), 128, np.uint8)
    path = write(tmp_path / name, grey, "uint8")
    assert np.allclose(envmap.read_panorama(path), 0.2158, atol=0.01)
    assert envmap.is_ordinary(path) and not envmap.is_ordinary(write(tmp_path / "a.hdr", grey / np.float32(255)))
    assert not envmap.is_ordinary(write(tmp_path / "a.exr", grey / np.float32(255)))


@pytest.mark.parametrize("row", [0, 100, 255])
def test_one_texel_of_a_million_lights_as_a_sun_would(tmp_path, row):
    panorama = np.full((256, 512, 3), 0.2, np.float32)
    panorama[row, 400] = 1e6
    light = Light.from_panorama(envmap.read_panorama(write(tmp_path / "sun.exr", panorama)))
    weight = envmap.solid_angles(256, 512)[row, 400]
    sun = envmap.directions(256, 512)[row, 400]
    facing = lit_sphere.bake(light, 24.0)
    assert np.isfinite(light.sh).all() and np.isfinite(facing.diffuse).all() and np.isfinite(facing.specular).all()
    power = (light.environment * envmap.solid_angles(32, 64)[..., None]).sum()
    assert power == pytest.approx(3 * (1e6 * weight + 0.2 * 4 * np.pi), rel=1e-3)
    if sun[2] > 0.2:
        normals = lit_sphere.normals(facing.diffuse.shape[0])
        brightest = normals.reshape(-1, 3)[facing.diffuse[..., 0].argmax()]
        assert np.degrees(np.arccos(np.clip(brightest @ sun, -1, 1))) < 6


def test_our_exr_is_everybodys(tmp_path):
    environment = np.random.default_rng(0).random((33, 66, 3), np.float32) * 1e5
    path = tmp_path / "a.exr"
    envmap.write_exr(path, environment, "Synthetic")
    assert (exr.read(path) == environment).all()
    assert all((images.read_exr(path)[c] == environment[..., i]).all() for i, c in enumerate("RGB"))
    assert "Synthetic" in images.read_metadata(path).values()


@pytest.mark.parametrize("compression", ["none", "zips", "zip"])
@pytest.mark.parametrize("kind", ["half", "float"])
def test_the_small_reader_reads_what_others_write(tmp_path, compression, kind):
    path, pixels = tmp_path / "a.exr", np.random.default_rng(0).random((21, 42, 4), np.float32)
    spec = oiio.ImageSpec(42, 21, 4, kind)
    spec.attribute("compression", compression)
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec) and out.write_image(pixels) and out.close()
    assert np.allclose(exr.read(path), pixels[..., :3], atol=1e-3 if kind == "half" else 0)
