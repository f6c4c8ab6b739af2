"""Renders a person with ground truth in Cycles, laid out as `relitalk evaluate --against` wants it.

    python -m relitalk_engine.evaluate.synthetic OUT --seed 1 --tone 0.8 --hair curly

One motion, one light for the clips, some frames of the test clip under several others. The one module of the engine
that imports bpy, and the engine never imports it: it is run, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..face.heads import load_head
from ..media import images, preview
from . import materials, rendered
from .acting import Performance, perform
from .hair import STYLES
from .rendered import Frame, SceneLight
from .sitter import Looks, Mesh, Sitter
from .truth import find_hdri

DISTANCE, CAMERA_Y, VIEW = 1.05, -0.040, 0.38
"""Metres from the camera to the head's origin, the camera's height against it, and what it sees across there."""
WORLDS = (
    ("studio", 0), ("city", 90), ("interior", 200), ("forest", 0), ("night", 0), ("sunrise", 120), ("sunset", 300),
    ("courtyard", 150), ("interior", 20), ("city", 250),
)  # fmt: skip
"""The lights that the test frames are seen under, and how far each is turned, in degrees."""


class Studio:
    """The scene in Blender: a person before a camera under a world.

    Args:
        sitter: the person.
        size: side of the picture in pixels.
        samples: of Cycles, per pixel.
    """

    def __init__(self, sitter: Sitter, size: int, samples: int) -> None:
        import bpy

        self.sitter, self.size = sitter, size
        self.lit: SceneLight | None = None
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        self._film(samples)
        self._world()
        camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera
        camera.location, camera.rotation_euler = (0.0, -DISTANCE, CAMERA_Y), (math.pi / 2, 0.0, 0.0)
        camera.data.sensor_width, camera.data.lens = 36.0, 36.0 * DISTANCE / VIEW
        looks = sitter.looks
        self.skin = self._mesh("skin", sitter.skin, materials.skin(_material("skin"), looks), 2)
        self.shirt = self._mesh("shirt", sitter.shirt, materials.cloth(_material("cloth"), looks.shirt), 1)
        teeth = materials.teeth(_material("teeth"))
        self.teeth = [self._mesh("teeth", mesh, teeth, 0) for mesh in sitter.teeth]
        eye = materials.eye(_material("eye"), looks.iris)
        self.eyes = {name: self._mesh(name, self.sitter.eyeball, eye, 0) for name in sitter.eyes}
        self.hair = self._curves(materials.hair(_material("hair"), *looks.hair_melanin))

    def _film(self, samples: int) -> None:
        scene = self.scene
        scene.render.engine = "CYCLES"
        scene.render.resolution_x = scene.render.resolution_y = self.size
        scene.render.resolution_percentage = 100
        scene.render.film_transparent = True
        scene.render.use_persistent_data = True
        scene.cycles.samples, scene.cycles.use_denoising = samples, True
        scene.cycles.denoiser, scene.cycles.denoising_prefilter = "OPENIMAGEDENOISE", "FAST"
        scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 4, 2, 2
        scene.cycles.sample_clamp_direct, scene.cycles.sample_clamp_indirect = 0.0, 10.0
        scene.cycles_curves.shape = "RIBBONS"
        scene.render.image_settings.media_type = "MULTI_LAYER_IMAGE"
        scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
        scene.render.image_settings.color_depth = "16"
        layer = scene.view_layers[0]
        layer.use_pass_z = layer.use_pass_normal = layer.use_pass_diffuse_color = True
        opaque = layer.aovs.add()
        opaque.name, opaque.type = "opaque", "VALUE"

    def _world(self) -> None:
        import bpy

        self.scene.world = bpy.data.worlds.new("world")
        tree = materials.Nodes(self.scene.world)
        self.mapping = tree.new("Mapping", Vector=tree.new("TexCoord").outputs["Generated"])
        self.texture = tree.new("TexEnvironment", Vector=self.mapping.outputs[0])
        self.background = tree.new("Background", Color=self.texture.outputs[0])
        tree.new("OutputWorld", Surface=self.background.outputs[0])

    def light(self, light: SceneLight, path: Path) -> None:
        """Let a world shine."""
        import bpy

        if light == self.lit:
            return
        self.lit = light
        self.texture.image = bpy.data.images.load(str(path), check_existing=True)
        self.mapping.inputs["Rotation"].default_value[2] = math.radians(light.rotation_deg)
        self.background.inputs["Strength"].default_value = light.strength

    # Shapes

    def _mesh(self, name: str, mesh: Mesh, material: Any, levels: int) -> Any:
        import bpy

        data = bpy.data.meshes.new(name)
        data.from_pydata(to_world(mesh.vertices).tolist(), [], mesh.faces.tolist())
        data.polygons.foreach_set("use_smooth", np.ones(len(mesh.faces), bool))
        for key, value in mesh.values.items():
            if value.ndim == 1:
                data.attributes.new(key, "FLOAT", "POINT").data.foreach_set("value", value.astype(np.float32))
            elif key == "rest":
                rows = np.ascontiguousarray(value, np.float32).ravel()
                data.attributes.new(key, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", rows)
            else:
                rows = np.concatenate([value, np.ones((len(value), 1))], 1).astype(np.float32).ravel()
                data.attributes.new(key, "FLOAT_COLOR", "POINT").data.foreach_set("color", rows)
        data.materials.append(material)
        thing = bpy.data.objects.new(name, data)
        self.scene.collection.objects.link(thing)
        if levels:
            thing.modifiers.new("smooth", "SUBSURF").render_levels = levels
        return data

    def _curves(self, material: Any) -> Any:
        import bpy

        strands = self.sitter.strands
        data = bpy.data.hair_curves.new("hair")
        data.add_curves([strands.points.shape[1]] * len(strands.points))
        thick = strands.radius.ravel().astype(np.float32)
        data.attributes.new("radius", "FLOAT", "POINT").data.foreach_set("value", thick)
        data.materials.append(material)
        self.scene.collection.objects.link(bpy.data.objects.new("hair", data))
        return data

    # Time

    def pose(self, psi: np.ndarray, rotation: np.ndarray, gaze: np.ndarray) -> np.ndarray:
        """Move everything; the head's vertices [V, 3] in the head's resting frame come back."""
        sitter = self.sitter
        deformed = sitter.deformed(psi)
        body = sitter.skin.vertices.copy()
        body[: len(deformed)] = deformed
        body = sitter.hold(body, rotation)
        _move(self.skin, body)
        turn, shift = sitter.jaw(psi)
        for data, mesh, moved in zip(self.teeth, sitter.teeth, (False, True), strict=True):
            points = mesh.vertices @ turn.T + shift if moved else mesh.vertices
            _move(data, (points - sitter.pivot) @ rotation.T + sitter.pivot)
        c, s = np.cos(gaze), np.sin(gaze)
        look = np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]]) @ np.array(
            [[1, 0, 0], [0, c[1], -s[1]], [0, s[1], c[1]]]
        ).T
        ball = sitter.eyeball.vertices
        for name, data in self.eyes.items():
            points = ball @ look.T + sitter.eyes[name]
            _move(data, (points - sitter.pivot) @ rotation.T + sitter.pivot)
        strands = to_world(sitter.strands_at(deformed, rotation).reshape(-1, 3))
        self.hair.attributes["position"].data.foreach_set("vector", strands.astype(np.float32).ravel())
        self.hair.update_tag()
        return body[: len(deformed)]

    def render(self, path: Path) -> None:
        """Write the passes as one EXR."""
        import bpy

        self.scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)


def to_world(points: np.ndarray) -> np.ndarray:
    """Head frame (x, y, z) to Blender's (x, −z, y)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


