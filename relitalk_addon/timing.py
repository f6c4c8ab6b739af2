"""When a take is seen: drivers that map the scene's frames to the take's."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import bpy

EVERY_FRAME = 1048574
"""The longest duration an image user takes, so that its own clamp never meets the driver's mapping."""


@dataclass(frozen=True)
class Timing:
    """When the take is seen."""

    scene: bpy.types.Scene
    """Whose frames count."""
    start: int = 1
    """Scene frame of the take's frame 0."""
    outside: str = "HOLD"
    """HOLD, LOOP or HIDE before and after the take."""


def index_expression(fps: Fraction, start: int) -> str:
    """The take's frame at a scene frame, floor((frame − S)·F/R), as a driver expression of whole numbers.

    `fps` and `base` are variables of the driver: the scene's frame rate is fps / base, and may be changed later.
    """
    moved = f"frame - {start}" if start >= 0 else f"frame + {-start}"
    return f"floor(floor({moved}) * {fps.numerator} * round(base * 1e5) / ({fps.denominator} * fps * 1e5))"


def offset_expression(fps: Fraction, frames: tuple[int, int], start: int, outside: str) -> str:
    """What the image user adds to its own count, so that it shows the take's frame at every scene frame.

    Blender's own count is frame − S + 1, and 0 before S; a sequence shows the file whose number is count + offset.

    Args:
        fps: the take's rate, F.
        frames: its first frame and the one after the last.
        start: scene frame S of its frame 0.
        outside: HOLD, LOOP or HIDE.
    """
    first, last = frames
    index = index_expression(fps, start)
    if outside == "LOOP":
        count = last - first
        index = f"{first} + fmod(fmod({index} - {first}, {count}) + {count}, {count})"
    else:
        index = f"min(max({index}, {first}), {last - 1})"
    return f"{index} - max(floor(frame) - {start - 1}, 0)"


def drive(owner: bpy.types.bpy_struct, attribute: str, expression: str, scene: bpy.types.Scene) -> None:
    """Drive a value by a simple expression, which Blender computes without Python and without asking."""
    owner.driver_remove(attribute)
    driver = owner.driver_add(attribute).driver
    driver.type = "SCRIPTED"
    for name, path in (("fps", "render.fps"), ("base", "render.fps_base")):
        variable = driver.variables.new()
        variable.name = name
        target = variable.targets[0]
        target.id_type = "SCENE"
        target.id = scene
        target.data_path = path
    driver.expression = expression
