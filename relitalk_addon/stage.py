"""Standing a take in the scene: its plane, its place before the camera or on the ground, its material, its sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, pi
from pathlib import Path

import bpy
from mathutils import Matrix, Vector

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.take import Placement, Take
from . import compat, live_material, plane, portraits
from .portraits import TAKE

COLLECTION = "ReliTalk"
FACING = "ReliTalk Facing"
"""The constraint that turns a portrait to the camera."""
ORTHO_AWAY = 2.0
"""Metres from an orthographic camera, whose picture does not depend on it."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Placing:
    """How a take is stood in the scene."""

    start: int = 1
    """Scene frame of the take's frame 0."""
    outside: str = "HOLD"
    stand: str = "GROUND"
    """A new portrait: GROUND: its lower edge on the cursor; EYES: its eyes above it; CAMERA: in the camera's frame."""
    eye_height: float = 1.6
    """Metres, for EYES."""
    faces_camera: bool = False
    """It turns to the scene's camera, about its own upright axis."""
    relief: bool = False
    mode: str = live_material.BAKED
    """What a new portrait is lit by."""
    shadow: bool = False
    exposure: float | None = None
    """Stops; None: a portrait that stands there keeps its own."""
    as_filmed: bool = False
    """The scene's view becomes Standard, so that the display equals the take."""
    sound: bool = True


def open_take(folder: Path | str) -> Take:
    """A finished take.

    Raises:
        ReliTalkError: there is none, or it is not whole.
    """
    return Take.open(folder)


def place(
    context: bpy.types.Context, take: Take, placing: Placing, say: Say, instead: bpy.types.Object | None = None
) -> bpy.types.Object:
    """Stand a take in the scene, or bring the one that stands there up to date; its transform and animation stay.

    Args:
        context: whose scene it is.
        take: a finished take.
        placing: where, when, how.
        say: told in a sentence what could not be done.
        instead: the portrait whose take it replaces.

    Returns:
        The portrait.

    Raises:
        ReliTalkError: it shall stand before a camera that is not there, or lacks what was asked for.
    """
    scene = context.scene
    name = f"ReliTalk {take.path.name}"
    where = plane.placement(take, say)
    thing = instead or _standing(scene, take)
    fresh = thing is None
    if fresh:
        if (placing.stand == "CAMERA" or placing.faces_camera) and scene.camera is None:
            raise ReliTalkError("no_camera", f"{scene.name} has no camera to stand before.", "Add a camera first.")
        thing = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    elif instead is not None:
        _remove_sound(scene, thing.name)
        for owner in (thing, thing.data, thing.active_material):
            if owner is not None:
                owner.name = name
    if thing.active_material is None or live_material.PICTURES not in compat.ensure_nodes(thing.active_material).nodes:
        thing.data.materials.clear()
        thing.data.materials.append(bpy.data.materials.new(name))
    own = thing.relitalk
    relief = own.relief if not fresh else placing.relief
    plane.shape(thing.data, take, where, relief)
    if fresh:
        _collection(scene).objects.link(thing)
        own.quietly(mode=placing.mode, relief=relief)
        _stand(context, thing, take, where, placing)
    thing[TAKE] = str(take.path.absolute())
    own.quietly(start=placing.start, outside=placing.outside, shadow=placing.shadow)
    if fresh or placing.exposure is not None:
        own.quietly(exposure=placing.exposure or 0.0)
    face_camera(thing, scene, placing.faces_camera or (not fresh and FACING in thing.constraints))
    try:
        portraits.refresh(thing, take)
    except ReliTalkError as error:
        if own.mode == live_material.BAKED:
            raise
        say(f"{error} It is shown as it was rendered.")
        own.quietly(mode=live_material.BAKED)
        portraits.refresh(thing, take)
    if placing.sound:
        _sound(scene, take, placing.start, name, say)
    if placing.as_filmed:
        as_filmed(scene)
    return thing


