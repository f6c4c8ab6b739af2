from math import cos, pi, radians, sin, sqrt

import bpy
import numpy as np
import pytest

C0 = 0.5 / sqrt(pi)


def basis(d):
    x, y, z = d[..., 0], d[..., 1], d[..., 2]
    one = np.ones_like(x)
    return np.stack(
        [0.282095 * one, 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
         0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y)], axis=-1,
    )


def integrated(image, degrees=0.0, strength=1.0, axes=None):
    """[9, 3] by brute force: texel by texel, in world axes, as Blender's equirectangular texture and Mapping say."""
    height, width = image.shape[:2]
    theta = np.pi * (0.5 - (np.arange(height) + 0.5) / height)[:, None]
    phi = np.pi * (1.0 - 2.0 * (np.arange(width) + 0.5) / width)[None, :]
    texels = np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta) + 0 * phi], axis=-1)
    c, s = cos(radians(degrees)), sin(radians(degrees))
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    world = texels @ turn  # R^T: the world direction whose lookup is the texel
    frame = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) if axes is None else axes
    area = np.cos(theta) * (np.pi / height) * (2 * np.pi / width)
    return strength * np.einsum("hwk,hwc->kc", basis(world @ frame), image * area[..., None])


def matched(scene, source="WORLD"):
    assert bpy.ops.relitalk.match_light(source=source) == {"FINISHED"}
    assert scene.relitalk.light == "matched"
    return np.array(scene.relitalk.light_sh).reshape(9, 3)


def new_world(scene, compat):
    scene.world = bpy.data.worlds.new("Sky")
    tree = compat.ensure_nodes(scene.world)
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputWorld")
    background = tree.nodes.new("ShaderNodeBackground")
    tree.links.new(background.outputs[0], output.inputs["Surface"])
    return tree, background


@pytest.fixture
def sky(scene, part):
    """Make a world of an image: sky(image, degrees, strength) -> tree, background, environment."""

    def make(image, degrees=0.0, strength=1.0):
        tree, background = new_world(scene, part("relitalk_addon.compat"))
        environment = tree.nodes.new("ShaderNodeTexEnvironment")
        environment.image = image
        background.inputs["Strength"].default_value = strength
        tree.links.new(environment.outputs[0], background.inputs["Color"])
        mapping = tree.nodes.new("ShaderNodeMapping")
        mapping.inputs["Rotation"].default_value[2] = radians(degrees)
        coordinates = tree.nodes.new("ShaderNodeTexCoord")
        tree.links.new(coordinates.outputs["Generated"], mapping.inputs["Vector"])
        tree.links.new(mapping.outputs[0], environment.inputs["Vector"])
        return tree, background, environment

    return make


@pytest.fixture
def quick(part, monkeypatch):
    """Rendered panoramas of an eighth of the size."""
    monkeypatch.setattr(part("relitalk_addon.panorama"), "LEAST_HEIGHT", 128)


def pixels_of(image):
    flat = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    return np.maximum(flat.reshape(image.size[1], image.size[0], 4)[::-1, :, :3], 0.0).astype(float)


def painted(name, pixels):
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, float_buffer=True)
    image.pixels.foreach_set(np.dstack([pixels[::-1], np.ones((height, width))]).astype(np.float32).reshape(-1))
    return image


def close(a, b, share):
    return np.abs(a - b).max() <= share * np.abs(b[0]).max()


def test_a_flat_world_is_the_same_from_all_sides(scene, part):
    _, background = new_world(scene, part("relitalk_addon.compat"))
    background.inputs["Color"].default_value = (0.5, 0.25, 1.0, 1.0)
    background.inputs["Strength"].default_value = 3.0
    sh = matched(scene)
    assert sh[0] == pytest.approx(np.array([1.5, 0.75, 3.0]) * 4 * pi * C0, rel=1e-5)
    assert np.abs(sh[1:]).max() < 1e-5


@pytest.mark.parametrize(("degrees", "strength"), [(0.0, 1.0), (73.0, 2.0)])
def test_an_hdri_world_is_integrated_with_its_rotation_and_strength(scene, sky, world_images, degrees, strength):
    image = bpy.data.images.load(str(world_images["sunset"]))
    sky(image, degrees, strength)
    assert close(matched(scene), integrated(pixels_of(image), degrees, strength), 1e-3)


def test_the_environment_goes_with_the_coefficients(scene, sky, world_images, part, tmp_path):
    sky(bpy.data.images.load(str(world_images["studio"])), 30.0)
    sh = matched(scene)
    path = part("relitalk_addon.world_light").spec_for_job(scene, "matched", tmp_path)
    light = part("relitalk_engine.lighting.light").Light.load(path)
    assert np.allclose(light.sh, sh)
    assert light.environment.shape == (32, 64, 3)
    assert close(part("relitalk_engine.lighting.sh").project(light.environment.astype(float)), sh, 0.03)
    scene.relitalk.light_sh = [1.0, 0.9, 0.8] + [0.0] * 24  # set by hand: the environment is another light's
    path = part("relitalk_addon.world_light").spec_for_job(scene, "matched", tmp_path)
    light = part("relitalk_engine.lighting.light").Light.load(path)
    assert light.environment is None and light.sh[0] == pytest.approx([1.0, 0.9, 0.8])


