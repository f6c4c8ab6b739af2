"""The placed portraits: which they are, how they stand, and what each keeps of its own: mode, timing, grade."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.take import Take
from . import live_material, plane, proxy, settings
from .live_material import BAKED, LAMPS, SCENE, WORLD, Look
from .timing import Timing

TAKE = "relitalk_take"
"""Custom property of a portrait: the path of its take."""
ALONG_Y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Axes (columns) of a portrait whose viewer looks along +Y: x right, y up, z towards the viewer."""
MODES = [
    (BAKED, "Baked", "The finished frames, as the engine lit them"),
    (WORLD, "Live from World", "The passes, lit by the scene's world as it is now"),
    (SCENE, "Live from Scene", "The passes, lit by all that shines and stands around the portrait"),
    (LAMPS, "Scene Lights", "A surface with the take's albedo, normals and highlights, which lamps light directly"),
]

_quiet = False
_relit: Callable[[bpy.types.Object], None] | None = None


def when_relit(callback: Callable[[bpy.types.Object], None] | None) -> None:
    """Who lights a portrait whose mode lights it live: told each time that its material was made anew."""
    global _relit
    _relit = callback


def portraits(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The placed portraits of a scene."""
    return [thing for thing in scene.objects if thing.get(TAKE) and thing.type == "MESH"]


def portrait(context: bpy.types.Context) -> bpy.types.Object | None:
    """The portrait that is meant: the active one, else the one of the settings' take, else the only or newest one."""
    found = portraits(context.scene)
    active = context.view_layer.objects.active
    if active in found:
        return active
    wanted = Path(bpy.path.abspath(context.scene.relitalk.take)).name
    for thing in found:
        if wanted and Path(thing[TAKE]).name == wanted:
            return thing
    return found[-1] if found else None


def axes(context: bpy.types.Context, thing: bpy.types.Object | None) -> np.ndarray:
    """The light's frame in the world, [3, 3], columns x right, y up, z towards the viewer.

    The portrait's; without one the scene camera's; else that of a viewer who looks along +Y.
    """
    owner = thing or context.scene.camera
    if owner is None:
        return ALONG_Y.copy()
    context.view_layer.update()
    return axes_of(owner)


def axes_of(owner: bpy.types.Object) -> np.ndarray:
    """The axes of a portrait or of a camera as they stand at this frame, [3, 3], columns x, y, z of unit length."""
    columns = np.array(owner.matrix_world.to_3x3(), float)
    x = columns[:, 0] / np.linalg.norm(columns[:, 0])
    y = columns[:, 1] - x * (x @ columns[:, 1])
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def take_of(thing: bpy.types.Object) -> Take:
    """The take of a portrait.

    Raises:
        ReliTalkError: it was deleted, moved or damaged since.
    """
    return Take.open(bpy.path.abspath(thing[TAKE]))


def look_of(thing: bpy.types.Object) -> Look:
    """How a portrait is shown."""
    own = thing.relitalk
    return Look(own.mode, own.shadow, own.exposure, own.warmth, own.tint)


def refresh(thing: bpy.types.Object, take: Take | None = None) -> None:
    """Make a portrait's material anew after a change of what it keeps.

    Args:
        thing: the portrait.
        take: its take, where it is open already.

    Raises:
        ReliTalkError: its take is gone, or has no passes for the mode.
    """
    take = take or take_of(thing)
    own = thing.relitalk
    timing = Timing(_scene(thing), own.start, own.outside)
    live_material.show(thing.active_material, take, timing, look_of(thing))
    thing.visible_shadow = own.shadow
    if own.proxy:
        proxy.show(thing, take, timing)
    if own.mode in live_material.LIVE and _relit is not None:
        _relit(thing)


def _scene(thing: bpy.types.Object) -> bpy.types.Scene:
    return thing.users_scene[0] if thing.users_scene else bpy.context.scene


def _changed(own: bpy.types.PropertyGroup, _: bpy.types.Context) -> None:
    if _quiet:
        return
    thing = own.id_data
    own.problem = ""
    if not thing.get(TAKE) or thing.active_material is None:
        return
    try:
        refresh(thing)
    except ReliTalkError as error:
        if own.mode != BAKED:
            own.mode = BAKED  # what can be shown
        own.problem = str(error)


def _graded(own: bpy.types.PropertyGroup, _: bpy.types.Context) -> None:
    if _quiet:
        return
    material = own.id_data.active_material
    if material is not None and material.node_tree and live_material.BALANCE in material.node_tree.nodes:
        live_material.grade(material, look_of(own.id_data))


def _reshaped(own: bpy.types.PropertyGroup, _: bpy.types.Context) -> None:
    if _quiet:
        return
    thing = own.id_data
    own.problem = ""
    if not thing.get(TAKE):
        return
    try:
        take = take_of(thing)
        plane.shape(thing.data, take, plane.placement(take, lambda _: None), own.relief)
    except ReliTalkError as error:
        own.quietly(relief=False)
        own.problem = str(error)


def _proxied(own: bpy.types.PropertyGroup, _: bpy.types.Context) -> None:
    if _quiet:
        return
    thing = own.id_data
    own.problem = ""
    try:
        proxy.show(thing, take_of(thing) if own.proxy else None, Timing(_scene(thing), own.start, own.outside))
    except ReliTalkError as error:
        own.quietly(proxy=False)
        own.problem = str(error)


class RELITALK_Portrait(bpy.types.PropertyGroup):
    """What a placed portrait keeps of its own."""

    def quietly(self, **values: object) -> None:
        """Set values without making the material or the mesh anew."""
        global _quiet
        _quiet = True
        try:
            for name, value in values.items():
                setattr(self, name, value)
        finally:
            _quiet = False

    mode: EnumProperty(
        name="Light", items=MODES, default=BAKED, update=_changed, description="What the portrait is lit by",
    )
    start: IntProperty(
        name="Start Frame", default=1, update=_changed, description="Scene frame at which the take begins",
    )
    outside: EnumProperty(
        name="Outside", items=settings.OUTSIDE, update=_changed, description="Before and after the take",
    )
    shadow: BoolProperty(
        name="Casts Shadow", update=_changed, description="Its outline throws a shadow into the scene",
    )
    exposure: FloatProperty(
        name="Exposure", soft_min=-5.0, soft_max=5.0, update=_graded, description="Stops by which it is shown brighter",
    )
    warmth: FloatProperty(
        name="Warmth", soft_min=-2.0, soft_max=2.0, update=_graded,
        description="White balance: stops of red over blue",
    )
    tint: FloatProperty(
        name="Tint", soft_min=-2.0, soft_max=2.0, update=_graded,
        description="White balance: stops of magenta over green",
    )
    relief: BoolProperty(
        name="Relief", update=_reshaped,
        description="The face stands out of the plane as the fitted head does, so that it turns as a camera moves",
    )
    proxy: BoolProperty(
        name="Proxy in Viewport", update=_proxied,
        description="The viewport plays a small copy of the finished frames; renders show the portrait itself",
    )
    keyed: BoolProperty(
        name="Keyed Light", description="Its light is kept for every frame and does not follow edits",
    )
    problem: StringProperty(name="Problem", description="Why it could not be shown as asked", options={"SKIP_SAVE"})


def register() -> None:
    """Called from the root."""
    bpy.utils.register_class(RELITALK_Portrait)
    bpy.types.Object.relitalk = PointerProperty(type=RELITALK_Portrait)


def unregister() -> None:
    """Called from the root; the portraits keep what was set."""
    del bpy.types.Object.relitalk
    bpy.utils.unregister_class(RELITALK_Portrait)
