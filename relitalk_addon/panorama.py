"""What is seen from a point, as a panorama: a world's image read as it is, or the scene rendered all around."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import pi
from pathlib import Path

import bmesh
import bpy
import numpy as np
from mathutils import Euler, Vector

from ..relitalk_engine.errors import ReliTalkError
from . import compat

LEAST_HEIGHT = 1024
MOST_HEIGHT = 4096
MOST_ROWS = 1024
"""Of a panorama's pixels; its light is the same to a thousandth."""
BALL = 0.01
"""Radius in metres of the sphere around the camera through which it sees without being a camera."""
SAMPLES = 4
"""A pixel; what is integrated is the mean over two million of them."""
AROUND_HEIGHT, AROUND_SAMPLES = 128, 16
"""Rows and samples of what stands around, which without lamps and world holds nothing small and bright."""


def read_image(image: bpy.types.Image) -> np.ndarray | None:
    """An image's radiance as the Environment Texture node shows it; of a large one, the means of squares of pixels.

    Returns:
        [H, W, 3] float32, linear Rec.709, row 0 at the top, of at most `MOST_ROWS` rows where its size can be divided
        so; None where its colour space takes a render to know.

    Raises:
        ReliTalkError: its file cannot be read.
    """
    width, height = image.size
    if not width or not height or not len(image.pixels):
        raise ReliTalkError(
            "no_such_file", f"The world's image {image.name} cannot be read from {bpy.path.abspath(image.filepath)}.",
            "Find the missing file, or pack it into the .blend.",
        )
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    space = image.colorspace_settings.name
    if image.is_float or space == "Non-Color":
        return to_rec709(_means(flat, width, height, image.channels))
    pixels = flat.reshape(height, width, image.channels)[::-1, :, : 3 if image.channels >= 3 else 1]
    pixels = np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))
    if space == "sRGB":
        return np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return None


