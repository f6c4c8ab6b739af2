"""Exposure and white balance of a portrait, matched to the scene's light."""

from __future__ import annotations

import bpy
import numpy as np

from ..relitalk_engine.lighting import sh
from ..relitalk_engine.lighting.light import Light
from . import live_material, portraits, world_light

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
FACING = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [-0.6, 0.0, 0.8], [0.0, 0.6, 0.8]])
"""Normals of a face's front, whose light counts."""
MOST = 8.0
"""Stops."""


def match(context: bpy.types.Context, thing: bpy.types.Object, source: str) -> None:
    """Set a portrait's exposure and white balance so that it is as bright and as warm as the scene's light makes it.

    A portrait that is lit live has the scene's light already; its sliders go back to nothing.

    Args:
        context: whose scene it is.
        thing: the portrait.
        source: WORLD or SCENE.

    Raises:
        ReliTalkError: there is no light to match, or the take is gone.
    """
    if thing.relitalk.mode != live_material.BAKED:
        thing.relitalk.exposure = thing.relitalk.warmth = thing.relitalk.tint = 0.0
        return
    take = portraits.take_of(thing)
    there = _front(world_light.capture(context, source, thing))
    here = _front(Light.load(take.light_path))
    stops = np.clip(np.log2(np.maximum(there, 1e-6) / np.maximum(here, 1e-6)), -MOST, MOST)
    thing.relitalk.exposure = float(np.log2((2.0**stops) @ LUMINANCE))
    thing.relitalk.warmth = float(stops[0] - stops[2])
    thing.relitalk.tint = float((stops[0] + stops[2]) / 2 - stops[1])


def _front(light: Light) -> np.ndarray:
    """[3], the light on the front of a face."""
    return np.maximum(sh.shade(light.sh, FACING), 0.0).mean(0)
