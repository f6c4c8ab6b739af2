"""The talking head as geometry: the fitted head, its actions as shape keys; and its motion for other meshes."""

from __future__ import annotations

import re
from fractions import Fraction

import bpy
import numpy as np
from mathutils import Matrix

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.take import Take
from . import compat, head_motion, live_material
from .head_motion import Head, Motion

HEAD = "relitalk_head"
"""Custom property of a head's mesh object: the path of its take."""
UPRIGHT = Matrix(((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)))
"""A head's own frame in a world whose viewer looks along +Y."""


def add(
    context: bpy.types.Context, take: Take, start: int, portrait: bpy.types.Object | None = None
) -> bpy.types.Object:
    """Add the take's head, moving as in the take; a second call brings it up to date.

    Args:
        context: whose scene it is.
        take: the take.
        start: scene frame of its frame 0.
        portrait: stands where the head shall: the head comes to lie behind its plane, eyes between eyes.

    Returns:
        The head; its parent, an empty, carries its place.

    Raises:
        ReliTalkError: the take holds no head or no motion.
    """
    head, motion = head_motion.read_head(take), head_motion.read_motion(take)
    name = f"ReliTalk {take.path.name} Head"
    thing = next((thing for thing in context.scene.objects if thing.get(HEAD) == str(take.path.absolute())), None)
    if thing is None:
        thing = bpy.data.objects.new(name, _mesh(name, head))
        place = bpy.data.objects.new(f"{name} Place", None)
        place.empty_display_size = 0.05
        _stand(place, context, portrait)
        thing.parent = place
        for each in (place, thing):
            context.collection.objects.link(each)
        thing[HEAD] = str(take.path.absolute())
    _paint(thing, take, name)
    frames = scene_frames(context.scene, motion, take.info.frames, start)
    chosen = motion_at(motion, frames, context.scene, start)
    _shapes(thing, head, chosen.psi, frames)
    _pose(thing, chosen, frames)
    return thing


def drive(mesh: bpy.types.Object, take: Take, start: int) -> tuple[list[str], list[str]]:
    """Let a mesh with ARKit-style shape keys move as the take's head does.

    Args:
        mesh: has shape keys named as ARKit names them, in whatever case and with whatever before or between.
        take: the take.
        start: scene frame of its frame 0.

    Returns:
        The shape keys that move, and the actions that the mesh has no shape key for.

    Raises:
        ReliTalkError: it has no shape keys of such names, or the take holds no motion.
    """
    keys = getattr(mesh.data, "shape_keys", None)
    motion = head_motion.read_motion(take)
    known = {} if keys is None else matched([block.name for block in keys.key_blocks], motion.names)
    if not known:
        raise ReliTalkError(
            "no_shape_keys", f"{mesh.name} has no shape keys that are named as ARKit names them, such as jawOpen.",
            "Choose a mesh that has some.",
        )
    scene = mesh.users_scene[0] if mesh.users_scene else bpy.context.scene
    frames = scene_frames(scene, motion, take.info.frames, start)
    psi = motion_at(motion, frames, scene, start).psi
    for action, name in known.items():
        block = keys.key_blocks[name]
        values = block.slider_min + psi[:, motion.names.index(action)] * (block.slider_max - block.slider_min)
        compat.key(keys, f'key_blocks["{bpy.utils.escape_identifier(name)}"].value', -1, frames, values)
    return list(known.values()), [action for action in motion.names if action not in known]


def matched(keys: list[str], actions: tuple[str, ...]) -> dict[str, str]:
    """Shape key of each action: `jawOpen` is found as JawOpen, jaw_open, Head.JawOpen and blendShape1.jawOpen too.

    `_L` and `_R` at the end count as Left and Right.
    """
    def plain(name: str) -> str:
        name = re.sub(r"[._ ]?(L|l)$", "Left", name) if re.search(r"[._ ](L|l)$", name) else name
        name = re.sub(r"[._ ]?(R|r)$", "Right", name) if re.search(r"[._ ](R|r)$", name) else name
        return re.sub(r"[^a-z0-9]", "", name.lower())

    found: dict[str, str] = {}
    for action in actions:
        wanted = plain(action)
        exact = [key for key in keys if plain(key) == wanted]
        prefixed = [key for key in keys if plain(re.split(r"[.:|]", key)[-1]) == wanted]
        if exact or prefixed:
            found[action] = (exact or prefixed)[0]
    return found


