"""The zip itself, installed into a Blender of its own; each test begins with a fresh file."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "bl_ext.user_default.relitalk"
USER = tempfile.TemporaryDirectory(prefix="relitalk-blender-")
os.environ["BLENDER_USER_RESOURCES"] = USER.name

bpy = pytest.importorskip("bpy")

TINY = """
description = "Seconds of training: to test the way, not the picture."
[fit]
iterations = 40
[surface]
steps = 4
frames = 4
rays = 60
voxel = 0.01
[reflectance]
size = 64
channels = 8
samples = 4
steps_coarse = 2
steps_decompose = 4
steps_consistency = 1
[synthesis]
size = 64
channels = 8
steps_local = 2
steps_blend = 2
[speech]
steps = 10
channels = 16
"""


def engine_python() -> Path:
    """A Python that has what the engine needs; where there is none, the tests that run the engine are skipped."""
    return Path(os.environ.get("RELITALK_ENGINE_PYTHON") or ROOT / ".venv" / "bin" / "python")


@pytest.fixture(scope="session")
def zip_file(tmp_path_factory):
    """The extension, packed as `make zip` packs it."""
    call = subprocess.run(
        [sys.executable, ROOT / "scripts" / "pack.py", "-o", tmp_path_factory.mktemp("dist")],
        capture_output=True, text=True, check=False,
    )
    assert call.returncode == 0, call.stderr
    return Path(call.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def installed(zip_file):
    """The extension, installed and enabled by Blender's own operator."""
    done = bpy.ops.extensions.package_install_files(filepath=str(zip_file), repo="user_default", enable_on_install=True)
    assert done == {"FINISHED"}
    return NAME


@pytest.fixture(scope="session")
def part(installed):
    """Import a module of the installed extension: part("relitalk_addon.stage")."""
    return lambda name: importlib.import_module(f"{installed}.{name}")


@pytest.fixture
def scene(installed, tmp_path):
    """The scene of a fresh, empty file; the library lies in a folder of the test's own."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if installed not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=installed)
    chosen = bpy.context.preferences.addons[installed].preferences
    chosen.library = str(tmp_path / "library of 日本")
    chosen.engine_python = ""
    return bpy.context.scene


@pytest.fixture
def plain():
    """The add-on's modules that need no Blender, imported as a package named relitalk."""
    if "relitalk" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "relitalk", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        sys.modules["relitalk"] = importlib.util.module_from_spec(spec)
    return lambda name: importlib.import_module(f"relitalk.{name}")


