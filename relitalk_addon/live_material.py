"""The portrait's material: the take's finished pictures, or its passes lit in Blender, timed by drivers.

Every mode shares one frame of nodes: seen by the camera alone, a shadow where asked, exposure and white balance.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.take import Take
from . import compat, live_nodes
from .timing import EVERY_FRAME, Timing, drive, index_expression, offset_expression

PICTURES = "Take"
EXPOSURE = "Exposure"
BALANCE = "White Balance"
LIGHT = [f"Light {texel}" for texel in live_nodes.TEXELS]
"""Nodes with the light's lit spheres, one for each texel that is mixed."""
PORTRAIT = live_nodes.PORTRAIT
SPHERE = live_nodes.SPHERE
TILE = "Light Frame"
BAKED, WORLD, SCENE, LAMPS = "BAKED", "WORLD", "SCENE", "LAMPS"
"""Modes: the finished pictures; passes lit by the world or by the scene; a surface that lamps light."""
LIVE = (WORLD, SCENE)
SURFACE = "Surface"
GLOSS = 12.5
"""From the weight of highlights to the surface's *IOR Level*, which is 0.5 where 4 % is reflected."""
EXPONENT = 24.0
"""Of highlights, for takes that do not say."""
LIT = (PORTRAIT, SPHERE, *LIGHT, TILE)
"""Nodes of the modes that light the passes."""
FILES = {
    "Albedo": "albedo", "Normal": "normal", "Smooth Normal": "smooth_normal", "Specular Weight": "specular_weight",
    "Hair": "hair", "Transfer 0": "transfer_0", "Transfer 1": "transfer_1", "Transfer 2": "transfer_2",
    "Residual": "source_residual", "Alpha": "alpha",
}
"""Node of each pass, which is the group's input too, and its folder in the take."""
LAMPS_NEED = ("Albedo", "Normal", "Specular Weight", "Alpha")
SHOWN = "Shown"


@dataclass(frozen=True)
class Look:
    """How a portrait is shown."""

    mode: str = BAKED
    shadow: bool = False
    exposure: float = 0.0
    """Stops."""
    warmth: float = 0.0
    """Stops of red over blue."""
    tint: float = 0.0
    """Stops of magenta over green."""


def show(material: bpy.types.Material, take: Take, timing: Timing, look: Look) -> None:
    """Let a material show a take; a second call brings it up to date.

    The plane emits to camera rays alone, and to shadow rays it is black where the portrait is, if it shall cast one.

    Args:
        material: the material, new or made by an earlier call.
        take: the take.
        timing: when it is seen.
        look: how.

    Raises:
        ReliTalkError: the mode needs passes that the take does not have.
    """
    missing = sorted(set(needed(look.mode)) - set(take.info.passes))
    if missing:
        raise ReliTalkError(
            "no_passes", f"{take.path.name} has no passes to light it by ({', '.join(missing)}).",
            "Render it again with passes.",
        )
    tree = compat.ensure_nodes(material)
    if PICTURES not in tree.nodes or BALANCE not in tree.nodes:
        _build(tree)
    pictures = tree.nodes[PICTURES]
    light = take.info.lights[0] if take.info.lights else ""
    first = str(take.beauty_path(take.info.frames[0], light))
    pictures.image = _sequence(first, f"ReliTalk {take.path.name}", pictures.image)
    pictures.image.colorspace_settings.name = "Linear Rec.709" if take.info.exr else "sRGB"
    pictures.image.alpha_mode = "PREMUL" if take.info.exr else "STRAIGHT"
    _front(tree, take, look.mode)
    tree.nodes["Casts Shadow"].outputs[0].default_value = float(look.shadow)
    grade(material, look)
    _time(tree, take, timing)
    material.surface_render_method = "BLENDED"
    material.use_transparent_shadow = True
    material.use_backface_culling = False
    if hasattr(material, "cycles"):
        material.cycles.emission_sampling = "NONE"  # it lights nothing, so no ray need look for it


