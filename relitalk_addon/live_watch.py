"""Follows what lights live portraits: at once where the light can be computed, else when nothing changed for a while.

Handlers only note that something changed; a timer does the work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import bpy
from bpy.app.handlers import persistent

from ..relitalk_engine.errors import ReliTalkError
from . import live_light, live_material, portraits

EVERY = 0.1
REST = 0.5
"""Seconds without a change before what must be rendered is rendered."""
ECHO = 0.3
"""Seconds after a render in which what is noted is that render's own doing."""
OWN = (bpy.types.Material, bpy.types.Image, bpy.types.NodeTree)


@dataclass
class _State:
    """What the handlers noted and the timer did."""

    changed: float | None = None
    """When something last changed; None: nothing since all was lit."""
    deaf_until: float = 0.0


_state = _State()


def relit(thing: bpy.types.Object) -> None:
    """Follows a change of a portrait's material or mode; a failure is kept where the panel shows it."""
    live_light.forget(thing)
    thing.relitalk.problem = ""
    try:
        live_light.update(thing)
    except ReliTalkError as error:
        thing.relitalk.problem = str(error)


def _live(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    return [
        thing for thing in portraits.portraits(scene)
        if thing.relitalk.mode in live_material.LIVE and not thing.relitalk.keyed
    ]


def tick(now: float) -> None:
    """Light what a change asks for: what can be computed at once, the rest when nothing changed for a while.

    Args:
        now: seconds of `time.monotonic`.
    """
    if _state.changed is None or bpy.app.is_job_running("RENDER"):
        return
    rested = now - _state.changed >= REST
    done = True
    for thing in _live(bpy.context.scene):
        try:
            done &= live_light.update(thing, wait=rested)
        except (ReliTalkError, RuntimeError) as error:  # Blender's own renderer may refuse, and the timer must go on
            thing.relitalk.problem = str(error)
        else:
            thing.relitalk.problem = ""
    if done:
        _state.changed = None
        if rested:
            _state.deaf_until = time.monotonic() + ECHO


def _timer() -> float:
    tick(time.monotonic())
    return EVERY


@persistent
def _note(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """Note that something changed which may be light; never more than that, as handlers must not edit."""
    if time.monotonic() < _state.deaf_until or not _live(scene):
        return
    if depsgraph is None or any(map(_may_shine, depsgraph.updates)):
        _state.changed = time.monotonic()


def _may_shine(update: bpy.types.DepsgraphUpdate) -> bool:
    """Whether a change may be one of light: not that of the portraits' own materials and pictures."""
    data = update.id
    if isinstance(data, (bpy.types.Object, bpy.types.Mesh)):  # what shades them is told of by itself
        return update.is_updated_transform or update.is_updated_geometry
    own = isinstance(data, OWN) and data.name.startswith(("ReliTalk ", "Shader Nodetree"))
    return not (own or isinstance(data, bpy.types.Scene))  # whose world is told of by itself too


@persistent
def _loaded(*_: object) -> None:
    """Another file, or an undone step: what was known counts no more."""
    live_light.forget_all()
    _state.changed = time.monotonic()


_HANDLERS = {
    "depsgraph_update_post": _note, "frame_change_post": _note, "load_post": _loaded, "undo_post": _loaded,
    "redo_post": _loaded,
}


def register() -> None:
    """Called from the root."""
    portraits.when_relit(relit)
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    if not bpy.app.background:
        bpy.app.timers.register(_timer, first_interval=EVERY, persistent=True)


def unregister() -> None:
    """Called from the root."""
    portraits.when_relit(None)
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_timer):
        bpy.app.timers.unregister(_timer)