def face_camera(thing: bpy.types.Object, scene: bpy.types.Scene, facing: bool) -> None:
    """Let a portrait turn to the scene's camera about its own upright axis, or stand as it is."""
    constraint = thing.constraints.get(FACING)
    if not facing or scene.camera is None:
        if constraint is not None and not facing:
            thing.constraints.remove(constraint)
        return
    constraint = constraint or thing.constraints.new("LOCKED_TRACK")
    constraint.name = FACING
    constraint.target = scene.camera
    constraint.track_axis, constraint.lock_axis = "TRACK_Z", "LOCK_Y"


def _stand(
    context: bpy.types.Context, thing: bpy.types.Object, take: Take, where: Placement, placing: Placing
) -> None:
    """Give a new portrait its place."""
    scene = context.scene
    if placing.stand == "CAMERA":
        context.view_layer.update()
        thing.matrix_world = _before_camera(scene, take, where)
        return
    thing.rotation_euler = (pi / 2, 0.0, 0.0)
    thing.location = scene.cursor.location
    below = (take.info.size[1] - where.eye_centre[1]) * where.metres_per_pixel
    thing.location.z += placing.eye_height if placing.stand == "EYES" else below


def _before_camera(scene: bpy.types.Scene, take: Take, where: Placement) -> Matrix:
    """Where a portrait of true size fills the camera's frame; before an orthographic camera its size is made to fit."""
    camera = scene.camera
    frame = camera.data.view_frame(scene=scene)
    low, high = (Vector(fold(corner[axis] for corner in frame) for axis in range(3)) for fold in (min, max))
    width, height = (side * where.metres_per_pixel for side in take.info.size)
    middle = Vector((take.info.size[0] / 2 - where.eye_centre[0], where.eye_centre[1] - take.info.size[1] / 2, 0.0))
    middle *= where.metres_per_pixel  # of the plane, as its origin, the eyes, sees it
    fill = min((high.x - low.x) / width, (high.y - low.y) / height)
    centre = (low + high) / 2
    turned = camera.matrix_world.normalized()
    if camera.data.type == "ORTHO":
        at = Vector((centre.x, centre.y, -ORTHO_AWAY)) - fill * middle
        return turned @ Matrix.Translation(at) @ Matrix.Scale(fill, 4)
    return turned @ Matrix.Translation(centre / fill - middle)


def as_filmed(scene: bpy.types.Scene) -> None:
    """Let the display show scene-linear values as they are: the Standard view, and nothing added, noise neither."""
    scene.display_settings.display_device = "sRGB"
    scene.render.dither_intensity = 0.0
    view = scene.view_settings
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0
    view.use_curve_mapping = False


def _standing(scene: bpy.types.Scene, take: Take) -> bpy.types.Object | None:
    here = take.path.absolute()
    for thing in portraits.portraits(scene):
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


def _remove_sound(scene: bpy.types.Scene, name: str) -> int:
    """Take a portrait's strip off the sequencer; its channel, 0 where there was none."""
    channel = 0
    if scene.sequence_editor is not None:
        strips = compat.strips(scene.sequence_editor)
        for strip in [strip for strip in strips if strip.name == name and strip.type == "SOUND"]:
            channel = strip.channel
            strips.remove(strip)
    return channel


def _sound(scene: bpy.types.Scene, take: Take, start: int, name: str, say: Say) -> None:
    """Lay the take's sound on the sequencer; the strip of an earlier placing gives way to it."""
    editor = scene.sequence_editor_create()
    strips = compat.strips(editor)
    channel = _remove_sound(scene, name)
    if take.sound is None:
        return
    rate = Fraction(scene.render.fps) / Fraction(scene.render.fps_base).limit_denominator(100000)
    frames = ceil(Fraction(take.info.total) / take.info.fps * rate)
    if not channel:
        channel = _free_channel(strips, start, start + frames)
    try:
        strip = strips.new_sound(name, str(take.sound), channel, start)
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
