"""The scene's light as the engine wants it: the world's panorama integrated in the portrait's own axes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.lighting import envmap, sh
from ..relitalk_engine.lighting.light import Light
from . import compat, lamps, panorama, portraits, settings

ENVIRONMENT = "relitalk_environment"
"""Custom property of a scene: the matched light's environment, [32, 64, 3] flat."""
FINE = (256, 512)
"""Rows and columns to which a panorama is brought before it is turned freely."""


@dataclass(frozen=True)
class Sky:
    """A world as a picture at infinity."""

    radiance: np.ndarray
    """[H, W, 3] linear Rec.709, Blender's equirectangular layout, its strength included."""
    lookup: np.ndarray
    """[3, 3]: the radiance along the world direction d is the picture's at lookup · d."""


@dataclass(frozen=True)
class Plain:
    """A world that takes no render to know: a colour, or an image turned about."""

    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Its radiance in Blender's working space, strength included."""
    image: bpy.types.Image | None = None
    """Shown instead of the colour."""
    strength: float = 1.0
    """Of the image."""
    lookup: tuple[float, ...] = tuple(np.eye(3).reshape(-1))
    """[3, 3] flat. See `Sky`."""


def capture(context: bpy.types.Context, source: str = "WORLD", portrait: bpy.types.Object | None = None) -> Light:
    """The light that falls on a portrait, in its own axes.

    Args:
        context: whose scene it is.
        source: WORLD: the world alone; SCENE: all that shines and stands around the portrait, rendered.
        portrait: on which; None: the one that is meant, and where there is none the camera's axes.

    Raises:
        ReliTalkError: there is no world, it is black, or its image cannot be read or is no light.
    """
    scene = context.scene
    portrait = portrait or portraits.portrait(context)
    axes = portraits.axes(context, portrait)
    if source == "SCENE":
        return around(scene, portrait, axes)
    world = world_of(scene)
    return in_frame(checked(of_world(world), world.name), axes, {"kind": "world", "name": world.name})


def world_of(scene: bpy.types.Scene) -> bpy.types.World:
    """The scene's world.

    Raises:
        ReliTalkError: it has none.
    """
    if scene.world is None:
        raise ReliTalkError("no_world", f"{scene.name} has no world.", "Add one in the World properties.")
    return scene.world


def around(scene: bpy.types.Scene, portrait: bpy.types.Object | None, axes: np.ndarray) -> Light:
    """All that shines and stands around a portrait, or around the cursor where there is none.

    What stands around is rendered; the world that is seen past it and the lamps are computed, so that none is too
    small to be found.

    Raises:
        ReliTalkError: all is black, or the world's image cannot be read or is no light.
    """
    at = (portrait.matrix_world.translation if portrait else scene.cursor.location).copy()
    placed = portraits.portraits(scene)
    seen, past = panorama.of_scene(scene, at, placed)
    source = {"kind": "scene", "name": scene.name}
    parts = [in_frame(Sky(seen, np.eye(3)), axes, source)]
    layer = bpy.context.view_layer if bpy.context.scene == scene else scene.view_layers[0]
    parts.append(lamps.light_of(scene, layer, at, axes, placed))
    if scene.world is not None and past.any():
        sky = of_world(scene.world)
        sky = Sky(envmap.checked_radiance(sky.radiance, scene.world.name), sky.lookup)
        parts.append(in_frame(_past(sky, past), axes, source))
    light = Light(sum(part.sh for part in parts), sum(part.environment for part in parts), source)
    if not light.sh.any():
        raise ReliTalkError("black_world", f"{scene.name} is black: there is no light to match.", "Light it first.")
    return light


def _past(sky: Sky, past: np.ndarray) -> Sky:
    """A sky where it is seen: times a mask [H, W] that is laid out in the world's axes."""
    radiance = sky.radiance
    if radiance.shape[0] > FINE[0]:
        radiance = envmap.to_environment(radiance, size=FINE)
    world = envmap.directions(*radiance.shape[:2]).reshape(-1, 3) @ portraits.ALONG_Y.T @ sky.lookup
    row, column = envmap.texel(world @ portraits.ALONG_Y, *past.shape)
    row = np.clip(np.rint(row).astype(int), 0, past.shape[0] - 1)
    mask = past[row, np.rint(column).astype(int) % past.shape[1]]
    return Sky(radiance * mask.reshape(*radiance.shape[:2], 1).astype(np.float32), sky.lookup)