def picture(frame: int, width: int = 24, height: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A frame whose colours tell its number: straight linear RGB [H, W, 3] and alpha [H, W], a disc with a soft rim."""
    v, u = np.mgrid[0:height, 0:width] + 0.5
    rgb = np.stack([u / width, v / height, np.full_like(u, (frame + 1) / 32)], axis=-1) * 0.8
    alpha = np.clip((0.45 * width - np.hypot(u - width / 2, v - height / 2)) / 3.0 + 0.5, 0.0, 1.0)
    return rgb, alpha


def save_picture(path: Path, rgb: np.ndarray, alpha: np.ndarray) -> None:
    """Write a frame as a take holds it: EXR linear and associated, or PNG sRGB and straight."""
    height, width = alpha.shape
    exr = path.suffix == ".exr"
    image = bpy.data.images.new("frame", width, height, alpha=True, float_buffer=exr)
    image.colorspace_settings.name = "Non-Color"  # the numbers as they are
    if exr:
        pixels = np.dstack([rgb * alpha[..., None], alpha])
    else:
        encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
        pixels = np.dstack([encoded, alpha])
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).reshape(-1))
    image.filepath_raw = str(path)
    image.file_format = "OPEN_EXR" if exr else "PNG"
    image.save()
    bpy.data.images.remove(image)


@pytest.fixture
def make_take(scene, part, tmp_path):
    """Make a real take with known pictures: make_take(name, frames=(0, 8), fps=25, exr=True, sound=True)."""
    formats = part("relitalk_engine.take")

    def make(name="hello", frames=(0, 8), fps=Fraction(25), exr=True, sound=True, painted=picture):
        rgb, alpha = painted(frames[0])
        height, width = alpha.shape
        count = frames[1] - frames[0]
        info = formats.TakeInfo(
            kind="render", fps=fps, size=(width, height), crop=(0, 0, width, height), frames=frames, total=frames[1],
            exr=exr, driven=[(8, 16, 8, 8)] * count, removed=[(6, 14, 12, 12)] * count,
            placement=formats.Placement(eye_centre=(width / 2, 0.4 * height), metres_per_pixel=0.01),
        )
        folder = tmp_path / "takes" / name
        folder.parent.mkdir(exist_ok=True)
        take = formats.Take.create(folder, info)
        for frame in range(*frames):
            save_picture(take.beauty_path(frame), *painted(frame))
        if sound:
            take.audio_path.write_bytes((ROOT / "presets" / "sample" / "sentence.wav").read_bytes())
        return take.finish(folder)

    return make


def passes(frame: int, size: int = 32) -> dict[str, np.ndarray]:
    """The passes of a ball that lives: each [S, S, 3], as a take holds them."""
    axis = (np.arange(size) + 0.5) / size * 2.2 - 1.1
    x, y = np.meshgrid(axis, -axis)
    radius = np.hypot(x, y)
    inside = np.clip((1.0 - radius) * size / 4, 0.0, 1.0)
    x, y = x / np.maximum(radius, 1.0), y / np.maximum(radius, 1.0)
    normal = np.stack([x, y, np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))], axis=-1)
    smooth = normal * [0.7, 0.7, 1.0] + [0.0, 0.0, 0.1]
    smooth /= np.linalg.norm(smooth, axis=-1, keepdims=True)
    rng = np.random.default_rng(frame)
    one, bands = np.ones_like(normal), np.repeat([1.0, 2 / 3, 1 / 4], [1, 3, 5])
    sx, sy, sz = np.moveaxis(smooth, -1, 0)
    basis = np.stack([
        0.282095 + 0 * sx, 0.488603 * sy, 0.488603 * sz, 0.488603 * sx, 1.092548 * sx * sy, 1.092548 * sy * sz,
        0.315392 * (3 * sz * sz - 1), 1.092548 * sx * sz, 0.546274 * (sx * sx - sy * sy),
    ], axis=-1)
    transfer = basis * bands * (0.4 + 0.6 * (x > -0.3))[..., None]  # one side lies in shadow
    return {
        "albedo": 0.2 + 0.5 * rng.random((size, size, 3)), "normal": normal, "smooth_normal": smooth,
        "specular_weight": 0.05 * one, "hair": (y > 0.4)[..., None] * 0.8 * one,
        "transfer_0": transfer[..., 0:3], "transfer_1": transfer[..., 3:6], "transfer_2": transfer[..., 6:9],
        "source_residual": 0.02 * (rng.random((size, size, 3)) - 0.5), "alpha": inside[..., None] * one,
    }


@pytest.fixture
def make_lit_take(make_take, part):
    """Make a take with passes, lights, a head and its motion: make_lit_take(name, fps)."""
    formats = part("relitalk_engine.take")
    light = part("relitalk_engine.lighting.light").Light

    def make(name="lit", fps=Fraction(25), frames=(0, 6)):
        def painted(frame):
            return passes(frame)["albedo"], passes(frame)["alpha"][..., 0]

        take = make_take(name, frames=frames, fps=fps, painted=painted)
        for frame in range(*frames):
            for layer, values in passes(frame).items():
                take.pass_path(layer, frame).parent.mkdir(exist_ok=True)
                save_picture(take.pass_path(layer, frame), values, np.ones(values.shape[:2]))
        take.info.passes, take.info.specular_exponent = list(passes(0)), 20.0
        take.light_path.parent.mkdir()
        flat = light.from_sh(np.concatenate([np.full((1, 3), 2.0), np.zeros((8, 3))]))
        flat.save(take.light_path)
        flat.save(take.source_light_path)
        count, corners = frames[1], np.array([[-1, -1, 0], [1, -1, 0], [0, 1, 0], [0, 0, 1.0]]) * 0.08
        turn = [[[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]] for a in np.linspace(0, 0.5, count)]
        motion = {
            "fps": np.array([fps.numerator, fps.denominator]), "names": np.array(["jawOpen", "mouthSmileLeft"]),
            "psi": np.stack([np.linspace(0, 1, count), np.full(count, 0.25)], axis=-1), "rotation": np.array(turn),
            "translation": np.array([[0.0, 0.0, -1.0]] * count) + np.linspace(0, 0.1, count)[:, None],
        }
        np.savez(take.motion_path, **motion)
        faces = np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]])
        np.savez(
            take.head_path, neutral=corners, actions=np.stack([corners * 0.5, corners * 0.1]).astype(np.float16),
            names=motion["names"], faces=faces, uv=np.zeros((3, 3, 2)), camera=np.array([100.0, 16.0, 12.8]),
        )
        rgb, alpha = picture(0)
        save_picture(take.texture_path, rgb, np.ones_like(alpha))
        take.save()
        return formats.Take.open(take.path)

    return make


@pytest.fixture
def world_images():
    """The HDR panoramas that Blender brings."""
    folder = Path(bpy.utils.system_resource("DATAFILES")) / "studiolights" / "world"
    return {path.stem: path for path in folder.glob("*.exr")}


def look_straight_at(scene, portrait) -> None:
    """Set the camera so that the portrait fills the picture pixel by pixel."""
    corners = np.array([tuple(vertex.co) for vertex in portrait.data.vertices])
    low, high = corners.min(axis=0), corners.max(axis=0)
    data = bpy.data.cameras.new("Straight")
    data.type = "ORTHO"
    data.ortho_scale = float((high - low).max())
    camera = bpy.data.objects.new("Straight", data)
    camera.parent = portrait
    camera.location = (*((low + high) / 2)[:2], 1.0)
    scene.collection.objects.link(camera)
    scene.camera = camera


def rendered(scene, folder: Path, width: int, height: int, samples: int = 1, film: bool = True, view="Standard"):
    """Render with Cycles and read what the display would show, [H, W, 4] 0..1."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = False
    scene.cycles.pixel_filter_type = "BOX"
    scene.cycles.filter_width = 0.01
    scene.render.film_transparent = film
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    scene.view_settings.view_transform = view
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "8"
    scene.render.filepath = str(folder / f"render_{scene.frame_current}.png")
    bpy.ops.render.render(write_still=True, scene=scene.name)
    image = bpy.data.images.load(scene.render.filepath, check_existing=False)
    flat = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(flat)
    bpy.data.images.remove(image)
    return flat.reshape(height, width, 4)[::-1]


@pytest.fixture
def studio():
    """Helpers of the tests that render: picture, passes, save_picture, look_straight_at, rendered."""
    return SimpleNamespace(
        picture=picture, passes=passes, save_picture=save_picture, look_straight_at=look_straight_at, rendered=rendered,
    )


@pytest.fixture
def tiny_preset(installed):
    """The name of a quality preset of the user's own."""
    own = Path(bpy.utils.user_resource("CONFIG", path="relitalk/presets", create=True))
    (own / "tiny.toml").write_text(TINY)
    return "tiny"
