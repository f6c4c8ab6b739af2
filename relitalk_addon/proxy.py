"""A light stand-in for playback: small pictures on a plane that only the viewport shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.take import Take
from . import live_material
from .timing import Timing

FOLDER = "proxy"
SIDE = 256
"""Pixels of a proxy's longer side at most."""


class Small(Take):
    """A take seen by its proxies."""

    def __init__(self, take: Take) -> None:
        super().__init__(take.path, replace(take.info, exr=False, lights=[]))

    @property
    def beauty_dir(self) -> Path:
        """Where the proxies lie."""
        return self.path / FOLDER


def show(thing: bpy.types.Object, take: Take | None, timing: Timing) -> None:
    """Let the viewport play a portrait's proxies, or the portrait itself again.

    Args:
        thing: the portrait.
        take: its take; None: no proxies.
        timing: when it is seen.

    Raises:
        ReliTalkError: the proxies cannot be written.
    """
    name = f"{thing.name} Proxy"
    stand_in = next((child for child in thing.children if child.name == name), None)
    if take is None:
        if stand_in is not None:
            material = stand_in.material_slots[0].material
            bpy.data.objects.remove(stand_in)
            bpy.data.materials.remove(material)
        thing.hide_viewport = False
        return
    _write(take)
    if stand_in is None:
        stand_in = bpy.data.objects.new(name, thing.data)
        stand_in.parent = thing
        thing.users_collection[0].objects.link(stand_in)
        stand_in.hide_render = True
        stand_in.hide_select = True
        stand_in.material_slots[0].link = "OBJECT"
        stand_in.material_slots[0].material = bpy.data.materials.new(name)
    live_material.show(stand_in.material_slots[0].material, Small(take), timing, live_material.Look())
    thing.display_type = "TEXTURED"
    thing.hide_viewport = True


def _write(take: Take) -> None:
    """Write the proxies that are not there, or are older than their frames."""
    small = Small(take)
    light = take.info.lights[0] if take.info.lights else ""
    try:
        small.beauty_dir.mkdir(exist_ok=True)
        for frame in range(*take.info.frames):
            source, target = take.beauty_path(frame, light), small.beauty_path(frame)
            if not target.is_file() or target.stat().st_mtime < source.stat().st_mtime:
                _shrink(source, target, take.info.exr)
    except (OSError, RuntimeError) as error:
        raise ReliTalkError(
            "unwritable", f"The proxies of {take.path.name} cannot be written: {error}.", "Free the take's folder.",
        ) from error


def _shrink(source: Path, target: Path, linear: bool) -> None:
    image = bpy.data.images.load(str(source), check_existing=False)
    try:
        image.colorspace_settings.name = "Non-Color"
        image.alpha_mode = "PREMUL" if linear else "STRAIGHT"
        width, height = image.size
        factor = min(1.0, SIDE / max(width, height))
        image.scale(max(1, round(width * factor)), max(1, round(height * factor)))
        flat = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(flat)
        width, height = image.size
    finally:
        bpy.data.images.remove(image)
    pixels = flat.reshape(height, width, -1)
    alpha = pixels[..., 3:]
    if linear:
        straight = np.clip(pixels[..., :3] / np.maximum(alpha, 1e-4), 0.0, 1.0)
        encoded = np.where(straight <= 0.0031308, 12.92 * straight, 1.055 * straight ** (1 / 2.4) - 0.055)
        pixels = np.concatenate([encoded, alpha], axis=-1)
    small = bpy.data.images.new("ReliTalk proxy", width, height, alpha=True)
    try:
        small.alpha_mode = "STRAIGHT"
        small.pixels.foreach_set(np.ascontiguousarray(pixels, np.float32).reshape(-1))
        small.filepath_raw, small.file_format = str(target), "PNG"
        small.save()
    finally:
        bpy.data.images.remove(small)
