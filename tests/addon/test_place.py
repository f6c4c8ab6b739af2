from fractions import Fraction
from math import floor
from pathlib import Path

import bpy
import numpy as np
import pytest


def placed(take, **arguments):
    assert bpy.ops.relitalk.place_take(take=str(take.path), **arguments) == {"FINISHED"}
    return bpy.data.objects[f"ReliTalk {take.path.name}"]


def test_a_placed_take_has_its_names_its_size_and_its_origin_between_the_eyes(scene, make_take):
    take = make_take("hello")
    portrait = placed(take)
    assert portrait.users_collection[0].name == "ReliTalk"
    assert Path(portrait["relitalk_take"]) == take.path
    assert portrait.active_material.name == "ReliTalk hello"
    corners = np.array([tuple(portrait.matrix_basis @ vertex.co) for vertex in portrait.data.vertices])
    assert np.ptp(corners, axis=0) == pytest.approx([0.24, 0.0, 0.32], abs=1e-6)  # stands upright, faces -Y
    origin = np.array(portrait.location)
    assert corners.max(axis=0)[2] - origin[2] == pytest.approx(0.4 * 0.32, abs=1e-6)
    assert corners[:, :2].mean(axis=0) == pytest.approx(origin[:2], abs=1e-6)
    assert corners.min(axis=0)[2] == pytest.approx(scene.cursor.location.z, abs=1e-6)  # stands on the cursor


def test_placing_again_updates_and_keeps_transform_and_animation(scene, make_take):
    take = make_take("hello")
    portrait = placed(take)
    portrait.location = (1.0, 2.0, 3.0)
    portrait.keyframe_insert("location", frame=1)
    scene.relitalk.exposure = 1.0
    again = placed(take, frame_start=11)
    assert again == portrait and tuple(again.location) == (1.0, 2.0, 3.0)
    assert again.animation_data.action is not None
    assert len([thing for thing in scene.objects if thing.get("relitalk_take")]) == 1
    tree = again.active_material.node_tree
    assert tree.nodes["Take"].image_user.frame_start == 11
    assert tree.nodes["Exposure"].inputs["Strength"].default_value == pytest.approx(2.0)


def test_two_takes_stand_side_by_side(scene, make_take):
    first, second = placed(make_take("one")), placed(make_take("two"))
    assert first != second and first.active_material != second.active_material


@pytest.mark.parametrize(
    ("fps", "scene_fps", "base"),
    [(Fraction(25), 24, 1.0), (Fraction(24000, 1001), 24, 1.001), (Fraction(30), 25, 1.0), (Fraction(25), 60, 1.0)],
)
@pytest.mark.parametrize("start", [1, 40])
def test_the_driver_maps_scene_frames_to_the_takes(scene, make_take, fps, scene_fps, base, start):
    scene.render.fps, scene.render.fps_base = scene_fps, base
    portrait = placed(make_take("timed", fps=fps, sound=False), frame_start=start)
    user = portrait.active_material.node_tree.nodes["Take"].image_user
    rate = Fraction(scene_fps) / Fraction(base).limit_denominator(1000)
    for frame in range(start, start + floor(7 * rate / fps)):
        scene.frame_set(frame)
        mapped = floor((frame - start) * fps / rate)
        shown = portrait.evaluated_get(bpy.context.evaluated_depsgraph_get()).active_material
        assert shown.node_tree.nodes["Take"].image_user.frame_offset == mapped - (frame - start) - 1
        assert user.use_auto_refresh


def test_the_mapping_follows_the_scenes_frame_rate(scene, make_take):
    scene.render.fps = 25
    portrait = placed(make_take("timed", sound=False))
    scene.render.fps = 50
    scene.frame_set(9)
    shown = portrait.evaluated_get(bpy.context.evaluated_depsgraph_get()).active_material
    assert shown.node_tree.nodes["Take"].image_user.frame_offset == 4 - 8 - 1


def test_a_long_take_stays_in_step_at_ntsc_rates(scene, make_take, part):
    expression = part("relitalk_addon.timing").index_expression(Fraction(24000, 1001), 1)
    scope = {"floor": floor, "round": round, "fps": 24, "base": float(np.float32(1.001))}
    for frame in (1, 1002, 100001, 500000):
        assert eval(expression, scope | {"frame": frame}) == frame - 1  # noqa: S307 -- our own expression


