"""Turn the world around a placed take: light for every frame, keyed, rendered as pictures.

blender -b --python light_turntable.py -- --take TAKE -o FOLDER [--world HDRI] [--count N]
"""

from __future__ import annotations

import argparse
import sys
from math import radians
from pathlib import Path

import bpy

EXTENSION = "bl_ext.user_default.relitalk"


def main() -> None:
    """Place the take, turn the world, key the light, render."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--take", type=Path, required=True, help="a take that was rendered with passes")
    parser.add_argument("--world", type=Path, default=None, help="an HDRI; one that Blender brings, if none is named")
    parser.add_argument("--count", type=int, default=24, help="frames of one turn")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("-o", "--out", type=Path, default=Path("turntable"))
    asked = parser.parse_args(words)

    bpy.ops.wm.read_factory_settings(use_empty=True)
    if EXTENSION not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=EXTENSION)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, asked.count
    turning_world(scene, asked.world, asked.count)

    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.camera.location, scene.camera.rotation_euler = (0.0, -3.0, 1.6), (radians(90.0), 0.0, 0.0)
    scene.collection.objects.link(scene.camera)
    scene.relitalk.stand = "CAMERA"
    bpy.ops.relitalk.place_take(take=str(asked.take.absolute()), frame_start=1)
    bpy.context.view_layer.objects.active.relitalk.mode = "WORLD"
    bpy.ops.relitalk.key_light(first=1, last=asked.count)

    scene.render.engine = "CYCLES"
    scene.cycles.samples = asked.samples
    scene.render.resolution_x, scene.render.resolution_y = 640, 480
    scene.render.filepath = str(asked.out.absolute() / "turn_")
    bpy.ops.render.render(animation=True)


def turning_world(scene: bpy.types.Scene, hdri: Path | None, count: int) -> None:
    """A world of an HDRI that turns once about the vertical."""
    if hdri is None:
        hdri = Path(bpy.utils.system_resource("DATAFILES")) / "studiolights" / "world" / "sunset.exr"
    scene.world = bpy.data.worlds.new("World")
    if scene.world.node_tree is None or bpy.app.version < (5, 0, 0):
        scene.world.use_nodes = True
    tree = scene.world.node_tree
    kinds = ("ShaderNodeTexEnvironment", "ShaderNodeMapping", "ShaderNodeTexCoord")
    panorama, mapping, where = (tree.nodes.new(kind) for kind in kinds)
    panorama.image = bpy.data.images.load(str(hdri))
    tree.links.new(where.outputs["Generated"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs["Vector"], panorama.inputs["Vector"])
    tree.links.new(panorama.outputs["Color"], tree.nodes["Background"].inputs["Color"])
    turn = mapping.inputs["Rotation"]
    for frame, degrees in ((1, 0.0), (count + 1, 360.0)):
        turn.default_value[2] = radians(degrees)
        turn.keyframe_insert("default_value", index=2, frame=frame)


if __name__ == "__main__":
    main()
