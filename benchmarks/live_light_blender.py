"""Run with Python and bpy, without the engine's libraries: live portraits beside their baked frames, as JSON lines.

python live_light_blender.py ZIP TAKE HDRI ROTATION ENGINE [PICTURES]
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


def main(zip_file: str, take: str, hdri: str, rotation: str, engine: str, pictures: str = "") -> None:
    """Print how a live portrait differs from its baked frame under one world."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=zip_file, repo="user_default", enable_on_install=True)
    scene = bpy.context.scene
    bpy.context.preferences.system.anisotropic_filter = "FILTER_0"
    scene.relitalk.look = "AS_FILMED"
    _world(scene, hdri, float(rotation))
    bpy.ops.relitalk.place_take(take=take)
    portrait = bpy.context.view_layer.objects.active
    _look_straight(scene, portrait)
    scene.frame_set(1)
    folder = Path(pictures or USER.name)
    baked = _rendered(scene, folder / f"baked_{engine}.png", engine)
    began = time.perf_counter()
    portrait.relitalk.mode = "WORLD"
    first = time.perf_counter() - began
    turn = scene.world.node_tree.nodes["Mapping"].inputs["Rotation"].default_value
    part = __import__(f"{portrait.relitalk.__class__.__module__.rpartition('.')[0]}.live_light", fromlist=["update"])
    turn[2] += 0.5
    bpy.context.view_layer.update()
    began = time.perf_counter()
    part.update(portrait)
    again = time.perf_counter() - began
    turn[2] -= 0.5
    bpy.context.view_layer.update()
    part.update(portrait)
    live = _rendered(scene, folder / f"live_{engine}.png", engine)
    inside = baked[..., 3] > 0.02
    away = np.abs(live[..., :3] - baked[..., :3])[inside] * 255
    print(json.dumps({
        "mean": float(away.mean()), "most": float(np.percentile(away, 99.9)), "first_s": first, "again_s": again,
        "alpha": float(np.abs(live[..., 3] - baked[..., 3]).max() * 255), "problem": portrait.relitalk.problem,
    }), flush=True)


def _world(scene: bpy.types.Scene, hdri: str, degrees: float) -> None:
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    tree = scene.world.node_tree
    environment = tree.nodes.new("ShaderNodeTexEnvironment")
    environment.image = bpy.data.images.load(hdri)
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Rotation"].default_value[2] = radians(degrees)
    where = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(where.outputs["Generated"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs[0], environment.inputs["Vector"])
    tree.links.new(environment.outputs[0], tree.nodes["Background"].inputs["Color"])


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
        scene.render.filter_size = 0.1  # at the pixels' centres; 0 would be a box
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