@pytest.mark.parametrize(("outside", "before", "after"), [("HOLD", 2, 5), ("LOOP", 5, 2), ("HIDE", None, None)])
def test_each_scene_frame_shows_the_takes_frame(scene, make_take, studio, tmp_path, outside, before, after):
    scene.relitalk.outside = outside
    scene.render.fps = 25
    portrait = placed(make_take("frames", frames=(2, 6)), frame_start=10)  # its frame 2 comes at scene frame 12
    studio.look_straight_at(scene, portrait)
    for frame, shown in ((3, before), (11, before), (12, 2), (14, 4), (15, 5), (16, after), (200, after)):
        if outside == "LOOP" and frame not in (11, 12, 15, 16):
            continue
        scene.frame_set(frame)
        pixel = studio.rendered(scene, tmp_path, 24, 32)[16, 12]
        if shown is None:
            assert pixel[3] == 0.0
        else:
            curve, linear = _srgb_curve()
            blue = np.interp(pixel[2], curve, linear)
            assert round(blue / 0.8 * 32 - 1) == shown, (frame, blue)


def _srgb_curve():
    linear = np.linspace(0.0, 1.0, 4096)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055), linear


@pytest.mark.parametrize("exr", [True, False])
def test_as_filmed_the_display_equals_the_take(scene, make_take, studio, tmp_path, exr):
    scene.relitalk.look = "AS_FILMED"
    portrait = placed(make_take("colour", exr=exr))
    assert scene.view_settings.view_transform == "Standard"
    studio.look_straight_at(scene, portrait)
    scene.frame_set(1)
    shown = studio.rendered(scene, tmp_path, 24, 32)
    rgb, alpha = studio.picture(0)
    curve, linear = _srgb_curve()
    wanted = np.interp(rgb, linear, curve)
    wanted = wanted if exr else np.rint(wanted * 255) / 255
    inside = alpha == 1.0
    assert np.abs(shown[..., :3] - wanted)[inside].max() <= 1 / 255
    assert np.abs(shown[..., 3] - alpha).max() <= 1 / 255
    rim = (alpha > 0.3) & (alpha < 1.0)
    assert np.abs(shown[..., :3] - wanted)[rim].max() < 3 / 255


def test_the_portrait_lights_nothing_and_shadows_only_when_asked(scene, make_take, studio, tmp_path):
    def floor_brightness(shadow):
        scene.relitalk.shadow = shadow
        placed(take)
        return studio.rendered(scene, tmp_path, 32, 32, samples=32, film=False)[..., :3].mean()

    take = make_take("shadow", painted=lambda frame: (np.full((16, 16, 3), 30.0), np.ones((16, 16))))
    bpy.ops.mesh.primitive_plane_add(size=4.0, location=(0.0, 0.0, -0.2))
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy = 1.0
    sun.rotation_euler = (0.6, 0.0, 0.0)
    scene.collection.objects.link(sun)
    above = bpy.data.objects.new("Above", bpy.data.cameras.new("Above"))
    above.location = (0.0, 0.0, 2.0)
    scene.collection.objects.link(above)
    scene.camera = above
    empty = studio.rendered(scene, tmp_path, 32, 32, samples=32, film=False)[..., :3].mean()
    portrait = placed(take)
    portrait.visible_camera = False
    portrait.scale = (5.0, 5.0, 5.0)
    without = floor_brightness(False)
    cast = floor_brightness(True)
    assert without == pytest.approx(empty, rel=1e-3)
    assert cast < 0.98 * empty


def test_the_sound_lies_on_the_first_free_channel(scene, make_take, part):
    compat = part("relitalk_addon.compat")
    take = make_take("loud")
    other = scene.sequence_editor_create()
    first = compat.strips(other).new_effect(**_colour_strip())
    portrait = placed(take, frame_start=5)
    strips = [strip for strip in compat.strips(scene.sequence_editor) if strip.type == "SOUND"]
    assert portrait is not None
    if bpy.app.version < (4, 4, 0) and not strips:
        pytest.skip("this bpy is built without Audaspace; the take was placed without its sound")
    assert [strip.name for strip in strips] == ["ReliTalk loud"]
    assert strips[0].channel != first.channel
    assert compat.strip_span(strips[0])[0] == 5
    assert scene.sync_mode == "AUDIO_SYNC"
    placed(take, frame_start=9)
    strips = [strip for strip in compat.strips(scene.sequence_editor) if strip.type == "SOUND"]
    assert [(strip.name, compat.strip_span(strip)[0]) for strip in strips] == [("ReliTalk loud", 9)]


