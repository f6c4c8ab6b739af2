"""The portrait's material: the take's pictures, shown to the camera as they are, timed by a driver.

`bake` builds the mode *Baked*, which shows the finished frames; modes that light the passes in Blender go beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import bpy

from ..relitalk_engine.take import Take
from . import compat

PICTURES = "Take"
EXPOSURE = "Exposure"
SHOWN = "Shown"
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


def bake(material: bpy.types.Material, take: Take, timing: Timing, shadow: bool = False, exposure: float = 0.0) -> None:
    """Let a material show the take's finished frames; a second call brings it up to date.

    The plane emits to camera rays alone, and to shadow rays it is black where the portrait is, if it shall cast one.

    Args:
        material: the material, new or made by an earlier call.
        take: the take.
        timing: when it is seen.
        shadow: whether the alpha casts a shadow.
        exposure: stops.
    """
    tree = compat.ensure_nodes(material)
    if PICTURES not in tree.nodes:
        _build(tree)
    pictures = tree.nodes[PICTURES]
    pictures.image = _sequence(take, pictures.image)
    _shadow(tree, shadow)
    _exposure(tree, exposure)
    _time(tree, take, timing)
    material.surface_render_method = "BLENDED"
    material.use_transparent_shadow = True
    material.use_backface_culling = False
    if hasattr(material, "cycles"):
        material.cycles.emission_sampling = "NONE"  # it lights nothing, so no ray need look for it


def _build(tree: bpy.types.NodeTree) -> None:
    tree.nodes.clear()

    def node(kind: str, name: str, x: float, y: float) -> bpy.types.Node:
        made = tree.nodes.new(kind)
        made.name = made.label = name
        made.location = x, y
        return made

    def maths(name: str, operation: str, x: float, y: float) -> bpy.types.Node:
        made = node("ShaderNodeMath", name, x, y)
        made.operation = operation
        return made

    pictures = node("ShaderNodeTexImage", PICTURES, -800, 200)
    pictures.extension = "EXTEND"
    exposure = node("ShaderNodeEmission", EXPOSURE, -300, 200)
    rays = node("ShaderNodeLightPath", "Rays", -800, 700)
    shown = node("ShaderNodeValue", SHOWN, -800, -150)
    casts = node("ShaderNodeValue", "Casts Shadow", -800, -250)
    shadow_rays = maths("Shadow Rays", "MULTIPLY", -550, 450)
    seen_by = maths("Seen By", "ADD", -350, 500)
    alpha = maths("Alpha Shown", "MULTIPLY", -550, 0)
    factor = maths("Factor", "MULTIPLY", -150, 350)
    clear = node("ShaderNodeBsdfTransparent", "Clear", -300, 50)
    black = node("ShaderNodeBsdfDiffuse", "Black", -300, -100)
    black.inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    body = node("ShaderNodeMixShader", "Body", -50, 100)
    mix = node("ShaderNodeMixShader", "Portrait", 150, 200)
    output = node("ShaderNodeOutputMaterial", "Output", 350, 200)
    for source, target in (
        (pictures.outputs["Color"], exposure.inputs["Color"]),
        (rays.outputs["Is Shadow Ray"], shadow_rays.inputs[0]),
        (casts.outputs[0], shadow_rays.inputs[1]),
        (rays.outputs["Is Camera Ray"], seen_by.inputs[0]),
        (shadow_rays.outputs[0], seen_by.inputs[1]),
        (pictures.outputs["Alpha"], alpha.inputs[0]),
        (shown.outputs[0], alpha.inputs[1]),
        (seen_by.outputs[0], factor.inputs[0]),
        (alpha.outputs[0], factor.inputs[1]),
        (rays.outputs["Is Shadow Ray"], body.inputs[0]),
        (exposure.outputs[0], body.inputs[1]),
        (black.outputs[0], body.inputs[2]),
        (factor.outputs[0], mix.inputs[0]),
        (clear.outputs[0], mix.inputs[1]),
        (body.outputs[0], mix.inputs[2]),
        (mix.outputs[0], output.inputs["Surface"]),
    ):
        tree.links.new(source, target)
    shown.outputs[0].default_value = 1.0


def _sequence(take: Take, image: bpy.types.Image | None) -> bpy.types.Image:
    """The take's pictures as an image sequence, scene-linear where they are EXR."""
    light = take.info.lights[0] if take.info.lights else ""
    first = str(take.beauty_path(take.info.frames[0], light))
    if image is None or bpy.path.abspath(image.filepath) != first:
        image = bpy.data.images.load(first, check_existing=False)
        image.name = f"ReliTalk {take.path.name}"
    else:
        image.reload()
    image.source = "SEQUENCE"
    image.colorspace_settings.name = "Linear Rec.709" if take.info.exr else "sRGB"
    image.alpha_mode = "PREMUL" if take.info.exr else "STRAIGHT"
    return image


def _shadow(tree: bpy.types.NodeTree, shadow: bool) -> None:
    tree.nodes["Casts Shadow"].outputs[0].default_value = float(shadow)


def _exposure(tree: bpy.types.NodeTree, stops: float) -> None:
    tree.nodes[EXPOSURE].inputs["Strength"].default_value = 2.0**stops


def _time(tree: bpy.types.NodeTree, take: Take, timing: Timing) -> None:
    user = tree.nodes[PICTURES].image_user
    user.use_auto_refresh = True
    user.use_cyclic = False
    user.frame_start = timing.start
    user.frame_duration = EVERY_FRAME
    fps, frames = take.info.fps, take.info.frames
    _drive(user, "frame_offset", offset_expression(fps, frames, timing.start, timing.outside), timing.scene)
    shown = tree.nodes[SHOWN].outputs[0]
    shown.driver_remove("default_value")
    shown.default_value = 1.0
    if timing.outside == "HIDE":
        index = index_expression(fps, timing.start)
        _drive(shown, "default_value", f"{index} >= {frames[0]} and {index} < {frames[1]}", timing.scene)


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


def _drive(owner: bpy.types.bpy_struct, attribute: str, expression: str, scene: bpy.types.Scene) -> None:
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
