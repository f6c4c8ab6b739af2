"""`python -m benchmarks.hair [STYLES [LIGHTS]]`: the lit spheres of hair beside balls of strands that Cycles renders.

Each ball is lit by one sun from ahead, the side or behind. Three absorptions stand in its three channels: so strong
that only the white lobe is left, brown, and fair. Printed is the mean over the ball, rendered and by
`lighting.hair.response`, with the paint that fits the ball best.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import numpy as np

from relitalk_engine.lighting import hair

SIZE, RADIUS, VIEW = 64, 0.09, 0.234
STYLES = (  # lift, length, how soon it lies down, curl, spread, roughness
    (0.8, 0.010, 0, 0.0006, 0.3, 0.30), (0.45, 0.04, 10, 0.0015, 0.35, 0.32), (0.15, 0.10, 30, 0.002, 0.2, 0.25),
    (0.2, 0.10, 30, 0.004, 0.4, 0.40), (0.9, 0.022, 0, 0.003, 0.5, 0.35), (0.3, 0.05, 15, 0.001, 0.5, 0.20),
    (0.1, 0.12, 40, 0.0008, 0.12, 0.30), (0.6, 0.03, 6, 0.002, 0.6, 0.50),
)  # fmt: skip
ABSORPTION = (60.0, 0.25, 0.08)
POLAR = (0, 50, 85, 115, 145, 160, 172)
POINTS, SAMPLES, BOUNCES = 8, 24, 12


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def grow(style: tuple, rng: np.random.Generator) -> np.ndarray:
    """Strands on a ball, combed one way: [K, POINTS, 3] metres, camera frame."""
    lift, length, fall, curl, spread, _ = style
    count = int(np.clip(1200 / length, 14000, 40000))
    normal = _unit(rng.normal(size=(count, 3)))
    root, way = normal * RADIUS, _unit(rng.normal(size=3))
    step = (length * np.exp(rng.normal(0, 0.25, count)).clip(0.4, 1.6) / (POINTS - 1))[:, None]
    clump = (np.floor(root / 0.008) * (12.9, 78.2, 37.7)).sum(-1)
    tufts = np.stack([np.sin(clump * k) for k in (1.0, 1.7, 2.3)], -1)
    stray = 0.5 * spread * tufts + rng.normal(0, spread * 0.35, (count, 3))
    comb = _unit(way - (way * normal).sum(-1, keepdims=True) * normal + 0.3 * tufts)
    direction, place, points = _unit(lift * normal + (1 - lift) * comb + stray), root.copy(), [root]
    for _ in range(POINTS - 1):
        pull, up = 1 - np.exp(-fall * step), _unit(place)
        along = way - (way * up).sum(-1, keepdims=True) * up
        direction = _unit(direction * (1 - pull) + pull * (along + 0.2 * stray))
        place = place + step * direction
        lowest = RADIUS * (1.01 + 0.06 * rng.random((count, 1)) * (length > 0.03))
        highest = RADIUS * (1.12 if length > 0.08 else 9.0)
        distance = np.linalg.norm(place, axis=-1, keepdims=True)
        place = place * (np.clip(distance, lowest, highest) / distance)
        points.append(place)
    share = np.linspace(0, 1, POINTS)[:, None]
    turn = 3 * np.pi * share[None] + rng.uniform(0, 2 * np.pi, (count, 1, 1))
    side = _unit(np.cross(normal, comb))[:, None]
    wave = np.sin(turn) * side + np.cos(turn) * normal[:, None]
    return np.stack(points, 1) + curl * np.minimum(share * 3, 1) * wave


class Stage:
    """A ball before a camera in Blender, under one sun; camera frame (x, y, z) is the world's (x, −z, y)."""

    def __init__(self) -> None:
        import bpy

        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = scene = bpy.context.scene
        scene.render.engine, scene.render.film_transparent, scene.render.use_persistent_data = "CYCLES", True, True
        scene.render.resolution_x = scene.render.resolution_y = SIZE
        scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
        scene.render.image_settings.color_mode = "RGBA"
        cycles = scene.cycles
        cycles.samples, cycles.use_denoising, cycles.use_adaptive_sampling = SAMPLES, False, False
        cycles.max_bounces = cycles.glossy_bounces = cycles.transmission_bounces = BOUNCES
        camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        camera.data.type, camera.data.ortho_scale = "ORTHO", VIEW
        camera.location, camera.rotation_euler = (0, -1, 0), (math.pi / 2, 0, 0)
        self.sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
        self.sun.data.energy, self.sun.data.angle, self.sun.rotation_mode = math.pi, math.radians(6), "QUATERNION"
        for thing in (camera, self.sun):
            scene.collection.objects.link(thing)
        scene.camera = camera
        bpy.ops.mesh.primitive_uv_sphere_add(radius=RADIUS * 0.995)
        skin, _ = self._material("ShaderNodeBsdfDiffuse", Color=(0.004, 0.03, 0.1, 1))
        bpy.context.object.data.materials.append(skin)
        self.fibre, self.shader = self._material("ShaderNodeBsdfHairPrincipled", **{"Radial Roughness": 0.4})
        self.shader.parametrization = "ABSORPTION"
        self.shader.inputs["Absorption Coefficient"].default_value = ABSORPTION
        self.strands = None

    def _material(self, kind: str, **values: object):
        import bpy

        material = bpy.data.materials.new(kind)
        material.use_nodes = True
        tree = material.node_tree
        tree.nodes.clear()
        shader, out = tree.nodes.new(kind), tree.nodes.new("ShaderNodeOutputMaterial")
        for name, value in values.items():
            shader.inputs[name].default_value = value
        tree.links.new(shader.outputs[0], out.inputs[0])
        return material, shader

    def wear(self, points: np.ndarray, roughness: float) -> None:
        """Put strands on the ball."""
        import bpy

        if self.strands:
            bpy.data.objects.remove(self.strands)
        data = bpy.data.hair_curves.new("hair")
        data.add_curves([POINTS] * len(points))
        world = np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)
        data.attributes["position"].data.foreach_set("vector", world.astype(np.float32).ravel())
        radius = np.broadcast_to(0.0003 * (1 - 0.6 * np.linspace(0, 1, POINTS) ** 3), points.shape[:2])
        data.attributes.new("radius", "FLOAT", "POINT").data.foreach_set("value", radius.astype(np.float32).ravel())
        data.materials.append(self.fibre)
        self.strands = bpy.data.objects.new("hair", data)
        self.scene.collection.objects.link(self.strands)
        self.shader.inputs["Roughness"].default_value = roughness

    def shoot(self, light: np.ndarray, path: Path) -> np.ndarray:
        """[S, S, 4] linear, associated alpha, under a sun from `light` [3] that shades a facing wall to 1."""
        import bpy
        from mathutils import Vector

        self.sun.rotation_quaternion = Vector((light[0], -light[2], light[1])).to_track_quat("Z", "Y")
        self.scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(path), check_existing=False)
        image.colorspace_settings.name = "Non-Color"
        values = np.empty(SIZE * SIZE * 4, np.float32)
        image.pixels.foreach_get(values)
        bpy.data.images.remove(image)
        return values.reshape(SIZE, SIZE, 4)[::-1]


