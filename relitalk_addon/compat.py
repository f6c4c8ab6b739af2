"""Every difference between Blender 4.2 and 5.2 that the add-on meets, and the name that Blender knows it by."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np
from mathutils import Color

ROOT = __package__.rpartition(".")[0]
"""The extension's package, as `extension_path_user` and the preferences want it."""

RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Options of a path property that may begin with `//`; older versions let all of them."""


def strips(editor: bpy.types.SequenceEditor) -> bpy.types.bpy_prop_collection:
    """The sequencer's top strips: `sequences` until 4.3, `strips` from 4.4."""
    return editor.strips if "strips" in editor.bl_rna.properties else editor.sequences


def strip_span(strip: bpy.types.Strip) -> tuple[int, int]:
    """First frame of a strip and the one after its last: handles were renamed in 5.2."""
    if "right_handle" in strip.bl_rna.properties:
        return int(strip.left_handle), int(strip.right_handle)
    return int(strip.frame_final_start), int(strip.frame_final_end)


def ensure_nodes(owner: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """The node tree of a material or world: new ones have none in 4.2 and always one from 5.0."""
    if owner.node_tree is None or bpy.app.version < (5, 0, 0) and not owner.use_nodes:
        owner.use_nodes = True
    return owner.node_tree


def uses_nodes(world: bpy.types.World) -> bool:
    """Whether a world's nodes count; from 5.0 they always do."""
    return world.node_tree is not None and (bpy.app.version >= (5, 0, 0) or world.use_nodes)


def working_to_rec709() -> np.ndarray:
    """The matrix [3, 3] from Blender's scene-linear space, which can be chosen from 5.0, to linear Rec.709."""
    columns = [Color(axis).from_scene_linear_to_rec709_linear() for axis in np.eye(3)]
    return np.array(columns, dtype=np.float64).T


def writes_film(scene: bpy.types.Scene) -> bool:
    """Whether rendering gives a film and not pictures."""
    return scene.render.image_settings.file_format == "FFMPEG"


def use_exr(settings: bpy.types.ImageFormatSettings) -> None:
    """Let a render be written as 32-bit EXR without a view; 5.0 asks for the medium first."""
    if "media_type" in settings.bl_rna.properties:
        settings.media_type = "IMAGE"
    settings.file_format = "OPEN_EXR"
    settings.color_mode = "RGB"
    settings.color_depth = "32"
    settings.exr_codec = "ZIP"


def skip_compositor(scene: bpy.types.Scene) -> None:
    """Let a scene render without its compositor and its sequencer."""
    scene.render.use_compositing = False
    scene.render.use_sequencer = False


def curves(owner: bpy.types.ID) -> bpy.types.bpy_prop_collection | None:
    """The animation curves of a datablock, which from 5.0 lie in its slot's channel bag; None where it has none."""
    animated = owner.animation_data
    if animated is None or animated.action is None:
        return None
    if "fcurves" in animated.action.bl_rna.properties:
        return animated.action.fcurves
    for layer in animated.action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(animated.action_slot) if animated.action_slot else None
            if bag is not None:
                return bag.fcurves
    return None


def key(owner: bpy.types.ID, path: str, index: int, frames: np.ndarray, values: np.ndarray, held: bool = False) -> None:
    """Animate a value by a key at each of many frames; keys that it had go.

    Args:
        owner: the datablock.
        path: the value's data path.
        index: its component; -1: it has none.
        frames: [N] scene frames, rising.
        values: [N].
        held: from key to key it stays, instead of going over.
    """
    unkey(owner, path, index)
    animated = owner.animation_data or owner.animation_data_create()
    if animated.action is None:
        animated.action = bpy.data.actions.new(owner.name)
    component = max(index, 0)
    if hasattr(animated.action, "fcurve_ensure_for_datablock"):
        curve = animated.action.fcurve_ensure_for_datablock(owner, path, index=component)
    else:
        curve = animated.action.fcurves.new(path, index=component)
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], axis=-1).astype(np.float32).reshape(-1))
    points.foreach_set("interpolation", np.full(len(frames), 0 if held else 1, np.int32))
    curve.update()


def unkey(owner: bpy.types.ID, path: str, index: int = -1) -> None:
    """Take the keys of a value away; index -1: of all its components."""
    known = curves(owner)
    for curve in [curve for curve in known or () if curve.data_path == path and index in (-1, curve.array_index)]:
        known.remove(curve)