def grade(material: bpy.types.Material, look: Look) -> None:
    """Set exposure and white balance, which keep a grey's brightness."""
    nodes = material.node_tree.nodes
    nodes[EXPOSURE].inputs["Strength"].default_value = 2.0**look.exposure
    stops = (look.warmth / 2 + look.tint / 3, -2 * look.tint / 3, look.tint / 3 - look.warmth / 2)
    gains = [2.0**stop for stop in stops]
    level = 0.2126 * gains[0] + 0.7152 * gains[1] + 0.0722 * gains[2]
    if SURFACE in nodes:  # which does not emit
        level /= 2.0**look.exposure
    nodes[BALANCE].inputs[1].default_value = tuple(gain / level for gain in gains)


def needed(mode: str) -> list[str]:
    """The passes that a mode reads."""
    if mode == BAKED:
        return []
    return [FILES[node] for node in (LAMPS_NEED if mode == LAMPS else FILES)]


def _build(tree: bpy.types.NodeTree) -> None:
    tree.nodes.clear()

    def node(kind: str, name: str, x: float, y: float) -> bpy.types.Node:
        return _node(tree, kind, name, x, y)

    def maths(name: str, operation: str, x: float, y: float) -> bpy.types.Node:
        made = node("ShaderNodeMath", name, x, y)
        made.operation = operation
        return made

    pictures = node("ShaderNodeTexImage", PICTURES, -800, 200)
    pictures.extension = "EXTEND"
    balance = node("ShaderNodeVectorMath", BALANCE, -500, 200)
    balance.operation = "MULTIPLY"
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
        (balance.outputs[0], exposure.inputs["Color"]),
        (rays.outputs["Is Shadow Ray"], shadow_rays.inputs[0]),
        (casts.outputs[0], shadow_rays.inputs[1]),
        (rays.outputs["Is Camera Ray"], seen_by.inputs[0]),
        (shadow_rays.outputs[0], seen_by.inputs[1]),
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


def _front(tree: bpy.types.NodeTree, take: Take, mode: str) -> None:
    """What the mode shows: the pictures, the group over the passes, or a surface."""
    nodes, links = tree.nodes, tree.links
    wanted = {} if mode == BAKED else {node: FILES[node] for node in (LAMPS_NEED if mode == LAMPS else FILES)}
    lit = LIT if mode in LIVE else ()
    surface = (SURFACE, "Facing", "Gloss") if mode == LAMPS else ()
    for name in {*FILES, *LIT, SURFACE, "Facing", "Gloss"} - {*wanted, *lit, *surface}:
        if name in nodes:
            nodes.remove(nodes[name])
    for row, (name, folder) in enumerate(wanted.items()):
        node = _node(tree, "ShaderNodeTexImage", name, -1500, 900 - 280 * row)
        node.extension = "EXTEND"
        first = str(take.pass_path(folder, take.info.frames[0]))
        node.image = _sequence(first, f"ReliTalk {take.path.name} {folder}", node.image)
        node.image.colorspace_settings.name = "Linear Rec.709" if mode == LAMPS and name == "Albedo" else "Non-Color"
    colour, alpha = nodes[PICTURES].outputs["Color"], nodes[PICTURES].outputs["Alpha"]
    body = nodes[EXPOSURE].outputs[0]
    if lit:
        colour = _lit(tree)
    elif surface:
        colour, body = nodes["Albedo"].outputs["Color"], _surface(tree, take)
    if wanted:
        alpha = nodes["Alpha"].outputs["Color"]
    links.new(colour, nodes[BALANCE].inputs[0])
    links.new(alpha, nodes["Alpha Shown"].inputs[0])
    links.new(body, nodes["Body"].inputs[1])


