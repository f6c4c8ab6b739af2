"""Lights and rigs: saved, loaded, refused; the command line's LIGHT argument."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.lighting import envmap, lit_sphere, rigs, sh
from relitalk_engine.lighting.light import Light, turn


def some_light(seed=0):
    return Light.from_environment(np.random.default_rng(seed).random((32, 64, 3)).astype(np.float32) * 9)


def same(a, b):
    return (
        np.array_equal(a.sh, b.sh) and a.source == b.source and (a.environment is None) == (b.environment is None)
        and (a.environment is None or np.array_equal(a.environment, b.environment))
    )


@pytest.mark.parametrize("light", [some_light(), rigs.directional(30, 10, 2.0), Light.from_sh(np.ones((9, 3)))])
def test_a_light_is_loaded_as_it_was_saved(tmp_path, light):
    light.save(tmp_path / "light.json")
    assert same(Light.load(tmp_path / "light.json"), light)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_light_with_frames_keeps_them(tmp_path):
    light = rigs.rotating(some_light(), 10.0, 4)
    light.save(tmp_path / "turning.json")
    got = Light.load(tmp_path / "turning.json")
    assert len(got.frames) == 4 and all(same(a, b) for a, b in zip(got.frames, light.frames, strict=True))
    assert got.at(2) is got.frames[2] and got.at(99) is got.frames[3] and same(got.at(0), some_light())
    still = some_light()
    assert still.at(7) is still


def test_what_is_no_light_is_refused_in_a_sentence(tmp_path):
    good = some_light()
    good.save(tmp_path / "good.json")
    content = json.loads((tmp_path / "good.json").read_text())
    envmap.write_exr(tmp_path / "small.exr", np.ones((16, 32, 3)))
    envmap.write_exr(tmp_path / "dark.exr", np.full((32, 64, 3), -1.0))
    nan = [[float("nan")] * 3] + content["sh"][1:]
    for change, words in (
        ({"sh": content["sh"][:8]}, "9 rows of 3"),
        ({"sh": [row[:2] for row in content["sh"]]}, "9 rows of 3"),
        ({"sh": nan}, "finite"), ({"sh": "bright"}, "9 rows"),
        ({"schema": 2}, "newer"), ({"schema": None}, "schema"), ({"schema": True}, "schema"),
        ({"environment": "gone.exr"}, "not beside it"), ({"environment": "../good.exr"}, "not the name"),
        ({"environment": "small.exr"}, "64×32"), ({"environment": "good.json"}, "64×32"),
        ({"environment": "dark.exr"}, "negative"),
        ({"frames": []}, "frames"), ({"frames": [1]}, "frames"), ({"frames": [{"sh": [[1]]}]}, "9 rows"),
        ({"source": {"kind": "directional", "direction": [0, 0, 2], "irradiance": [1, 1, 1]}}, "unit vector"),
        ({"source": {"kind": "directional"}}, "unit vector"),
    ):
        path = tmp_path / "bad.json"
        path.write_text(json.dumps(content | change))
        with pytest.raises(ReliTalkError, match=words) as error:
            Light.load(path)
        assert error.value.exit_code == 2 and error.value.hint, change
    for text in ("no json", "[1, 2]", "{}"):
        path.write_text(text)
        with pytest.raises(ReliTalkError, match="is not a light"):
            Light.load(path)


def test_rotating_a_light_is_rotating_its_panorama():
    panorama = np.random.default_rng(0).random((128, 256, 3)) ** 6
    whole, turned = Light.from_panorama(panorama, 45.0), Light.from_panorama(panorama).rotated(45.0)
    assert np.allclose(whole.sh, turned.sh) and np.allclose(whole.environment, turned.environment, atol=1e-5)
    assert np.allclose(sh.project(envmap.to_environment(panorama, 45.0)), whole.sh, atol=0.02)
    light = rigs.directional(20, 30).rotated(50.0)  # R_z(−50) turns a light that stands before the face to its left
    assert np.allclose(light.directional[0], rigs.directional(-30, 30).directional[0])
    assert np.allclose(light.sh, rigs.directional(-30, 30).sh)
    assert np.allclose(turn(30.0) @ turn(-30.0), np.eye(3))


def test_directions_are_the_command_lines():
    for azimuth, elevation, direction in (
        (0, 0, (0, 0, 1)), (90, 0, (1, 0, 0)), (-90, 0, (-1, 0, 0)), (0, 90, (0, 1, 0)), (180, 0, (0, 0, -1)),
    ):
        light = rigs.directional(azimuth, elevation)
        assert np.allclose(light.directional[0], direction)
        weights = envmap.solid_angles(32, 64)[..., None]
        assert np.allclose((light.environment * weights).sum((0, 1)), np.pi, rtol=1e-5)
        middle = (light.environment[..., :1] * weights * envmap.directions(32, 64)).sum((0, 1))
        assert np.allclose(middle / np.linalg.norm(middle), direction, atol=0.06)


def test_olat_is_even_lights_that_add_up_to_the_sphere():
    lights = rigs.olat(64)
    assert len({name for name, _ in lights}) == 64
    total = sum(light.sh for _, light in lights)[:, 0]
    assert np.abs(total[1:]).max() < 0.02 * total[0]


def test_the_light_argument(tmp_path, worlds):
    own = some_light()
    assert rigs.load_light("source", source_light=own) is not None
    assert np.allclose(rigs.load_light("source", 90, 2, own).sh, own.rotated(90).scaled(2).sh)
    light = rigs.load_light("dir:30,-20,1.5")
    assert np.allclose(light.directional[1], 1.5 * np.pi)
    assert np.allclose(rigs.load_light("dir:-30,0").directional[0], rigs.directional(-30, 0).directional[0])
    world = rigs.load_light(str(worlds["forest"]), 40.0, 0.75)
    assert world.source["file"] == "forest.exr" and world.environment.shape == (32, 64, 3)
    panorama = envmap.read_panorama(worlds["forest"])
    assert np.allclose(world.environment, envmap.to_environment(panorama, 40.0, 0.75))
    world.save(tmp_path / "forest.json")
    assert same(rigs.load_light(str(tmp_path / "forest.json")), world)
    again = rigs.load_light(str(tmp_path / "forest.exr"))
    assert np.allclose(again.environment, world.environment)


def test_an_ordinary_picture_lights_and_says_what_it_lacks(tmp_path, worlds):
    import cv2

    panorama = np.clip(envmap.read_panorama(worlds["sunset"])[::8, ::8], 0, 1)
    cv2.imwrite(str(tmp_path / "sunset.jpg"), np.rint(panorama[..., ::-1] ** (1 / 2.2) * 255).astype(np.uint8))
    light = rigs.load_light(str(tmp_path / "sunset.jpg"), 30.0)
    assert "ordinary picture" in light.source["warning"] and "sunset.jpg" in light.source["warning"]
    assert np.allclose(light.sh, Light.from_panorama(panorama, 30.0).sh, rtol=0.1, atol=0.05)
    assert "warning" not in rigs.load_light(str(worlds["sunset"])).source


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("source", {}, "no subject"), ("olat", {}, "series"), ("nowhere.hdr", {}, "no light file"),
        ("studio", {}, "no light file"), ("dir:", {}, "does not name a direction"),
        ("dir:left,0", {}, "does not name a direction"), ("dir:1", {}, "not name"), ("dir:1,2,3,4", {}, "not name"),
        ("dir:nan,0", {}, "does not name"), ("dir:0,100", {}, "elevation"), ("dir:0,0,-1", {}, "intensity"),
        ("dir:0,0", {"strength": -1.0}, "strength"), ("dir:0,0", {"strength": float("nan")}, "strength"),
        ("dir:0,0", {"rotation": float("inf")}, "turned"), ("/", {}, "folder"),
    ],
)
def test_a_light_argument_that_is_none_is_refused_in_a_sentence(spec, options, words):
    with pytest.raises(ReliTalkError, match=words) as error:
        rigs.load_light(spec, **options)
    assert error.value.exit_code == 2 and error.value.hint


def test_the_room_needs_numpy_alone(tmp_path):
    """Blender's Python reads it: no other package may be imported on the way, also not by saving and loading."""
    root = Path(lit_sphere.__file__).resolve().parents[2]
    script = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "cv2", "av", "scipy", "OpenImageIO", "soundfile"}:
            raise ImportError(name)
sys.meta_path.insert(0, Wall())
from relitalk_engine.lighting import envmap, exr, light, lit_sphere, phong, rigs, sh
a = rigs.directional(20, 30)
a.save(sys.argv[1])
b = light.Light.load(sys.argv[1])
assert (b.environment == a.environment).all()
lit_sphere.preview(b, 32)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "light.json")], cwd=root, check=True)