def _move(data: Any, points: np.ndarray) -> None:
    data.vertices.foreach_set("co", to_world(points).astype(np.float32).ravel())
    data.update()


def _material(name: str) -> Any:
    import bpy

    return bpy.data.materials.new(name)


class Shooting:
    """Renders the clips and stills of one person into a folder.

    Args:
        out: the folder.
        arguments: the command line's.
    """

    def __init__(self, out: Path, arguments: argparse.Namespace) -> None:
        self.out, self.options = out, arguments
        head = load_head()
        seed = arguments.seed
        looks = Looks.draw(head, arguments.tone, arguments.hair, np.random.default_rng(seed))
        self.sitter = Sitter(head, looks, np.random.default_rng(seed + 1))
        self.size, self.focal = arguments.size, arguments.size * DISTANCE / VIEW
        self.studio = Studio(self.sitter, arguments.size, arguments.samples)
        self.brightness = np.random.default_rng(seed + 2)
        self.source = self._light(arguments.source[0], float(arguments.source[1]))
        self.lights = [self._light(*WORLDS[(seed + i) % len(WORLDS)]) for i in range(arguments.lights)]
        self.seconds: list[float] = []

    def _light(self, hdri: str, turn: float) -> SceneLight:
        brightness = float(self.brightness.uniform(0.6, 1.2))
        return rendered.exposed(hdri, find_hdri(hdri, self.out), turn, brightness)

    def clip(self, name: str, count: int, take: int, stills: list[int]) -> Performance:
        """Render a clip with its truth, and of the stills the passes too."""
        options, studio = self.options, self.studio
        rng = np.random.default_rng([options.seed, take])
        acted = perform(self.sitter.head, count, options.fps, options.seed + 2 * take, options.voice, rng)
        behind = rendered.backdrop(find_hdri(self.source.hdri, self.out), self.source, self.size, self.focal)
        vertices, frames = [], []
        for number in range(count):
            vertices.append(studio.pose(acted.psi[number], acted.rotation[number], acted.gaze[number]))
            frame = self._shoot(self.source, self.out / "passes" / f"{number:05d}.exr")
            frames.append(frame.over(behind))
            if name == "test":
                alpha = np.rint(frame.alpha * 255).astype(np.uint8)
                images.write_png(_made(self.out / "test_alpha" / f"{number:05d}.png"), alpha[..., None].repeat(3, -1))
            if number not in stills:
                (self.out / "passes" / f"{number:05d}.exr").unlink()
                continue
            frame.write(_made(self.out / "test" / f"{number:05d}.png"))
            opaque = frame.opaque.astype(np.uint8) * 255
            images.write_png(_made(self.out / "opaque" / f"{number:05d}.png"), opaque[..., None].repeat(3, -1))
        wav = self.out / f"{name}.wav"
        _write_sound(wav, acted.samples, acted.rate)
        preview.write_preview(self.out / f"{name}.mp4", frames, Fraction(options.fps), wav)
        camera = (DISTANCE, CAMERA_Y)
        known = rendered.truth(self.sitter.head, acted, np.stack(vertices), camera, self.size, self.focal)
        np.savez_compressed(self.out / f"{name}_truth.npz", **known)
        return acted

    def relight(self, acted: Performance, stills: list[int]) -> None:
        """Render the stills under every other light; light by light, since changing it costs more than a pose."""
        for index, light in enumerate(self.lights):
            folder = self.out / "relight" / f"{index:02d}_{light.hdri}_{round(light.rotation_deg)}"
            light.save(_made(folder / "scene_light.json"))
            for number in stills:
                self.studio.pose(acted.psi[number], acted.rotation[number], acted.gaze[number])
                path = folder / f"{number:05d}.exr"
                self._shoot(light, path).write(path.with_suffix(".png"))
                path.unlink()

    def _shoot(self, light: SceneLight, path: Path) -> Frame:
        began = time.monotonic()
        self.studio.light(light, find_hdri(light.hdri, self.out))
        self.studio.render(_made(path))
        self.seconds.append(time.monotonic() - began)
        return Frame.read(path)