def scene_frames(scene: bpy.types.Scene, motion: Motion, taken: tuple[int, int], start: int) -> np.ndarray:
    """The scene frames that a take's frames cover, whole numbers."""
    rate = Fraction(scene.render.fps) / Fraction(scene.render.fps_base).limit_denominator(100000)
    first, last = (start + float(frame * rate / motion.fps) for frame in (taken[0], taken[1] - 1))
    return np.arange(np.ceil(first - 1e-6), np.floor(last + 1e-6) + 1)


def motion_at(motion: Motion, frames: np.ndarray, scene: bpy.types.Scene, start: int) -> Motion:
    """The motion at scene frames, between the take's own where they do not coincide."""
    rate = Fraction(scene.render.fps) / Fraction(scene.render.fps_base).limit_denominator(100000)
    at = np.clip((frames - start) * float(motion.fps / rate), 0, len(motion.psi) - 1)
    low = np.minimum(np.floor(at + 1e-6).astype(int), len(motion.psi) - 1)
    high = np.minimum(low + 1, len(motion.psi) - 1)
    share = np.clip(at - low, 0, 1)

    def between(values: np.ndarray) -> np.ndarray:
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        return (1 - weight) * values[low] + weight * values[high]

    rotation = between(motion.rotation)
    u, _, v = np.linalg.svd(rotation)  # the nearest rotation to the mean of two
    return Motion(motion.fps, motion.names, between(motion.psi), u @ v, between(motion.translation))


def _mesh(name: str, head: Head) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(head.neutral.tolist(), [], head.faces.tolist())
    layer = mesh.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", head.uv.astype(np.float32).reshape(-1))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(head.faces), bool))
    mesh.update()
    return mesh


def _shapes(thing: bpy.types.Object, head: Head, psi: np.ndarray, frames: np.ndarray) -> None:
    """One shape key for each action, animated."""
    if thing.data.shape_keys is None:
        thing.shape_key_add(name="Basis", from_mix=False)
    keys = thing.data.shape_keys
    for index, name in enumerate(head.names):
        if name not in keys.key_blocks:
            block = thing.shape_key_add(name=name, from_mix=False)
            block.data.foreach_set("co", (head.neutral + head.actions[index]).astype(np.float32).reshape(-1))
        compat.key(keys, f'key_blocks["{name}"].value', -1, frames, psi[:, index])


def _pose(thing: bpy.types.Object, motion: Motion, frames: np.ndarray) -> None:
    """Turn and move the head about the middle of its way, so that its parent stands where it is."""
    away = motion.translation - np.median(motion.translation, axis=0)
    thing.rotation_mode = "QUATERNION"
    turns = np.array([tuple(Matrix(turn.tolist()).to_quaternion()) for turn in motion.rotation])
    for index in range(1, len(turns)):
        if turns[index] @ turns[index - 1] < 0:
            turns[index] = -turns[index]
    for path, values in (("location", away), ("rotation_quaternion", turns)):
        for component in range(values.shape[1]):
            compat.key(thing, path, component, frames, values[:, component])


def _stand(place: bpy.types.Object, context: bpy.types.Context, portrait: bpy.types.Object | None) -> None:
    """Behind a portrait, eyes between eyes; else at the cursor, facing -Y."""
    if portrait is not None:
        place.parent = portrait
        return
    place.matrix_world = Matrix.Translation(context.scene.cursor.location) @ UPRIGHT


def _paint(thing: bpy.types.Object, take: Take, name: str) -> None:
    """A matt skin of the clip's albedo."""
    material = thing.active_material or bpy.data.materials.new(name)
    if thing.active_material is None:
        thing.data.materials.append(material)
    tree = compat.ensure_nodes(material)
    surface = next((node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled"), None)
    if surface is None or not take.texture_path.is_file():
        return
    texture = tree.nodes.get("Albedo") or tree.nodes.new("ShaderNodeTexImage")
    texture.name = texture.label = "Albedo"
    texture.location = surface.location.x - 320, surface.location.y
    texture.image = bpy.data.images.load(str(take.texture_path), check_existing=True)
    tree.links.new(texture.outputs["Color"], surface.inputs["Base Color"])
    surface.inputs["Roughness"].default_value = live_material.roughness(take)
