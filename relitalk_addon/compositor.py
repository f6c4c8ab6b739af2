"""The take in the compositor: its pictures or one of its passes over the render, with light wrapped round its edge."""

from __future__ import annotations

import bpy

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.take import Take
from . import compat
from .timing import EVERY_FRAME, Timing, drive, offset_expression

GROUP = "ReliTalk Composite"
BEAUTY = "beauty"
WRAP, WRAP_SIZE = 0.35, 12
"""How strongly the render's light comes round the portrait's edge, and from how far, in pixels."""


def add(scene: bpy.types.Scene, take: Take, timing: Timing, layer: str = BEAUTY) -> bpy.types.Node:
    """Put a take over what the compositor shows; a second call brings it up to date.

    Args:
        scene: whose compositor it is.
        take: the take.
        timing: when it is seen.
        layer: beauty, or the name of a pass, which is cut out by the take's alpha.

    Returns:
        The group's node.

    Raises:
        ReliTalkError: the take has no such pass.
    """
    lacking = [] if layer == BEAUTY else [name for name in (layer, "alpha") if name not in take.info.passes]
    if lacking:
        raise ReliTalkError(
            "no_passes", f"{take.path.name} has no pass {' and no pass '.join(lacking)}.", "Render it with passes.",
        )
    tree, output = compat.compositor(scene)
    name = f"ReliTalk {take.path.name}"
    node = tree.nodes.get(name)
    if node is None:
        node = tree.nodes.new("CompositorNodeGroup")
        node.name = node.label = name
        node.node_tree = _group()
        before = output.links[0].from_socket
        node.location = before.node.location.x + 500, before.node.location.y
        tree.links.new(before, node.inputs["Image"])
        tree.links.new(node.outputs["Image"], output)
    picture = _picture(tree, take, timing, layer, f"{name} {layer}")
    if layer != BEAUTY:
        alpha = _picture(tree, take, timing, "alpha", f"{name} alpha")
        cut = _node(tree, "CompositorNodeSetAlpha", f"{name} Cut")
        compat.choose(cut, "mode", "APPLY", "Type", "Apply Mask")
        tree.links.new(picture.outputs["Image"], cut.inputs["Image"])
        tree.links.new(alpha.outputs["Image"], cut.inputs["Alpha"])
        picture = cut
    size = _node(tree, "CompositorNodeScale", f"{name} Size")
    compat.choose(size, "space", "RENDER_SIZE", "Type", "Render Size")
    compat.choose(size, "frame_method", "FIT", "Frame Type", "Fit")
    tree.links.new(picture.outputs["Image"], size.inputs["Image"])
    tree.links.new(size.outputs["Image"], node.inputs["Portrait"])
    for index, part in enumerate(tree.nodes[key] for key in tree.nodes.keys() if key.startswith(f"{name} ")):  # noqa: SIM118
        part.location = node.location.x - 200 * (index + 1), node.location.y - 250
    return node


def _picture(tree: bpy.types.NodeTree, take: Take, timing: Timing, layer: str, name: str) -> bpy.types.Node:
    node = _node(tree, "CompositorNodeImage", name)
    frame = take.info.frames[0]
    light = take.info.lights[0] if take.info.lights else ""
    first = str(take.beauty_path(frame, light) if layer == BEAUTY else take.pass_path(layer, frame))
    if node.image is None or bpy.path.abspath(node.image.filepath) != first:
        node.image = bpy.data.images.load(first, check_existing=False)
        node.image.name = name
    node.image.source = "SEQUENCE"
    linear = layer in {"albedo", "shading", "specular", "residual", "source_residual"} or take.info.exr
    colour = "Linear Rec.709" if linear else "sRGB"
    node.image.colorspace_settings.name = colour if layer in {BEAUTY, "albedo", "shading", "specular"} else "Non-Color"
    node.image.alpha_mode = "PREMUL" if take.info.exr or layer != BEAUTY else "STRAIGHT"
    node.use_auto_refresh, node.use_cyclic = True, False
    node.frame_start, node.frame_duration = timing.start, EVERY_FRAME
    offset = offset_expression(take.info.fps, take.info.frames, timing.start, timing.outside)
    drive(node, "frame_offset", offset, timing.scene)
    return node


def _node(tree: bpy.types.NodeTree, kind: str, name: str) -> bpy.types.Node:
    node = tree.nodes.get(name)
    if node is None:
        node = tree.nodes.new(kind)
        node.name = node.label = name
    return node


def _group() -> bpy.types.NodeTree:
    """Portrait over image, and the image's blurred light on the portrait where the outline is near."""
    known = bpy.data.node_groups.get(GROUP)
    if known is not None:
        return known
    tree = bpy.data.node_groups.new(GROUP, "CompositorNodeTree")
    for name in ("Image", "Portrait"):
        tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketColor")
    wrap = tree.interface.new_socket("Light Wrap", in_out="INPUT", socket_type="NodeSocketFloat")
    wrap.default_value, wrap.min_value, wrap.max_value = WRAP, 0.0, 2.0
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    into, out = tree.nodes.new("NodeGroupInput").outputs, tree.nodes.new("NodeGroupOutput").inputs

    def number(operation: str, first: bpy.types.NodeSocket | float, second: bpy.types.NodeSocket | float):
        node = tree.nodes.new(compat.COMPOSITOR_MATH)
        node.operation = operation
        for socket, value in zip(node.inputs, (first, second), strict=False):
            if isinstance(value, float):
                socket.default_value = value
            else:
                tree.links.new(value, socket)
        return node.outputs[0]

    def blurred(socket: bpy.types.NodeSocket):
        node = tree.nodes.new("CompositorNodeBlur")
        compat.blur(node, WRAP_SIZE)
        tree.links.new(socket, node.inputs["Image"])
        return node.outputs["Image"]

    parts = tree.nodes.new("CompositorNodeSeparateColor")
    tree.links.new(into["Portrait"], parts.inputs[0])
    alpha = parts.outputs["Alpha"]
    edge = number("MULTIPLY", alpha, blurred(number("SUBTRACT", 1.0, alpha)))
    over = tree.nodes.new("CompositorNodeAlphaOver")
    back, front = [socket for socket in over.inputs if socket.type == "RGBA"]
    tree.links.new(into["Image"], back)
    tree.links.new(into["Portrait"], front)
    _, (factor, base, light), wrapped = compat.add_light(tree)
    tree.links.new(number("MULTIPLY", edge, into["Light Wrap"]), factor)
    tree.links.new(over.outputs["Image"], base)
    tree.links.new(blurred(into["Image"]), light)
    tree.links.new(wrapped, out["Image"])
    for index, node in enumerate(tree.nodes):
        node.location = 220 * (index % 5), -220 * (index // 5)
    return tree
