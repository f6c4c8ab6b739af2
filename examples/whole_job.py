"""The whole job without a window: train, drive, light, place, save, render.

blender -b --python whole_job.py -- --video CLIP --audio SOUND --consent -o FOLDER [--world HDRI] [--frames A:B]
"""

from __future__ import annotations

import argparse
import sys
from math import radians
from pathlib import Path

import bpy

EXTENSION = "bl_ext.user_default.relitalk"


def main() -> None:
    """Do the job."""
    asked = arguments()
    out = asked.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if EXTENSION not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=EXTENSION)
    known = bpy.context.preferences.addons[EXTENSION].preferences
    known.library, known.engine_python = str(out), str(asked.engine_python or "")
    if asked.set_up:
        bpy.ops.relitalk.set_up_engine()

    scene = bpy.context.scene
    light_by_panorama(scene, asked.world)
    stand_camera(scene)
    subject = out / "subjects" / f"{asked.video.stem}.relitalk"
    if not subject.exists():
        bpy.ops.relitalk.train(
            video=str(asked.video), subject=str(subject), preset=asked.preset, duration=asked.duration,
            consent=asked.consent, wait=True,
        )
    scene.relitalk.stand, scene.relitalk.shadow = "EYES", True
    bpy.ops.relitalk.match_light(source="WORLD")
    bpy.ops.relitalk.render(
        subject=str(subject), audio=str(asked.audio), light="matched", frames=asked.frames,
        take=str(out / "takes" / asked.audio.stem), place=True, wait=True,
    )
    portrait = bpy.context.view_layer.objects.active
    portrait.relitalk.mode = "WORLD"  # from now on it follows the world
    bpy.ops.relitalk.add_head_mesh()
    head = bpy.context.view_layer.objects.active
    head.parent.location.x = 0.35  # beside the portrait
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "portrait.blend"))

    scene.render.engine = "CYCLES"
    scene.cycles.samples = asked.samples
    scene.render.resolution_x, scene.render.resolution_y = 960, 540
    scene.render.filepath = str(out / "frame.png")
    bpy.ops.render.render(write_still=True)
    print(f"The scene is {out / 'portrait.blend'}, its first frame {out / 'frame.png'}.")


def arguments() -> argparse.Namespace:
    """What stands after `--`."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, required=True, help="a clip of one person who speaks")
    parser.add_argument("--audio", type=Path, required=True, help="what is said")
    parser.add_argument("--consent", action="store_true", help="the person in the clip agreed")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--duration", type=float, default=0.0, help="seconds of the clip; 0: all")
    parser.add_argument("--world", type=Path, default=None, help="an HDRI; one that Blender brings, if none is named")
    parser.add_argument("--frames", default="", help="A:B, frames A to B-1 of the take")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--engine-python", type=Path, default=None, help="a Python that has the engine's libraries")
    parser.add_argument("--set-up", action="store_true", help="set up the engine first")
    parser.add_argument("-o", "--out", type=Path, default=Path("relitalk_out"))
    return parser.parse_args(words)


def light_by_panorama(scene: bpy.types.Scene, hdri: Path | None) -> None:
    """A world of an HDRI."""
    if hdri is None:
        hdri = Path(bpy.utils.system_resource("DATAFILES")) / "studiolights" / "world" / "courtyard.exr"
    scene.world = bpy.data.worlds.new("World")
    if scene.world.node_tree is None or bpy.app.version < (5, 0, 0):
        scene.world.use_nodes = True
    tree = scene.world.node_tree
    panorama = tree.nodes.new("ShaderNodeTexEnvironment")
    panorama.image = bpy.data.images.load(str(hdri))
    tree.links.new(panorama.outputs["Color"], tree.nodes["Background"].inputs["Color"])


def stand_camera(scene: bpy.types.Scene) -> None:
    """A camera at eye height, before the place of the portrait."""
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.camera.data.lens = 60.0
    scene.camera.location = (0.15, -1.6, 1.6)
    scene.camera.rotation_euler = (radians(90.0), 0.0, 0.0)
    scene.collection.objects.link(scene.camera)


if __name__ == "__main__":
    main()