def main(styles: int = 4, lights: int = len(POLAR)) -> None:
    """Print the table."""
    rng, stage, rows = np.random.default_rng(3), Stage(), []
    axis = ((np.arange(SIZE) + 0.5) / SIZE * 2 - 1) * VIEW / 2
    x, y = np.meshgrid(axis, -axis)
    with tempfile.TemporaryDirectory(prefix="relitalk-") as folder:
        for style in STYLES[:styles]:
            stage.wear(grow(style, rng), style[-1])
            for polar in np.radians(POLAR[:lights]):
                around = rng.uniform(0, 2 * np.pi)
                across = math.sin(polar)
                towards = np.array([across * math.cos(around), across * math.sin(around), math.cos(polar)])
                picture = stage.shoot(towards, Path(folder) / "ball.exr")
                cover = picture[..., 3]
                outer = math.sqrt((cover > 0.5).sum() / math.pi) * VIEW / SIZE
                inside = (np.hypot(x, y) < 0.98 * outer) & (cover > 0.3)
                normal = np.stack([x, y], -1)[inside] / outer
                normal = np.concatenate([normal, np.sqrt(1 - (normal**2).sum(-1, keepdims=True))], -1)
                lobes = hair.response(normal, towards[None])[..., 0].mean(-1)
                rows.append((math.degrees(polar), *(picture[inside][:, :3] / cover[inside][:, None]).mean(0), *lobes))
    table = np.array(rows)
    white = hair.GLOSS * table[:, 6]
    print(f"{'light':>6} {'white lobe':>17} {'brown':>17} {'fair':>17}   (rendered, model)")
    models = [white]
    for channel in (2, 3):
        tried = np.geomspace(0.002, 0.8, 200)
        made = tried[:, None] * table[:, 4] + np.sqrt(tried)[:, None] * table[:, 5] + white
        models.append(made[np.abs(np.log(made / table[:, channel])).mean(1).argmin()])
    for polar in POLAR[:lights]:
        at = np.isclose(table[:, 0], polar)
        pairs = (f"{table[at, 1 + k].mean():8.4f} {models[k][at].mean():8.4f}" for k in range(3))
        print(f"{polar:5d}°", *pairs)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
