"""The lamps of a scene as a point sees them: computed, as a small lamp is too small for a rendered panorama."""

from __future__ import annotations

from math import cos, pi, sin, sqrt, tan

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..relitalk_engine.lighting import sh
from ..relitalk_engine.lighting.light import Light, splat
from . import panorama

SAMPLES = 24
"""Points on a lamp, each seen or hidden."""
NEAR = 1e-3
"""Metres before a lamp within which nothing hides it: its own mesh may stand there."""


def light_of(
    scene: bpy.types.Scene, layer: bpy.types.ViewLayer, at: Vector, axes: np.ndarray, hidden: list[bpy.types.Object]
) -> Light:
    """The light of all lamps that a point sees.

    Args:
        scene: the scene.
        layer: its view layer; objects that it does not show hide no lamp.
        at: the point, world axes.
        axes: [3, 3] the frame's axes in the world, as columns.
        hidden: objects that hide no lamp: the portraits.

    Returns:
        The light in the frame, radiance in linear Rec.709.
    """
    depsgraph = layer.depsgraph
    depsgraph.update()
    passed = {thing.name for thing in hidden}
    coefficients, environment = np.zeros((9, 3)), np.zeros((32, 64, 3), np.float32)
    lamps = [
        (instance.object.data, instance.matrix_world.copy()) for instance in depsgraph.object_instances
        if instance.object.type == "LIGHT" and not instance.object.original.hide_render
    ]
    for lamp, matrix in lamps:
        for towards, distance, irradiance in _points(lamp, matrix, at):
            if irradiance.any() and _sees(scene, depsgraph, at, towards, distance, passed):
                direction = axes.T @ np.array(towards)
                coefficients += np.outer(sh.basis(direction), irradiance)
                environment += splat(direction, irradiance)
    return Light(coefficients, environment, {"kind": "lamps"})


def _points(lamp: bpy.types.Light, matrix: Matrix, at: Vector) -> list[tuple[Vector, float, np.ndarray]]:
    """Points spread over a lamp: the direction to each, how far it is, the irradiance it gives a wall that faces it."""
    colour = _strength(lamp)
    centre, down = matrix.translation, -matrix.col[2].to_3d().normalized()
    if lamp.type == "SUN":
        rays = _disc(-down, tan(lamp.angle / 2))
        return [((ray - down).normalized(), 1e6, colour / len(rays)) for ray in rays]
    found = []
    if lamp.type == "AREA":
        spots = _area(lamp, matrix)
        for spot in spots:
            away = spot - at
            facing = max(0.0, -away.normalized().dot(down))
            power = facing / (pi * len(spots) * max(away.length_squared, 1e-8))
            found.append((away.normalized(), away.length, colour * power))
        return found
    towards = (at - centre).normalized()
    for offset in _disc(towards, lamp.shadow_soft_size):
        away = centre + offset - at
        power = 1.0 / (4.0 * pi * SAMPLES * max(away.length_squared, 1e-8))
        if lamp.type == "SPOT":
            power *= _spot(lamp, towards.dot(down))
        found.append((away.normalized(), away.length, colour * power))
    return found


def _strength(lamp: bpy.types.Light) -> np.ndarray:
    """Watts, or irradiance of a sun, [3] linear Rec.709; a plain Emission node counts, other nodes do not."""
    colour = np.array(lamp.color, np.float32)
    if getattr(lamp, "use_temperature", False):
        colour = colour * np.array(lamp.temperature_color, np.float32)
    power = lamp.energy * 2.0 ** getattr(lamp, "exposure", 0.0)
    if lamp.use_nodes and lamp.node_tree is not None:
        for node in lamp.node_tree.nodes:
            if node.bl_idname == "ShaderNodeEmission":
                shade, strength = node.inputs["Color"], node.inputs["Strength"]
                colour = colour if shade.is_linked else colour * np.array(shade.default_value[:3], np.float32)
                power = power if strength.is_linked else power * strength.default_value
    return np.maximum(panorama.to_rec709(colour), 0.0).astype(float) * power


def _disc(normal: Vector, radius: float) -> list[Vector]:
    """Points spread over a disc around the origin."""
    right = normal.orthogonal().normalized()
    up = normal.cross(right)
    turn = pi * (3.0 - sqrt(5.0))
    steps = [(radius * sqrt((k + 0.5) / SAMPLES), k * turn) for k in range(SAMPLES)]
    return [r * (cos(a) * right + sin(a) * up) for r, a in steps]


def _area(lamp: bpy.types.Light, matrix: Matrix) -> list[Vector]:
    """Points spread over an area lamp."""
    long, wide = lamp.size, lamp.size_y if lamp.shape in {"RECTANGLE", "ELLIPSE"} else lamp.size
    if lamp.shape in {"DISK", "ELLIPSE"}:
        flat = [(point.x, point.y) for point in _disc(Vector((0.0, 0.0, 1.0)), 0.5)]
    else:
        flat = [((k % 5 - 2) / 5, (k // 5 - 2) / 5) for k in range(25)]
    right, up = matrix.col[0].to_3d(), matrix.col[1].to_3d()
    return [matrix.translation + long * x * right + wide * y * up for x, y in flat]


def _spot(lamp: bpy.types.Light, along: float) -> float:
    """What a spot lamp's cone lets through, as Blender fades it."""
    edge = cos(lamp.spot_size / 2)
    if along <= edge:
        return 0.0
    share = min(1.0, (along - edge) / max((1.0 - edge) * lamp.spot_blend, 1e-6))
    return share * share * (3.0 - 2.0 * share)


def _sees(
    scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph, at: Vector, towards: Vector, distance: float, passed: set
) -> bool:
    """Whether nothing stands between a point and a lamp, but what is passed through."""
    start, left = at + NEAR * towards, distance - 2 * NEAR
    for _ in range(8):
        if left <= 0.0:
            return True
        hit, place, _, _, thing, _ = scene.ray_cast(depsgraph, start, towards, distance=left)
        if not hit:
            return True
        if thing.name not in passed and not thing.hide_render and thing.visible_shadow:
            return False
        left -= (place - start).length + NEAR
        start = place + NEAR * towards
    return False
