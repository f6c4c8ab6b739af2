"""The light on live portraits: found as the scene is, and written into the portrait's material."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.lighting import envmap, hair, lit_sphere
from ..relitalk_engine.lighting.light import Light
from ..relitalk_engine.lighting.portrait import departure
from . import compat, live_material, live_nodes, panorama, portraits, world_light
from .world_light import Sky

SIZE = 64
"""Rows of a lit sphere in the material."""
CACHED = 4
MOST_KEYS = 1024
"""Frames whose light one picture holds: 336 MB."""


_skies: dict[tuple, Sky] = {}
_sources: dict[tuple[str, float], Light] = {}
_lit: dict[str, tuple] = {}
"""What each portrait was last lit by, so that nothing is done twice."""


def update(thing: bpy.types.Object, wait: bool = True) -> bool:
    """Light a live portrait as the scene is at this frame.

    Args:
        thing: the portrait.
        wait: render what must be rendered; else only what can be computed at once is done.

    Returns:
        Whether it is lit; False where it takes a render and `wait` is false.

    Raises:
        ReliTalkError: there is no light, or the portrait's take is gone.
    """
    own = thing.relitalk
    if own.mode not in live_material.LIVE or own.keyed:
        return True
    print_of = fingerprint(thing)
    if print_of is not None and _lit.get(thing.name) == print_of:
        return True
    if print_of is None and not wait:
        return False
    apply(thing, [light_at(thing)])
    _lit[thing.name] = print_of or ()
    return True


def key(context: bpy.types.Context, thing: bpy.types.Object, frames: range) -> int:
    """Find a live portrait's light at scene frames and key it.

    Args:
        context: whose scene it is; it comes back to the frame at which it stood.
        thing: the portrait, in a live mode.
        frames: scene frames.

    Returns:
        How many.

    Raises:
        ReliTalkError: at one of them there is no light, or more are asked for than a picture can hold.
    """
    if len(frames) > MOST_KEYS:
        raise ReliTalkError(
            "too_many_frames", f"The light of {len(frames)} frames is more than can be kept; {MOST_KEYS} are.",
            "Choose a larger step, or fewer frames.",
        )
    scene, now = context.scene, context.scene.frame_current
    lights = []
    manager = context.window_manager
    manager.progress_begin(0, len(frames))
    try:
        for index, frame in enumerate(frames):
            scene.frame_set(frame)
            lights.append(light_at(thing))
            manager.progress_update(index)
    finally:
        manager.progress_end()
        scene.frame_set(now)
    apply(thing, lights, frames[0], frames.step)
    return len(lights)


def fingerprint(thing: bpy.types.Object) -> tuple | None:
    """What a portrait's light follows from, where it can be computed at once; None where it takes a render."""
    scene = _scene(thing)
    if thing.relitalk.mode != live_material.WORLD or scene.world is None:
        return None
    known = world_light.plain(scene.world)
    if known is None:
        return None
    axes = tuple(np.round(portraits.axes_of(thing).reshape(-1), 6))
    return _picture(known), known.colour, known.strength, known.lookup, axes, thing[portraits.TAKE]


def light_at(thing: bpy.types.Object) -> Light:
    """The light on a live portrait at this frame, in its own axes.

    Raises:
        ReliTalkError: there is no world, it is black, or its image cannot be read.
    """
    scene = _scene(thing)
    axes = portraits.axes_of(thing)
    if thing.relitalk.mode == live_material.SCENE:
        return world_light.around(scene, thing, axes)
    world = world_light.world_of(scene)
    sky = world_light.checked(_sky(world), world.name)
    return world_light.in_frame(sky, axes, {"kind": "world", "name": world.name})


def _sky(world: bpy.types.World) -> Sky:
    """A world's sky, of a size that turns quickly; a plain one's image is read once."""
    known = world_light.plain(world)
    if known is None or known.image is None:
        return world_light.of_world(world)
    key = _picture(known)
    if key not in _skies:
        radiance = panorama.read_image(known.image)
        if radiance is None:
            return world_light.of_world(world)
        radiance = envmap.checked_radiance(radiance, world.name)
        if radiance.shape[0] > world_light.FINE[0]:
            radiance = envmap.to_environment(radiance, size=world_light.FINE)
        while len(_skies) >= CACHED:
            del _skies[next(iter(_skies))]
        _skies[key] = Sky(radiance, np.eye(3))
    return Sky(_skies[key].radiance * np.float32(known.strength), np.reshape(known.lookup, (3, 3)))


def _picture(known: world_light.Plain) -> tuple:
    image = known.image
    if image is None:
        return ()
    return image.name_full, image.filepath, tuple(image.size), image.colorspace_settings.name


