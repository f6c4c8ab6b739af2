"""Run with Python and bpy, without the engine's libraries; prints one line of JSON.

python live_light_blender.py ZIP live TAKE HDRI ROTATION ENGINE    a live portrait beside its baked frame
python live_light_blender.py ZIP worlds                            worlds beside what they analytically are
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from math import radians
from pathlib import Path

import numpy as np

USER = tempfile.TemporaryDirectory(prefix="relitalk-blender-")
os.environ["BLENDER_USER_RESOURCES"] = USER.name
import bpy  # noqa: E402 -- reads its user folder's place when it is imported


def main(zip_file: str, what: str, *words: str) -> None:
    """Print figures."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=zip_file, repo="user_default", enable_on_install=True)
    figures = live(*words) if what == "live" else worlds()
    print(json.dumps(figures), flush=True)


def live(take: str, hdri: str, rotation: str, engine: str) -> dict:
    """How a live portrait differs from its baked frame under one world, in 8-bit steps of the display."""
    scene = bpy.context.scene
    # llvmpipe's anisotropic filter blurs pictures that are shown pixel by pixel
    bpy.context.preferences.system.anisotropic_filter = "FILTER_0"
    scene.relitalk.look = "AS_FILMED"
    image = bpy.data.images.load(hdri)
    mapping = _world(scene, image, float(rotation))
    bpy.ops.relitalk.place_take(take=take)
    portrait = bpy.context.view_layer.objects.active
    _look_straight(scene, portrait)
    scene.frame_set(1)
    baked = _rendered(scene, Path(USER.name) / "baked.png", engine)
    began = time.perf_counter()
    portrait.relitalk.mode = "WORLD"
    first = time.perf_counter() - began
    turn = mapping.inputs["Rotation"].default_value
    turn[2] += 0.5
    began = time.perf_counter()
    bpy.ops.relitalk.update_light()
    again = time.perf_counter() - began
    turn[2] -= 0.5
    bpy.ops.relitalk.update_light()
    shown = _rendered(scene, Path(USER.name) / "live.png", engine)
    away = np.abs(shown[..., :3] - baked[..., :3])[baked[..., 3] > 0.02] * 255
    return {
        "mean": float(away.mean()), "most": float(np.percentile(away, 99.9)), "first_s": first, "again_s": again,
        "problem": portrait.relitalk.problem,
    }


def worlds() -> dict:
    """How far matched coefficients are from the analytic ones, as a share of the constant; and how long 8k takes."""
    scene, away = bpy.context.scene, {}
    flat = bpy.data.images.new("flat", 64, 32, float_buffer=True)
    flat.pixels.foreach_set(np.tile([0.5, 0.25, 1.0, 1.0], 64 * 32).astype(np.float32))
    want = np.zeros((9, 3))
    want[0] = np.array([0.5, 0.25, 1.0]) * 4 * np.pi * 0.2820948
    away["constant"] = _away(scene, flat, 0.0, want)
    lamp = bpy.data.images.new("lamp", 2048, 1024, float_buffer=True)
    pixels = np.zeros((1024, 2048, 4), np.float32)
    row, column = 640, 1430  # from the bottom, from the left
    pixels[row, column : column + 2, :3] = 50000.0
    lamp.pixels.foreach_set(pixels.reshape(-1))
    edges = np.pi * (np.array([row, row + 1]) / 1024 - 0.5)
    power = 50000.0 * (np.sin(edges[1]) - np.sin(edges[0])) * 2 * 2 * np.pi / 2048
    elevation, azimuth = edges.mean(), np.pi * (1.0 - 2.0 * (column + 1) / 2048)
    for name, degrees in (("single lamp", 0.0), ("rotated", 73.0)):
        turned = azimuth - radians(degrees)  # the radiance along d is the image's at R_z(degrees) d
        x, y = np.cos(elevation) * np.cos(turned), np.cos(elevation) * np.sin(turned)
        want = np.repeat(power * _basis(x, np.sin(elevation), -y)[:, None], 3, axis=1)
        away[name] = _away(scene, lamp, degrees, want)
    large = bpy.data.images.new("8k", 8192, 4096, float_buffer=True)
    large.pixels.foreach_set(np.tile(pixels + np.float32(0.1), (4, 4, 1)).reshape(-1))
    _world(scene, large, 30.0)
    began = time.perf_counter()
    bpy.ops.relitalk.match_light()
    return {"away": away, "match_8k_s": time.perf_counter() - began}


def _away(scene: bpy.types.Scene, image: bpy.types.Image, degrees: float, want: np.ndarray) -> float:
    _world(scene, image, degrees)
    bpy.ops.relitalk.match_light()
    found = np.array(scene.relitalk.light_sh).reshape(9, 3)
    return float(np.abs(found - want).max() / want[0].max())


def _basis(x: float, y: float, z: float) -> np.ndarray:
    """The nine harmonics in the frame of a viewer who looks along +Y."""
    return np.array([
        0.2820948, 0.4886025 * y, 0.4886025 * z, 0.4886025 * x, 1.0925484 * x * y, 1.0925484 * y * z,
        0.3153916 * (3 * z * z - 1), 1.0925484 * x * z, 0.5462742 * (x * x - y * y),
    ])


def _world(scene: bpy.types.Scene, image: bpy.types.Image, degrees: float) -> bpy.types.Node:
    """Light the scene by a panorama; the Mapping node that turns it."""
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    tree = scene.world.node_tree
    environment = tree.nodes.new("ShaderNodeTexEnvironment")
    environment.image = image
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Rotation"].default_value[2] = radians(degrees)
    where = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(where.outputs["Generated"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs[0], environment.inputs["Vector"])
    tree.links.new(environment.outputs[0], tree.nodes["Background"].inputs["Color"])
    return mapping


def _look_straight(scene: bpy.types.Scene, portrait: bpy.types.Object) -> None:
    corners = np.array([tuple(vertex.co) for vertex in portrait.data.vertices])
    low, high = corners.min(axis=0), corners.max(axis=0)
    data = bpy.data.cameras.new("Straight")
    data.type, data.ortho_scale = "ORTHO", float((high - low).max())
    camera = bpy.data.objects.new("Straight", data)
    camera.parent = portrait
    camera.location = (*((low + high) / 2)[:2], 1.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    size = bpy.data.images[portrait.name].size
    scene.render.resolution_x, scene.render.resolution_y = size


def _rendered(scene: bpy.types.Scene, path: Path, engine: str) -> np.ndarray:
    """[H, W, 4], as the display would show it."""
    if engine == "CYCLES":
        scene.render.engine = "CYCLES"
        scene.cycles.samples, scene.cycles.use_denoising = 1, False
        scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
    else:
        names = [item.identifier for item in scene.render.bl_rna.properties["engine"].enum_items_static]
        scene.render.engine = next(name for name in ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE") if name in names)
        scene.eevee.taa_render_samples = 16
        scene.render.filter_size = 0.1  # 0 would be a box
    scene.render.film_transparent = True
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "16"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path), check_existing=False)
    image.alpha_mode = "CHANNEL_PACKED"
    image.colorspace_settings.name = "Non-Color"
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(image_rows(scene), -1, 4)


def image_rows(scene: bpy.types.Scene) -> int:
    """Rows of a render."""
    return scene.render.resolution_y


if __name__ == "__main__":
    main(*sys.argv[1:])