def checked(sky: Sky, name: str) -> Sky:
    """A sky whose numbers are a light.

    Raises:
        ReliTalkError: they are not, or it is black.
    """
    radiance = envmap.checked_radiance(sky.radiance, name)
    if not radiance.any():
        raise ReliTalkError("black_world", f"{name} is black: there is no light to match.", "Light it first.")
    return Sky(radiance, sky.lookup)


def of_world(world: bpy.types.World) -> Sky:
    """A world's sky: computed from its image or colour where its nodes are plain, rendered where they are not.

    Raises:
        ReliTalkError: its image cannot be read.
    """
    known = plain(world)
    radiance = None if known is None else radiance_of(known)
    if known is None or radiance is None:
        return Sky(panorama.of_world(world), np.eye(3))
    return Sky(radiance, np.reshape(known.lookup, (3, 3)))


def plain(world: bpy.types.World) -> Plain | None:
    """What a world shows where its nodes are plain enough to say; quick, as no pixel is read."""
    if not compat.uses_nodes(world):
        return Plain(tuple(world.color))
    output = world.node_tree.get_output_node("CYCLES")
    surface = _source(output.inputs["Surface"]) if output else None
    if surface is None:
        return Plain()
    background = surface.node
    if background.bl_idname != "ShaderNodeBackground" or background.mute or background.inputs["Strength"].is_linked:
        return None
    strength = background.inputs["Strength"].default_value
    colour = _source(background.inputs["Color"])
    if colour is None:
        return Plain(tuple(strength * part for part in background.inputs["Color"].default_value[:3]))
    node = colour.node
    if node.bl_idname != "ShaderNodeTexEnvironment" or node.mute or node.projection != "EQUIRECTANGULAR":
        return None
    lookup = _lookup(node)
    if lookup is None or strength < 0.0:
        return None
    if node.image is None:
        return Plain()
    if node.image.source not in {"FILE", "GENERATED"}:
        return None
    return Plain(image=node.image, strength=strength, lookup=tuple(lookup.reshape(-1)))


def radiance_of(known: Plain) -> np.ndarray | None:
    """The picture of a plain world, [H, W, 3] linear Rec.709; None where its colour space takes a render to know.

    Raises:
        ReliTalkError: its image cannot be read.
    """
    if known.image is None:
        colour = panorama.to_rec709(np.array(known.colour, np.float32))
        return np.broadcast_to(np.maximum(colour, 0.0), (32, 64, 3)).astype(np.float32)
    radiance = panorama.read_image(known.image)
    return None if radiance is None else radiance * np.float32(known.strength)


def _lookup(node: bpy.types.ShaderNodeTexEnvironment) -> np.ndarray | None:
    """How the texture's vector follows from the world direction, [3, 3]; None where it is more than a rotation."""
    source = _source(node.inputs["Vector"])
    if source is None:
        return np.eye(3)
    if source.node.bl_idname == "ShaderNodeTexCoord":
        return np.eye(3) if source.name == "Generated" else None
    mapping = source.node
    if mapping.bl_idname != "ShaderNodeMapping" or mapping.mute:
        return None
    before = _source(mapping.inputs["Vector"])
    if before is None or before.node.bl_idname != "ShaderNodeTexCoord" or before.name != "Generated":
        return None
    place, turn, size = (mapping.inputs.get(name) for name in ("Location", "Rotation", "Scale"))
    if any(socket is not None and socket.is_linked for socket in (place, turn, size)):
        return None
    scale = np.array(size.default_value)
    moved = mapping.vector_type in {"POINT", "TEXTURE"} and np.abs(np.array(place.default_value)).max() > 1e-6
    if moved or scale.min() <= 0.0 or np.ptp(scale) > 1e-6 * scale.max():
        return None
    matrix = np.array(Euler(turn.default_value, "XYZ").to_matrix(), float)
    return matrix.T if mapping.vector_type == "TEXTURE" else matrix


def _source(socket: bpy.types.NodeSocket) -> bpy.types.NodeSocket | None:
    """The output that feeds a socket, through reroutes; None where nothing does."""
    while socket.is_linked:
        source = socket.links[0].from_socket
        if source.node.bl_idname != "NodeReroute":
            return source
        socket = source.node.inputs[0]
    return None