def test_a_film_without_sound_is_warned_of(scene, make_take, part):
    settings = scene.render.image_settings
    if bpy.app.version >= (5, 0, 0):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.audio_codec = "NONE"
    stage, said = part("relitalk_addon.stage"), []
    stage.place(bpy.context, make_take("loud"), stage.Placing(), said.append)
    assert any("silent" in sentence or "without its sound" in sentence for sentence in said)


def _colour_strip():
    length = {"length": 50} if bpy.app.version >= (5, 0, 0) else {"frame_end": 51}
    return {"name": "Colour", "type": "COLOR", "channel": 1, "frame_start": 1} | length


def test_a_folder_that_is_no_take_is_refused_in_words(scene, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(RuntimeError, match=folder.name):
            bpy.ops.relitalk.place_take(take=str(folder))
    assert "ReliTalk" not in bpy.data.collections


def test_without_a_name_the_newest_take_is_placed(scene, make_take):
    with pytest.raises(RuntimeError, match="no take"):
        bpy.ops.relitalk.place_take()


def camera_at(scene, location, rotation, **settings):
    data = bpy.data.cameras.new("Camera")
    for name, value in settings.items():
        setattr(data, name, value)
    scene.camera = bpy.data.objects.new("Camera", data)
    scene.camera.location, scene.camera.rotation_euler = location, rotation
    scene.collection.objects.link(scene.camera)
    return scene.camera


def seen_corners(scene, portrait):
    """Where the camera sees the plane's corners, 0..1 of its frame."""
    from bpy_extras.object_utils import world_to_camera_view

    bpy.context.view_layer.update()
    corners = [portrait.matrix_world @ vertex.co for vertex in portrait.data.vertices]
    return np.array([tuple(world_to_camera_view(scene, scene.camera, corner)) for corner in corners])


def test_eyes_stand_at_eye_height(scene, make_take):
    scene.relitalk.stand, scene.relitalk.eye_height = "EYES", 1.7
    portrait = placed(make_take("tall"))
    assert portrait.location.z == pytest.approx(1.7)


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_a_portrait_fills_the_cameras_frame(scene, make_take, kind):
    scene.render.resolution_x, scene.render.resolution_y = 400, 200
    camera_at(scene, (1.0, -4.0, 2.0), (1.3, 0.1, 0.4), type=kind, shift_x=0.05)
    scene.relitalk.stand = "CAMERA"
    portrait = placed(make_take("close"))
    seen = seen_corners(scene, portrait)
    assert seen[:, 1].min() == pytest.approx(0.0, abs=1e-4) and seen[:, 1].max() == pytest.approx(1.0, abs=1e-4)
    assert seen[:, 0].mean() == pytest.approx(0.5, abs=1e-4)
    if kind == "PERSP":
        assert portrait.matrix_world.to_scale()[0] == pytest.approx(1.0)  # of true size


def test_a_portrait_turns_to_the_camera(scene, make_take):
    camera_at(scene, (3.0, 0.0, 1.0), (1.3, 0.0, 1.57))
    scene.relitalk.faces_camera = True
    portrait = placed(make_take("turning"))
    bpy.context.view_layer.update()
    assert np.array(portrait.matrix_world)[:3, 2] == pytest.approx([1.0, 0.0, 0.0], abs=1e-4)
    assert np.array(portrait.matrix_world)[:3, 1] == pytest.approx([0.0, 0.0, 1.0], abs=1e-4)  # stays upright


def test_a_scene_without_camera_is_refused_in_words(scene, make_take):
    scene.relitalk.stand = "CAMERA"
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.relitalk.place_take(take=str(make_take("lost").path))
    assert "ReliTalk lost" not in bpy.data.objects


def test_another_take_replaces_the_first_where_it_stands(scene, make_take, part):
    portrait = placed(make_take("old"))
    portrait.location, portrait.rotation_euler = (1.0, 2.0, 3.0), (1.0, 0.0, 0.5)
    portrait.keyframe_insert("location", frame=1)
    portrait.relitalk.exposure = 0.5
    new = make_take("new", frames=(0, 3))
    assert bpy.ops.relitalk.place_take(take=str(new.path), replace=True) == {"FINISHED"}
    assert portrait.name == "ReliTalk new" and Path(portrait["relitalk_take"]) == new.path
    assert tuple(portrait.location) == (1.0, 2.0, 3.0) and portrait.animation_data.action is not None
    assert portrait.relitalk.exposure == 0.5
    assert [thing.name for thing in scene.objects if thing.get("relitalk_take")] == ["ReliTalk new"]
    image = portrait.active_material.node_tree.nodes["Take"].image
    assert Path(bpy.path.abspath(image.filepath)).parents[1] == new.path
    names = [strip.name for strip in part("relitalk_addon.compat").strips(scene.sequence_editor)]
    assert "ReliTalk old" not in names


def test_a_relief_looks_the_same_from_where_it_was_filmed(scene, make_lit_take):
    take = make_lit_take()
    portrait = placed(take)
    flat = np.array([tuple(vertex.co) for vertex in portrait.data.vertices])
    portrait.relitalk.relief = True
    assert portrait.relitalk.problem == "" and len(portrait.data.vertices) > 1000
    size, eyes = take.info.placement.metres_per_pixel, np.array(take.info.placement.eye_centre)
    lens = np.array([(16.0 - eyes[0]) * size, (eyes[1] - 12.8) * size, 100.0 * size])
    points = np.array([tuple(vertex.co) for vertex in portrait.data.vertices])
    uv = np.empty(2 * len(portrait.data.loops))
    portrait.data.uv_layers[0].data.foreach_get("uv", uv)
    where = np.empty((len(points), 2))
    for loop, at in zip(portrait.data.loops, uv.reshape(-1, 2), strict=True):
        where[loop.vertex_index] = at
    low, high = flat.min(0)[:2], flat.max(0)[:2]
    on_plane = lens + (points - lens) * (-lens[2] / (points - lens)[:, 2:])
    assert on_plane[:, :2] == pytest.approx(low + where * (high - low), abs=1e-5)
    nose = points[np.abs(on_plane[:, :2]).sum(1).argmin()]
    assert nose[2] > points[:, 2].min() + 0.01
    portrait.relitalk.relief = False
    assert len(portrait.data.vertices) == 4


def test_proxies_play_in_the_viewport_alone(scene, make_take, studio):
    take = make_take("heavy", painted=lambda frame: studio.picture(frame, 300, 400))
    portrait = placed(take)
    portrait.relitalk.proxy = True
    assert portrait.relitalk.problem == ""
    stand_in = portrait.children[0]
    assert portrait.hide_viewport and not portrait.hide_render and stand_in.hide_render
    image = stand_in.material_slots[0].material.node_tree.nodes["Take"].image
    assert tuple(image.size) == (192, 256) and image.colorspace_settings.name == "sRGB"
    assert portrait.active_material != stand_in.material_slots[0].material
    small = bpy.data.images.load(str(take.path / "proxy" / "00003.png"))
    centre = np.array(small.pixels[:]).reshape(256, 192, 4)[128, 96]
    curve, linear = _srgb_curve()
    assert np.interp(centre[2], curve, linear) == pytest.approx(0.8 * 4 / 32, abs=0.01) and centre[3] == 1.0
    portrait.relitalk.proxy = False
    assert not portrait.children and not portrait.hide_viewport


def test_exposure_and_white_balance_follow_the_sliders(scene, make_take):
    portrait = placed(make_take("graded"))
    nodes = portrait.active_material.node_tree.nodes
    portrait.relitalk.exposure, portrait.relitalk.warmth = 1.0, 1.0
    gains = np.array(nodes["White Balance"].inputs[1].default_value)
    assert nodes["Exposure"].inputs["Strength"].default_value == pytest.approx(2.0)
    assert gains[0] / gains[2] == pytest.approx(2.0) and gains @ [0.2126, 0.7152, 0.0722] == pytest.approx(1.0)