NEW_COMPOSITOR = bpy.app.version >= (5, 0, 0)
"""Whether a scene's compositor is a node group of its own, with the shader's maths nodes and choices as sockets."""
COMPOSITOR_MATH = "ShaderNodeMath" if NEW_COMPOSITOR else "CompositorNodeMath"


def compositor(scene: bpy.types.Scene) -> tuple[bpy.types.NodeTree, bpy.types.NodeSocket]:
    """A scene's compositor and the input of its output, both made where there are none, fed by the render."""
    if not NEW_COMPOSITOR:
        scene.use_nodes = True
        tree = scene.node_tree
        output = next((node for node in tree.nodes if node.bl_idname == "CompositorNodeComposite"), None)
        output = output or tree.nodes.new("CompositorNodeComposite")
    else:
        tree = scene.compositing_node_group
        if tree is None:
            tree = scene.compositing_node_group = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
        if not any(item.in_out == "OUTPUT" for item in tree.interface.items_tree):
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = next((node for node in tree.nodes if node.bl_idname == "NodeGroupOutput"), None)
        output = output or tree.nodes.new("NodeGroupOutput")
    if not output.inputs[0].is_linked:
        layers = next((node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers"), None)
        layers = layers or tree.nodes.new("CompositorNodeRLayers")
        tree.links.new(layers.outputs["Image"], output.inputs[0])
    return tree, output.inputs[0]


def choose(node: bpy.types.Node, old: str, value: str, new: str, name: str) -> None:
    """Make a choice of a compositor node: an attribute until 4.5, a menu socket from 5.0."""
    if new in node.inputs and node.inputs[new].type == "MENU":
        node.inputs[new].default_value = name
    else:
        setattr(node, old, value)


def blur(node: bpy.types.Node, pixels: float) -> None:
    """Make a compositor's Blur a Gaussian of a size: an attribute until 4.4, a socket from 4.5."""
    choose(node, "filter_type", "GAUSS", "Type", "Gaussian")
    if node.inputs["Size"].type == "VECTOR":
        node.inputs["Size"].default_value = (pixels, pixels)
    else:
        node.size_x = node.size_y = round(pixels)


def add_light(tree: bpy.types.NodeTree) -> tuple[bpy.types.Node, list[bpy.types.NodeSocket], bpy.types.NodeSocket]:
    """A compositor node that gives A + factor · B: the node, its inputs factor, A and B, its output."""
    if NEW_COMPOSITOR:
        node = tree.nodes.new("ShaderNodeMix")
        node.data_type, node.blend_type = "RGBA", "ADD"
        colours = [socket for socket in node.inputs if socket.type == "RGBA"]
        return node, [node.inputs[0], *colours], next(socket for socket in node.outputs if socket.type == "RGBA")
    node = tree.nodes.new("CompositorNodeMixRGB")
    node.blend_type = "ADD"
    return node, list(node.inputs), node.outputs[0]


def online() -> bool:
    """Whether the user lets Blender use the network; a script decides for itself unless Blender was started offline."""
    if bpy.app.background:
        return bpy.app.online_access or not bpy.app.online_access_override
    return getattr(bpy.app, "online_access", True)


def translated(sentence: str) -> str:
    """A sentence in the language of Blender's interface, where a translation of it is there."""
    return bpy.app.translations.pgettext_iface(sentence)


def extension_folder(name: str) -> str:
    """A folder of the extension's own in the user's Blender; older ones than 4.2, in a test, know no extensions."""
    if hasattr(bpy.utils, "extension_path_user"):
        return bpy.utils.extension_path_user(ROOT, path=name, create=True)
    return bpy.utils.user_resource("CONFIG", path=f"relitalk/{name}", create=True)


def progress(layout: bpy.types.UILayout, factor: float, text: str) -> None:
    """A bar; its words alone where a Blender older than 4.0 draws the panels in a test."""
    if hasattr(layout, "progress"):
        layout.progress(factor=factor, text=text, type="BAR")
    else:
        layout.label(text=text)


def redraw(windows: Iterable[bpy.types.Window]) -> None:
    """Draw the sidebars of all 3D viewports again."""
    for window in windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