def apply(thing: bpy.types.Object, lights: list[Light], first: int | None = None, step: int = 1) -> None:
    """Light a portrait's material.

    Args:
        thing: the portrait, in a live mode.
        lights: one, or one for each of many scene frames, which are then keyed.
        first: scene frame of the first of many.
        step: frames between them.

    Raises:
        ReliTalkError: the portrait's take is gone.
    """
    take = portraits.take_of(thing)
    exponent = take.info.specular_exponent or live_material.EXPONENT
    source = _source(take.source_light_path)
    tree = thing.active_material.node_tree
    columns = int(np.ceil(np.sqrt(len(lights) / len(live_nodes.KINDS))))
    rows = -(-len(lights) // columns)
    image = _picture_of(tree, f"{thing.name} Light", columns * len(live_nodes.KINDS) * SIZE, rows * SIZE)
    image.pixels.foreach_set(tiles([_spheres(light, exponent) for light in lights], columns, rows))
    image.update()
    image.pack()  # so that it is saved with the file
    sphere, group = tree.nodes[live_material.SPHERE], tree.nodes[live_material.PORTRAIT]
    for name, value in (("Columns", columns), ("Rows", rows), ("Size", SIZE)):
        sphere.inputs[name].default_value = value
    values = np.array([_values(source, light) for light in lights])
    frames = None if first is None else first + step * np.arange(len(lights))
    for name, columns_of in zip((*live_nodes.COEFFICIENTS, live_nodes.SHARE), values.transpose(1, 2, 0), strict=True):
        _set(tree, group.inputs[name], columns_of, frames)
    _set(tree, tree.nodes[live_material.TILE].outputs[0], np.arange(len(lights))[None], frames)
    thing.relitalk.keyed = first is not None


def _spheres(light: Light, exponent: float) -> np.ndarray:
    """The lit spheres of a light (`live_nodes.KINDS`) beside each other, [S, 5 S, 3]."""
    smooth = lit_sphere.bake(light, exponent, SIZE)
    return np.concatenate([smooth.diffuse, smooth.specular, *hair.bake(light, SIZE).spheres], axis=1)


def tiles(spheres: list[np.ndarray], columns: int, rows: int) -> np.ndarray:
    """The lit spheres of lights as one picture, a tile each, row by row from the top; RGBA, flat."""
    wide = spheres[0].shape[1]
    picture = np.ones((rows * SIZE, columns * wide, 4), np.float32)
    for index, sphere in enumerate(spheres):
        row, column = (index // columns) * SIZE, (index % columns) * wide
        picture[row : row + SIZE, column : column + wide, :3] = sphere
    return np.ascontiguousarray(picture[::-1]).reshape(-1)


def _values(source: Light, light: Light) -> np.ndarray:
    """What the group is told of a light: its coefficients, and how much of the residual is left, [10, 3]."""
    strength, weight = departure(source, light)
    return np.concatenate([light.sh, (strength * weight)[None]])


def _set(tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket, values: np.ndarray, frames: np.ndarray | None) -> None:
    """Give a socket its value, or a key a frame; `values` are [C, N], N frames."""
    path = socket.path_from_id("default_value")
    compat.unkey(tree, path)
    first = tuple(float(part) for part in values[:, 0])
    socket.default_value = first if len(first) > 1 else first[0]
    if frames is not None:
        for component, column in enumerate(values):
            compat.key(tree, path, component, frames, column, held=len(first) == 1)


def _picture_of(tree: bpy.types.NodeTree, name: str, width: int, height: int) -> bpy.types.Image:
    """The material's light picture, of a size."""
    image = tree.nodes[live_material.LIGHT[0]].image
    if image is not None and tuple(image.size) != (width, height):
        bpy.data.images.remove(image)
        image = None
    if image is None:
        image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=True)
        image.colorspace_settings.name = "Non-Color"
        image.use_half_precision = False
    for node in live_material.LIGHT:
        tree.nodes[node].image = image
    return image


def _source(path: Path) -> Light:
    """The light that a take's clip was filmed in."""
    key = (str(path), path.stat().st_mtime if path.is_file() else 0.0)
    if key not in _sources:
        _sources.clear()
        _sources[key] = Light.load(path)
    return _sources[key]


def _scene(thing: bpy.types.Object) -> bpy.types.Scene:
    return thing.users_scene[0] if thing.users_scene else bpy.context.scene


def forget(thing: bpy.types.Object) -> None:
    """Light a portrait anew, though it seems to be lit as it should: its material was made anew."""
    _lit.pop(thing.name, None)


def forget_all() -> None:
    """Light all portraits anew, from images read anew: another file was loaded, or a step undone."""
    _lit.clear()
    _skies.clear()