def main() -> None:
    """Render a person."""
    wants = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wants.add_argument("out", type=Path, help="folder for the person; made where it is not there")
    wants.add_argument("--seed", type=int, default=1, help="who it is")
    wants.add_argument("--tone", type=float, default=0.2, help="of the skin, 0 light to 1 dark")
    wants.add_argument("--hair", default="short", choices=sorted(STYLES))
    wants.add_argument("--voice", default="en-us+m3", help="of espeak-ng")
    wants.add_argument("--frames", type=int, default=100, help="of train.mp4")
    wants.add_argument("--fps", type=float, default=25.0)
    wants.add_argument("--test", type=int, default=50, help="frames of test.mp4; 0 for train.mp4 alone")
    wants.add_argument("--stills", type=int, default=8, help="test frames under the other lights")
    wants.add_argument("--lights", type=int, default=7, choices=range(1, len(WORLDS) + 1))
    wants.add_argument("--source", nargs=2, default=("courtyard", "30"), metavar=("HDRI", "DEGREES"))
    wants.add_argument("--size", type=int, default=320, help="pixels")
    wants.add_argument("--samples", type=int, default=48, help="of Cycles, a pixel")
    options = wants.parse_args()
    shooting = Shooting(options.out, options)
    step = options.test / max(options.stills, 1)
    stills = [int((i + 0.5) * step) for i in range(options.stills)] if options.test else []
    shooting.clip("train", options.frames, 0, [])
    shooting.source.save(options.out / "train_scene_light.json")
    if options.test:
        shooting.relight(shooting.clip("test", options.test, 1, stills), stills)
        lights = [[light.hdri, light.rotation_deg, light.strength] for light in shooting.lights]
        content = {"frames": stills, "lights": lights, "train_light": list(options.source)}
        (options.out / "relight.json").write_text(json.dumps(content), encoding="utf-8")
    print(f"{len(shooting.seconds)} pictures, {np.mean(shooting.seconds):.2f} s each: {options.out}")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_sound(path: Path, samples: np.ndarray, rate: int) -> None:
    import soundfile

    soundfile.write(str(path), samples, rate)


if __name__ == "__main__":
    main()
