"""Standing a take in the scene: a plane of true size with its origin between the eyes, its material, its sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, pi
from pathlib import Path

import bpy
import numpy as np

from ..relitalk_engine.take import Placement, Take
from . import compat, live_material
from .live_material import Timing

COLLECTION = "ReliTalk"
TAKE = "relitalk_take"
"""Custom property of a portrait: the path of its take."""
HEAD_WIDTH = 0.15
"""Metres across a head at the ears, for takes that do not know their size."""
ALONG_Y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Axes (columns) of a portrait whose viewer looks along +Y: x right, y up, z towards the viewer."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Look:
    """How a portrait is shown."""

    as_filmed: bool = False
    """The scene's view becomes Standard, so that the display equals the take."""
    shadow: bool = False
    exposure: float = 0.0
    """Stops."""


def open_take(folder: Path | str) -> Take:
    """A finished take.

    Raises:
        ReliTalkError: there is none, or it is not whole.
    """
    return Take.open(folder)


def portraits(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The placed portraits of a scene."""
    return [thing for thing in scene.objects if thing.get(TAKE) and thing.type == "MESH"]


def portrait(context: bpy.types.Context) -> bpy.types.Object | None:
    """The portrait that is meant: the active one, else the one of the settings' take, else the only or newest one."""
    found = portraits(context.scene)
    if context.view_layer.objects.active in found:
        return context.view_layer.objects.active
    wanted = Path(bpy.path.abspath(context.scene.relitalk.take)).name
    for thing in found:
        if wanted and Path(thing[TAKE]).name == wanted:
            return thing
    return found[-1] if found else None


def axes(context: bpy.types.Context) -> np.ndarray:
    """The light's frame in the world, [3, 3], columns x right, y up, z towards the viewer.

    The portrait's; without one the scene camera's; else that of a viewer who looks along +Y.
    """
    owner = portrait(context) or context.scene.camera
    if owner is None:
        return ALONG_Y.copy()
    matrix = owner.evaluated_get(context.evaluated_depsgraph_get()).matrix_world.to_3x3()
    columns = np.array(matrix, float)
    x = columns[:, 0] / np.linalg.norm(columns[:, 0])
    y = columns[:, 1] - x * (x @ columns[:, 1])
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def place(context: bpy.types.Context, take: Take, timing: Timing, look: Look, say: Say) -> bpy.types.Object:
    """Stand a take in the scene, or bring the one that stands there up to date; its transform and animation stay.

    Args:
        context: whose scene it is.
        take: a finished take.
        timing: when it is seen.
        look: how it is shown.
        say: told in a sentence what could not be done.

    Returns:
        The portrait.
    """
    scene = context.scene
    name = f"ReliTalk {take.path.name}"
    where = placement(take, say)
    thing = _standing(scene, take)
    if thing is None:
        thing = bpy.data.objects.new(name, bpy.data.meshes.new(name))
        _collection(scene).objects.link(thing)
        thing.rotation_euler = (pi / 2, 0.0, 0.0)
        thing.location = scene.cursor.location
        thing.location.z += (take.info.size[1] - where.eye_centre[1]) * where.metres_per_pixel  # stands on the cursor
    thing[TAKE] = str(take.path.absolute())
    _shape(thing.data, take, where)
    material = thing.active_material
    if material is None or live_material.PICTURES not in compat.ensure_nodes(material).nodes:
        material = bpy.data.materials.new(name)
        thing.data.materials.clear()
        thing.data.materials.append(material)
    live_material.bake(material, take, timing, look.shadow, look.exposure)
    thing.visible_shadow = look.shadow
    _sound(scene, take, timing, name, say)
    if look.as_filmed:
        as_filmed(scene)
    return thing


def as_filmed(scene: bpy.types.Scene) -> None:
    """Let the display show scene-linear values as they are: the Standard view, and nothing added, noise neither."""
    scene.display_settings.display_device = "sRGB"
    scene.render.dither_intensity = 0.0
    view = scene.view_settings
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0
    view.use_curve_mapping = False


def placement(take: Take, say: Say) -> Placement:
    """Where the eyes are and how large a pixel is; guessed from the driven area where the take does not know."""
    if take.info.placement is not None:
        return take.info.placement
    width, height = take.info.size
    if take.info.driven:
        x, y, w, h = np.mean(np.array(take.info.driven, float), axis=0)
        guess = Placement((x + w / 2, y - 0.4 * h), HEAD_WIDTH / (2.2 * w))
    else:
        guess = Placement((width / 2, 0.42 * height), 2.4 * HEAD_WIDTH / width)
    say("The take does not say how large the head is: its size is a guess.")
    return guess


def _standing(scene: bpy.types.Scene, take: Take) -> bpy.types.Object | None:
    here = take.path.absolute()
    for thing in portraits(scene):
        if Path(bpy.path.abspath(thing[TAKE])) == here:
            return thing
    return None


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    for child in scene.collection.children_recursive:
        if child.name == COLLECTION or child.name.startswith(COLLECTION + "."):
            return child
    made = bpy.data.collections.new(COLLECTION)
    scene.collection.children.link(made)
    return made


def _shape(mesh: bpy.types.Mesh, take: Take, place: Placement) -> None:
    """A rectangle in the plane's own XY, in metres, (0, 0) between the eyes."""
    width, height = take.info.size
    u, v = place.eye_centre
    size = place.metres_per_pixel
    left, right, top, bottom = -u * size, (width - u) * size, v * size, (v - height) * size
    corners = [(left, bottom, 0.0), (right, bottom, 0.0), (right, top, 0.0), (left, top, 0.0)]
    if len(mesh.vertices) != 4 or not mesh.uv_layers:
        mesh.clear_geometry()
        mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
        layer = mesh.uv_layers.new(name="UVMap")
        layer.data.foreach_set("uv", [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    else:
        mesh.vertices.foreach_set("co", [number for corner in corners for number in corner])
    mesh.update()


def _sound(scene: bpy.types.Scene, take: Take, timing: Timing, name: str, say: Say) -> None:
    """Lay the take's sound on the sequencer; the strip of an earlier placing gives way to it."""
    editor = scene.sequence_editor_create()
    strips = compat.strips(editor)
    channel = 0
    for strip in [strip for strip in strips if strip.name == name and strip.type == "SOUND"]:
        channel = strip.channel
        strips.remove(strip)
    if take.sound is None:
        return
    rate = Fraction(scene.render.fps) / Fraction(scene.render.fps_base).limit_denominator(100000)
    frames = ceil(Fraction(take.info.total) / take.info.fps * rate)
    if not channel:
        channel = _free_channel(strips, timing.start, timing.start + frames)
    try:
        strip = strips.new_sound(name, str(take.sound), channel, timing.start)
    except RuntimeError as error:
        say(f"The take stands in the scene without its sound: {str(error).removeprefix('Error: ').strip()}.")
        return
    strip.name = name
    scene.sync_mode = "AUDIO_SYNC"
    if compat.writes_film(scene) and scene.render.ffmpeg.audio_codec == "NONE":
        say("The film will be silent: choose an audio codec in the output properties.")


def _free_channel(strips: bpy.types.bpy_prop_collection, first: int, last: int) -> int:
    """The lowest channel on which nothing lies between two frames."""
    taken = set()
    for strip in strips:
        begins, ends = compat.strip_span(strip)
        if begins < last and ends > first:
            taken.add(strip.channel)
    return next(channel for channel in range(1, 1000) if channel not in taken)