def _means(flat: np.ndarray, width: int, height: int, channels: int) -> np.ndarray:
    """Linear pixels, row 0 at the bottom, as [H, W, 3] with row 0 at the top, each square by its solid angle."""
    side = -(-height // MOST_ROWS)
    if height % side or width % side:
        side = 1
    choose = np.eye(channels, 3) if channels >= 3 else np.eye(channels, 1) @ np.ones((1, 3))
    choose = np.tile(choose / side, (side, 1)).astype(np.float32)
    narrow = (flat.reshape(-1, side * channels) @ choose).reshape(height // side, side, -1)
    edges = np.sin(np.pi * (np.arange(height + 1) / height - 0.5))
    share = np.diff(edges).reshape(-1, side)
    share = (share / share.sum(1, keepdims=True)).astype(np.float32)
    return np.einsum("rsx,rs->rx", narrow, share)[::-1].reshape(height // side, width // side, 3)


def to_rec709(linear: np.ndarray) -> np.ndarray:
    """From Blender's working space to linear Rec.709, [..., 3]."""
    matrix = compat.working_to_rec709()
    if np.allclose(matrix, np.eye(3), atol=1e-4):
        return linear
    return (linear @ matrix.T.astype(np.float32)).astype(np.float32)


def of_world(world: bpy.types.World) -> np.ndarray:
    """Render a world all around, as it lights and not as it looks behind things.

    Returns:
        [H, W, 3] float32, linear Rec.709, Blender's equirectangular layout.
    """
    scene = bpy.data.scenes.new("ReliTalk Light")
    try:
        scene.world = world
        return _render(scene, Vector(), _height(world))
    finally:
        bpy.data.scenes.remove(scene)


def of_scene(source: bpy.types.Scene, at: Vector, hidden: list[bpy.types.Object]) -> tuple[np.ndarray, np.ndarray]:
    """Render what stands around a point, lit as it is; the lamps themselves and the world are not in the picture.

    Args:
        source: the scene; it is copied, and its objects are shared.
        at: the point, world axes.
        hidden: what shall not be seen: the portraits.

    Returns:
        Radiance [H, W, 3] float32, linear Rec.709, Blender's equirectangular layout; and how much of the world is seen
        past it, [H, W] 0..1.
    """
    scene = source.copy()
    lamps = [thing for thing in source.objects if thing.type == "LIGHT"]
    was = [(thing, "hide_render", thing.hide_render) for thing in hidden]
    for name in ("visible_camera", "visible_transmission"):
        was += [(lamp, name, getattr(lamp, name)) for lamp in lamps]
    try:
        for thing, name, _ in was:
            setattr(thing, name, name == "hide_render")
        rgba = _render(scene, at, AROUND_HEIGHT, alpha=True)
        return rgba[..., :3], np.clip(1.0 - rgba[..., 3], 0.0, 1.0)
    finally:
        for thing, name, seen in was:
            setattr(thing, name, seen)
        bpy.data.scenes.remove(scene)


def _height(world: bpy.types.World) -> int:
    """Rows of the largest texture in a world's nodes, within bounds."""
    tallest = LEAST_HEIGHT
    trees = [world.node_tree] if world.node_tree else []
    while trees:
        for node in trees.pop().nodes:
            if getattr(node, "image", None):
                tallest = max(tallest, node.image.size[1])
            if getattr(node, "node_tree", None):
                trees.append(node.node_tree)
    return min(tallest, MOST_HEIGHT)


def _render(scene: bpy.types.Scene, at: Vector, height: int, alpha: bool = False) -> np.ndarray:
    """[H, W, 3], or with alpha and without the world [H, W, 4]."""
    _plain(scene, height)
    if alpha:
        scene.render.film_transparent = scene.cycles.film_transparent_glass = True
        scene.render.image_settings.color_mode = "RGBA"
        scene.cycles.samples = AROUND_SAMPLES
    with _eye(scene, at), tempfile.TemporaryDirectory(prefix="relitalk-") as folder:
        path = Path(folder) / "panorama.exr"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True, scene=scene.name)
        image = bpy.data.images.load(str(path))
        try:
            # the file holds linear Rec.709 or what its header says; Blender brings it to the working space
            flat = np.empty(2 * height * height * image.channels, np.float32)
            image.pixels.foreach_get(flat)
            pixels = flat.reshape(height, 2 * height, image.channels)[::-1]
        finally:
            bpy.data.images.remove(image)
    radiance = np.maximum(to_rec709(np.ascontiguousarray(pixels[..., :3])), 0.0)
    return np.dstack([radiance, pixels[..., 3]]) if alpha else radiance


def _plain(scene: bpy.types.Scene, height: int) -> None:
    """Nothing but light: no clamps, no denoiser, no film, no compositor."""
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y, render.resolution_percentage = 2 * height, height, 100
    render.use_border = render.use_multiview = render.use_motion_blur = render.use_simplify = False
    render.film_transparent = False
    render.filter_size = 1.0
    compat.use_exr(render.image_settings)
    compat.skip_compositor(scene)
    cycles = scene.cycles
    cycles.samples = SAMPLES
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0.0
    cycles.pixel_filter_type = "BOX"
    cycles.film_exposure = 1.0
    cycles.time_limit = 0.0
    cycles.max_bounces = max(cycles.max_bounces, 8)
    cycles.transmission_bounces = max(cycles.transmission_bounces, 8)
    for layer in scene.view_layers:
        layer.material_override = None
        layer.samples = 0


@contextmanager
def _eye(scene: bpy.types.Scene, at: Vector) -> Iterator[None]:
    """A panoramic camera that looks along +X, inside a ball of IOR 1, so that no ray it sends on is a camera ray."""
    data = bpy.data.cameras.new("ReliTalk Eye")
    data.type = "PANO"
    data.panorama_type = "EQUIRECTANGULAR"
    data.latitude_min, data.latitude_max = -pi / 2, pi / 2
    data.longitude_min, data.longitude_max = -pi, pi
    data.clip_start, data.clip_end = BALL / 10, 1e6
    camera = bpy.data.objects.new("ReliTalk Eye", data)
    camera.location = at
    camera.rotation_euler = Euler((pi / 2, 0.0, -pi / 2))
    mesh = bpy.data.meshes.new("ReliTalk Ball")
    shape = bmesh.new()
    bmesh.ops.create_icosphere(shape, subdivisions=2, radius=BALL)
    shape.to_mesh(mesh)
    shape.free()
    ball = bpy.data.objects.new("ReliTalk Ball", mesh)
    ball.location = at
    ball.visible_shadow = ball.visible_diffuse = ball.visible_glossy = False
    ball.visible_transmission = ball.visible_volume_scatter = False
    glass = bpy.data.materials.new("ReliTalk Ball")
    nodes = compat.ensure_nodes(glass)
    nodes.nodes.clear()
    through = nodes.nodes.new("ShaderNodeBsdfRefraction")
    through.inputs["IOR"].default_value = 1.0
    through.inputs["Roughness"].default_value = 0.0
    output = nodes.nodes.new("ShaderNodeOutputMaterial")
    nodes.links.new(through.outputs[0], output.inputs["Surface"])
    mesh.materials.append(glass)
    scene.collection.objects.link(camera)
    scene.collection.objects.link(ball)
    scene.camera = camera
    try:
        yield
    finally:
        for thing in (camera, ball):
            bpy.data.objects.remove(thing)
        bpy.data.cameras.remove(data)
        bpy.data.meshes.remove(mesh)
        bpy.data.materials.remove(glass)