def test_the_light_turns_with_the_portrait(scene, sky, world_images, make_take):
    image = bpy.data.images.load(str(world_images["sunset"]))
    sky(image)
    take = make_take("lit")
    bpy.ops.relitalk.place_take(take=str(take.path))
    portrait = bpy.data.objects["ReliTalk lit"]
    for euler in ((pi / 2, 0.0, 0.7), (1.1, 0.3, -2.0)):
        portrait.rotation_euler = euler
        bpy.context.view_layer.update()
        axes = np.array(portrait.matrix_world.to_3x3().normalized())
        sh = matched(scene)
        assert close(sh, integrated(pixels_of(image), axes=axes), 1e-3)
        environment = np.array(scene["relitalk_environment"][:]).reshape(32, 64, 3)
        assert close(integrated(environment), sh, 0.03)  # laid out as a viewer along +Y of the portrait sees it


def test_without_a_portrait_the_scene_camera_gives_the_frame(scene, sky, world_images):
    image = bpy.data.images.load(str(world_images["forest"]))
    sky(image)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.rotation_euler = (1.2, 0.1, 0.5)
    scene.collection.objects.link(camera)
    scene.camera = camera
    bpy.context.view_layer.update()
    assert close(matched(scene), integrated(pixels_of(image), axes=np.array(camera.matrix_world.to_3x3())), 1e-3)


def test_a_sun_of_two_texels_is_not_missed(scene, sky):
    pixels = np.full((512, 1024, 3), 0.05)
    pixels[150, 700:702] = 60000.0
    sky(painted("sun", pixels))
    want = integrated(pixels)
    assert close(matched(scene), want, 1e-3)
    environment = np.array(scene["relitalk_environment"][:]).reshape(32, 64, 3)
    assert close(integrated(environment), want, 0.03)


def test_an_ordinary_picture_is_decoded(scene, sky, tmp_path, studio):
    rgb = np.random.default_rng(1).uniform(0.0, 1.0, (16, 32, 3))
    studio.save_picture(tmp_path / "sky.png", rgb, np.ones((16, 32)))
    sky(bpy.data.images.load(str(tmp_path / "sky.png")), 10.0)
    assert close(matched(scene), integrated(rgb, 10.0), 0.005)


def test_other_trees_are_rendered_and_agree(scene, sky, world_images):
    image = bpy.data.images.load(str(world_images["sunset"]))
    tree, background, environment = sky(image, 73.0, 2.0)
    plain = matched(scene)
    gamma = tree.nodes.new("ShaderNodeGamma")  # of 1: changes nothing but that the tree is no longer plain
    tree.links.new(environment.outputs[0], gamma.inputs["Color"])
    tree.links.new(gamma.outputs[0], background.inputs["Color"])
    before = {data.name for data in (*bpy.data.scenes, *bpy.data.objects, *bpy.data.meshes, *bpy.data.materials)}
    assert close(matched(scene), plain, 0.01)
    after = {data.name for data in (*bpy.data.scenes, *bpy.data.objects, *bpy.data.meshes, *bpy.data.materials)}
    assert after == before and {image.name for image in bpy.data.images} <= {image.name, "Render Result"}


def test_a_world_that_shows_the_camera_a_backdrop_gives_its_light(scene, sky, world_images, quick):
    image = bpy.data.images.load(str(world_images["studio"]))
    tree, background, _ = sky(image)
    light = matched(scene)
    rays = tree.nodes.new("ShaderNodeLightPath")
    backdrop = tree.nodes.new("ShaderNodeBackground")
    backdrop.inputs["Color"].default_value = (0.0, 9.0, 0.0, 1.0)
    mix = tree.nodes.new("ShaderNodeMixShader")
    output = next(node for node in tree.nodes if node.type == "OUTPUT_WORLD")
    tree.links.new(rays.outputs["Is Camera Ray"], mix.inputs[0])
    tree.links.new(background.outputs[0], mix.inputs[1])
    tree.links.new(backdrop.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
    assert close(matched(scene), light, 0.01)


def test_the_scene_around_the_portrait_shines_on_it(scene, make_take, part, quick):
    _, background = new_world(scene, part("relitalk_addon.compat"))
    background.inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    take = make_take("lit", painted=lambda frame: (np.full((16, 16, 3), 50.0), np.ones((16, 16))))
    bpy.ops.relitalk.place_take(take=str(take.path))
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "AREA"))
    lamp.data.energy, lamp.data.size, lamp.data.color = 100.0, 1.0, (1.0, 0.5, 0.25)
    lamp.location = (3.0, 0.0, 0.0)  # to the portrait's right as it is seen; a lamp shines along its own -Z
    lamp.rotation_euler = (0.0, pi / 2, 0.0)
    scene.collection.objects.link(lamp)
    sh = matched(scene, "SCENE")
    assert sh[3, 0] > 0.9 * np.linalg.norm(sh[1:4, 0])  # comes from +x
    assert sh[0, 1] == pytest.approx(0.5 * sh[0, 0], rel=0.02)
    radiance = 100.0 / (pi * 1.0)  # a square lamp's watts over pi and its area
    assert sh[0, 0] == pytest.approx(radiance / 9.0 * C0, rel=0.1)  # 3 m away, seen from its front
    assert not bpy.data.objects["ReliTalk lit"].hide_render and len(bpy.data.scenes) == 1