def _lit(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The passes through the group *ReliTalk Portrait*."""
    nodes, links = tree.nodes, tree.links
    group = _node(tree, "ShaderNodeGroup", PORTRAIT, -1000, 500)
    group.node_tree = live_nodes.portrait_group()
    where = _node(tree, "ShaderNodeGroup", SPHERE, -1500, 1200)
    where.node_tree = live_nodes.sphere_group()
    tile = _node(tree, "ShaderNodeValue", TILE, -1700, 1200)
    links.new(nodes["Normal"].outputs["Color"], where.inputs["Normal"])
    links.new(tile.outputs[0], where.inputs["Tile"])
    for row, (name, texel) in enumerate(zip(LIGHT, live_nodes.TEXELS, strict=True)):
        node = _node(tree, "ShaderNodeTexImage", name, -1250, 1450 + 60 * row)
        node.extension, node.interpolation, node.hide = "EXTEND", "Closest", True
        links.new(where.outputs[texel], node.inputs["Vector"])
        links.new(node.outputs["Color"], group.inputs[texel])
    for weight in ("Right", "Up"):
        links.new(where.outputs[weight], group.inputs[weight])
    for name, _ in live_nodes.PASSES:
        links.new(nodes[name].outputs["Color"], group.inputs[name])
    return group.outputs["Beauty"]


def _surface(tree: bpy.types.NodeTree, take: Take) -> bpy.types.NodeSocket:
    """A surface of the take's albedo, normals and highlights, for lamps to light."""
    nodes, links = tree.nodes, tree.links
    surface = _node(tree, "ShaderNodeBsdfPrincipled", SURFACE, -550, -300)
    facing = _node(tree, "ShaderNodeVectorTransform", "Facing", -900, -400)
    facing.vector_type, facing.convert_from, facing.convert_to = "NORMAL", "OBJECT", "WORLD"
    links.new(nodes["Normal"].outputs["Color"], facing.inputs[0])
    links.new(facing.outputs[0], surface.inputs["Normal"])
    links.new(nodes[BALANCE].outputs[0], surface.inputs["Base Color"])
    surface.inputs["Roughness"].default_value = roughness(take)
    links.new(nodes["Specular Weight"].outputs["Color"], _node(tree, "ShaderNodeMath", "Gloss", -900, -600).inputs[0])
    nodes["Gloss"].operation = "MULTIPLY"
    nodes["Gloss"].inputs[1].default_value = GLOSS
    links.new(nodes["Gloss"].outputs[0], surface.inputs["Specular IOR Level"])
    return surface.outputs[0]


def roughness(take: Take) -> float:
    """Of a surface with highlights as sharp as the take's, after Walter et al. 2007 (Blinn-Phong's own roughness)."""
    return (2.0 / ((take.info.specular_exponent or EXPONENT) + 2.0)) ** 0.25


def _node(tree: bpy.types.NodeTree, kind: str, name: str, x: float, y: float) -> bpy.types.Node:
    """The node of a name, made where there is none."""
    found = tree.nodes.get(name)
    if found is None:
        found = tree.nodes.new(kind)
        found.name = found.label = name
        found.location = x, y
    return found


def _sequence(first: str, name: str, image: bpy.types.Image | None) -> bpy.types.Image:
    """An image sequence from its first file on."""
    if image is None or bpy.path.abspath(image.filepath) != first:
        image = bpy.data.images.load(first, check_existing=False)
        image.name = name
    else:
        image.reload()
    image.source = "SEQUENCE"
    return image


def _time(tree: bpy.types.NodeTree, take: Take, timing: Timing) -> None:
    fps, frames = take.info.fps, take.info.frames
    for node in tree.nodes:
        if node.name == PICTURES or node.name in FILES:
            user = node.image_user
            user.use_auto_refresh = True
            user.use_cyclic = False
            user.frame_start = timing.start
            user.frame_duration = EVERY_FRAME
            drive(user, "frame_offset", offset_expression(fps, frames, timing.start, timing.outside), timing.scene)
    shown = tree.nodes[SHOWN].outputs[0]
    shown.driver_remove("default_value")
    shown.default_value = 1.0
    if timing.outside == "HIDE":
        index = index_expression(fps, timing.start)
        drive(shown, "default_value", f"{index} >= {frames[0]} and {index} < {frames[1]}", timing.scene)
