import bpy
import numpy as np
import pytest


def value(thing, name):
    bpy.context.view_layer.update()
    return thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys.key_blocks[name].value


def placed(take):
    assert bpy.ops.relitalk.place_take(take=str(take.path)) == {"FINISHED"}
    return bpy.data.objects[f"ReliTalk {take.path.name}"]


def test_the_head_moves_as_the_take_does(scene, make_lit_take):
    scene.render.fps = 25
    take = make_lit_take()
    assert bpy.ops.relitalk.add_head_mesh(take=str(take.path), frame_start=11) == {"FINISHED"}
    head = bpy.context.view_layer.objects.active
    assert [block.name for block in head.data.shape_keys.key_blocks] == ["Basis", "jawOpen", "mouthSmileLeft"]
    for frame, jaw in ((11, 0.0), (13, 0.4), (16, 1.0)):
        scene.frame_set(frame)
        keys = head.data.shape_keys.key_blocks
        assert keys["jawOpen"].value == pytest.approx(jaw, abs=1e-5)
        assert keys["mouthSmileLeft"].value == pytest.approx(0.25)
    scene.frame_set(16)
    turned = np.array(head.matrix_local.to_3x3())
    c, s = np.cos(0.5), np.sin(0.5)
    assert turned == pytest.approx(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), abs=1e-4)
    texture = head.active_material.node_tree.nodes["Albedo"]
    assert texture.image.size[0] == 24 and texture.outputs["Color"].is_linked
    assert np.array(head.parent.matrix_world)[:3, 2] == pytest.approx([0, -1, 0], abs=1e-6)  # faces -Y


def test_another_frame_rate_moves_it_at_the_same_pace(scene, make_lit_take):
    scene.render.fps = 50
    assert bpy.ops.relitalk.add_head_mesh(take=str(make_lit_take().path), frame_start=1) == {"FINISHED"}
    keys = bpy.context.view_layer.objects.active.data.shape_keys.key_blocks
    scene.frame_set(6)  # half way between the take's frames 2 and 3
    assert keys["jawOpen"].value == pytest.approx(0.5, abs=1e-5)


def test_a_second_call_brings_the_same_head_up_to_date(scene, make_lit_take):
    take = make_lit_take()
    placed(take)
    for _ in range(2):
        assert bpy.ops.relitalk.add_head_mesh() == {"FINISHED"}
    heads = [thing for thing in scene.objects if thing.get("relitalk_head")]
    assert len(heads) == 1 and heads[0].parent.parent.name == "ReliTalk lit"


def test_any_mesh_with_such_shape_keys_is_driven(scene, make_lit_take, part):
    scene.render.fps = 25
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    for name in ("Basis", "blendShape1.JawOpen", "mouthSmile_L", "other"):
        cube.shape_key_add(name=name, from_mix=False)
    assert bpy.ops.relitalk.drive_mesh(take=str(make_lit_take().path), frame_start=1) == {"FINISHED"}
    scene.frame_set(4)
    keys = cube.data.shape_keys.key_blocks
    assert keys["blendShape1.JawOpen"].value == pytest.approx(0.6, abs=1e-5)
    assert keys["mouthSmile_L"].value == pytest.approx(0.25)
    assert len(list(part("relitalk_addon.compat").curves(cube.data.shape_keys))) == 2


def test_what_cannot_be_driven_is_refused_in_words(scene, make_lit_take, make_take):
    take = make_lit_take()
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(RuntimeError, match="shape keys"):
        bpy.ops.relitalk.drive_mesh(take=str(take.path))
    bpy.context.object.shape_key_add(name="Basis", from_mix=False)
    bpy.context.object.shape_key_add(name="wink", from_mix=False)
    with pytest.raises(RuntimeError, match="jawOpen"):
        bpy.ops.relitalk.drive_mesh(take=str(take.path))
    with pytest.raises(RuntimeError, match=r"head\.npz"):
        bpy.ops.relitalk.add_head_mesh(take=str(make_take("old").path))
    take.head_path.write_bytes(b"no archive")
    with pytest.raises(RuntimeError, match="damaged"):
        bpy.ops.relitalk.add_head_mesh(take=str(take.path))