def lamp_at(scene, kind, location, **settings):
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", kind))
    for name, value in settings.items():
        setattr(lamp.data, name, value)
    lamp.location = location
    scene.collection.objects.link(lamp)
    return lamp


def test_the_smallest_lamp_is_found_and_what_stands_before_it_hides_it(scene, part):
    scene.world = None
    lamp_at(scene, "POINT", (0.0, -2.0, 0.0), energy=80.0, shadow_soft_size=0.0)  # before the face, 2 m away
    sh = matched(scene, "SCENE")
    irradiance = 80.0 / (4.0 * pi * 4.0)
    assert sh[:, 0] == pytest.approx(irradiance * basis(np.array([0.0, 0.0, 1.0])), rel=1e-3, abs=1e-6)
    bpy.ops.mesh.primitive_plane_add(size=0.5, location=(0.0, -1.0, 0.0), rotation=(pi / 2, 0.0, 0.0))
    assert matched_or_black(scene)[0, 0] < 0.1 * sh[0, 0]


def matched_or_black(scene):
    try:
        return matched(scene, "SCENE")
    except RuntimeError:
        return np.zeros((9, 3))


@pytest.mark.parametrize("kind", ["SUN", "SPOT"])
def test_suns_and_spots_shine_where_they_are_turned(scene, kind):
    scene.world = None
    lamp = lamp_at(scene, kind, (3.0, 0.0, 0.0), energy=20.0)
    lamp.rotation_euler = (0.0, pi / 2, 0.0)  # along -X: from the portrait's right as it is seen
    bpy.context.view_layer.update()
    sh = matched(scene, "SCENE")
    irradiance = 20.0 if kind == "SUN" else 20.0 / (4.0 * pi * 9.0)
    assert sh[0, 0] == pytest.approx(irradiance * C0, rel=0.01)
    assert sh[3, 0] > 0.99 * np.linalg.norm(sh[1:4, 0])


def test_the_world_past_the_scene_is_the_worlds_own_light(scene, sky, world_images):
    image = bpy.data.images.load(str(world_images["sunset"]))
    sky(image, 73.0)
    alone, among = matched(scene), matched(scene, "SCENE")
    assert close(among, alone, 0.01)
    bpy.ops.mesh.primitive_plane_add(size=50.0, location=(0.0, 0.0, -0.1))
    black = bpy.data.materials.new("Black")
    black.use_nodes = True
    black.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    black.node_tree.nodes["Principled BSDF"].inputs["Specular IOR Level"].default_value = 0.0
    bpy.context.object.data.materials.append(black)
    below = pixels_of(image)
    below[below.shape[0] // 2 :] = 0.0
    assert close(matched(scene, "SCENE"), integrated(below, 73.0), 0.03)


def test_worlds_without_light_are_refused_in_words(scene, sky, part, tmp_path):
    scene.world = None
    with pytest.raises(RuntimeError, match="no world"):
        bpy.ops.relitalk.match_light()
    _, background = new_world(scene, part("relitalk_addon.compat"))
    background.inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(RuntimeError, match="black"):
        bpy.ops.relitalk.match_light()
    image = bpy.data.images.new("gone", 8, 4)
    image.source, image.filepath = "FILE", str(tmp_path / "gone.hdr")
    sky(image)
    with pytest.raises(RuntimeError, match="gone"):
        bpy.ops.relitalk.match_light()
    assert scene.relitalk.light == "source"


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="the working space can be chosen from Blender 5.0")
def test_a_wide_working_space_is_turned_to_rec709(scene, sky, world_images, quick):
    before = bpy.data.images.load(str(world_images["sunset"]), check_existing=False)
    plain = integrated(pixels_of(before), 20.0)
    bpy.ops.wm.set_working_color_space(working_space="ACEScg")
    try:
        image = bpy.data.images.load(str(world_images["sunset"]), check_existing=False)
        tree, background, environment = sky(image, 20.0)
        assert not close(integrated(pixels_of(image), 20.0), plain, 0.005)
        assert close(matched(scene), plain, 0.005)
        gamma = tree.nodes.new("ShaderNodeGamma")
        tree.links.new(environment.outputs[0], gamma.inputs["Color"])
        tree.links.new(gamma.outputs[0], background.inputs["Color"])
        assert close(matched(scene), plain, 0.01)
    finally:
        bpy.ops.wm.set_working_color_space(working_space="Linear Rec.709")
