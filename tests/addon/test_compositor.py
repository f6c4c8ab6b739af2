import bpy
import numpy as np
import pytest


@pytest.fixture
def composed(scene, studio, tmp_path):
    """Render through the compositor over a grey world."""

    def make():
        data = bpy.data.cameras.new("Camera")
        scene.camera = bpy.data.objects.new("Camera", data)
        scene.collection.objects.link(scene.camera)
        scene.world = scene.world or bpy.data.worlds.new("Grey")
        return studio.rendered(scene, tmp_path, 24, 32, film=False)

    return make


def test_the_take_lies_over_the_render(scene, make_take, composed, studio, part):
    compat = part("relitalk_addon.compat")
    scene.world = bpy.data.worlds.new("Grey")
    background = compat.ensure_nodes(scene.world).nodes["Background"]
    background.inputs["Color"].default_value = (0.2, 0.2, 0.2, 1.0)
    take = make_take("over")
    assert bpy.ops.relitalk.composite(take=str(take.path)) == {"FINISHED"}
    scene.relitalk.look = "AS_FILMED"
    part("relitalk_addon.stage").as_filmed(scene)
    node = compat.compositor(scene)[0].nodes["ReliTalk over"]
    node.inputs["Light Wrap"].default_value = 0.0
    for frame in (1, 4):
        scene.frame_set(frame)
        shown = composed()[..., :3]
        rgb, alpha = studio.picture(round((frame - 1) * 25 / 24 - 0.499))
        linear = rgb * alpha[..., None] + 0.2 * (1 - alpha[..., None])
        want = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        inner, outer = alpha > 0.999, alpha < 0.001
        assert np.abs(shown - want)[inner].max() < 2.5 / 255
        assert np.abs(shown - want)[outer].max() < 2.5 / 255
    node.inputs["Light Wrap"].default_value = 1.0
    wrapped = composed()[..., :3]
    rim = (alpha > 0.5) & (alpha < 0.95)
    assert (wrapped - shown)[rim].min() > 0.0


def test_a_pass_is_cut_out_and_a_second_call_replaces_the_first(scene, make_lit_take, part):
    take = make_lit_take()
    portrait = bpy.ops.relitalk.place_take(take=str(take.path)) and bpy.data.objects["ReliTalk lit"]
    for layer in ("beauty", "albedo"):
        assert bpy.ops.relitalk.composite(layer=layer) == {"FINISHED"}
    tree, output = part("relitalk_addon.compat").compositor(scene)
    groups = [node for node in tree.nodes if node.bl_idname == "CompositorNodeGroup"]
    assert len(groups) == 1 and output.links[0].from_node == groups[0]
    size = groups[0].inputs["Portrait"].links[0].from_node
    assert size.inputs["Image"].links[0].from_node.bl_idname == "CompositorNodeSetAlpha"
    assert portrait.hide_render
    with pytest.raises(RuntimeError, match="no pass bones"):
        bpy.ops.relitalk.composite(layer="bones")


def test_two_takes_lie_over_one_another(scene, make_take, part):
    for name in ("one", "two"):
        assert bpy.ops.relitalk.composite(take=str(make_take(name, sound=False).path)) == {"FINISHED"}
    _, output = part("relitalk_addon.compat").compositor(scene)
    upper = output.links[0].from_node
    assert upper.name == "ReliTalk two"
    assert upper.inputs["Image"].links[0].from_node.name == "ReliTalk one"
