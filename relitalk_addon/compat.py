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