def in_frame(sky: Sky, axes: np.ndarray, source: dict[str, str]) -> Light:
    """A sky as a light in a frame.

    Args:
        sky: what shines.
        axes: [3, 3] the frame's axes in the world, as columns.
        source: kept in the light.

    Returns:
        Its coefficients are of the whole panorama, its environment is 64×32.
    """
    turn = axes.T @ sky.lookup.T @ portraits.ALONG_Y  # from the panorama as a viewer along +Y sees it to the frame
    coefficients = sh.rotate(sh.project(sky.radiance), turn)
    if abs(turn[1, 1] - 1.0) < 1e-6:
        degrees = float(np.degrees(np.arctan2(-turn[0, 2], turn[0, 0])))
        environment = envmap.to_environment(sky.radiance, degrees)
    else:
        environment = _turned(sky.radiance, turn)
    return Light(coefficients, environment, dict(source))


def _turned(radiance: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """A panorama turned freely and brought to 64×32; a constant stays one."""
    if radiance.shape[0] > FINE[0]:
        radiance = envmap.to_environment(radiance, size=FINE)
    else:
        rows, columns = (-(-fine // coarse) for fine, coarse in zip(FINE, radiance.shape, strict=False))
        radiance = np.repeat(np.repeat(radiance, rows, 0), columns, 1)
    fine = radiance.shape[:2]
    height, width = envmap.ENVIRONMENT_SIZE
    row, column = envmap.texel(envmap.directions(*fine).reshape(-1, 3) @ turn.T, height, width)
    row = np.clip(row, 0.0, height - 1.0)
    top, left = np.minimum(row.astype(int), height - 2), np.floor(column).astype(int)
    down, right = row - top, column - left
    areas = envmap.solid_angles(*fine).reshape(-1)
    power = radiance.reshape(-1, 3) * areas[:, None]
    light, weight = np.zeros((height * width, 3)), np.zeros(height * width)
    for r, c, share in (
        (top, left, (1 - down) * (1 - right)), (top, left + 1, (1 - down) * right),
        (top + 1, left, down * (1 - right)), (top + 1, left + 1, down * right),
    ):
        place = r * width + c % width
        weight += np.bincount(place, share * areas, height * width)
        for channel in range(3):
            light[:, channel] += np.bincount(place, share * power[:, channel], height * width)
    return (light / np.maximum(weight, 1e-12)[:, None]).reshape(height, width, 3).astype(np.float32)


def keep(scene: bpy.types.Scene, light: Light) -> None:
    """Make a light the scene's matched one: its coefficients in the settings, its environment beside them."""
    scene.relitalk.light_sh = light.sh.reshape(-1).tolist()
    scene.relitalk.light = settings.MATCHED
    if light.environment is None:
        scene.pop(ENVIRONMENT, None)
    else:
        scene[ENVIRONMENT] = light.environment.reshape(-1).tolist()


def kept(scene: bpy.types.Scene) -> Light:
    """The scene's matched light; the coefficients count, and the environment goes where they were set by hand.

    Raises:
        ReliTalkError: no light was matched.
    """
    coefficients = np.array(scene.relitalk.light_sh, float).reshape(9, 3)
    if not coefficients.any():
        raise ReliTalkError("no_light", "No light is matched yet.", "Press Match Light first.")
    flat = scene.get(ENVIRONMENT)
    source = {"kind": "matched", "name": scene.name}
    if flat is not None and len(flat) == np.prod(envmap.ENVIRONMENT_SIZE) * 3:
        environment = np.array(flat[:], np.float32).reshape(*envmap.ENVIRONMENT_SIZE, 3)
        if np.allclose(sh.project(environment), coefficients, atol=0.15 * float(np.abs(coefficients[0]).max())):
            return Light(coefficients, environment, source)
    return Light(coefficients, None, source)


def spec_for_job(scene: bpy.types.Scene, text: str, folder: Path) -> str:
    """The engine's LIGHT for a setting: a matched light is written into the job's folder.

    Raises:
        ReliTalkError: no light was matched, or the folder cannot be written.
    """
    if text != settings.MATCHED:
        return text if text in {"source", "olat"} or text.startswith("dir:") else str(settings.path(text))
    path = folder / "light.json"
    kept(scene).save(path)
    return str(path)
