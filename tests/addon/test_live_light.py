from math import radians

import bpy
import numpy as np
import pytest


def placed(take, mode="BAKED", **arguments):
    assert bpy.ops.relitalk.place_take(take=str(take.path), **arguments) == {"FINISHED"}
    portrait = bpy.data.objects[f"ReliTalk {take.path.name}"]
    portrait.relitalk.mode = mode
    return portrait


def encoded(linear):
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def relit(layer, light, part, source):
    """What the engine's relight makes of the passes, in its formulas."""
    lit_sphere, sh = part("relitalk_engine.lighting.lit_sphere"), part("relitalk_engine.lighting.sh")
    departure = part("relitalk_engine.lighting.portrait").departure
    sphere, normal, hair = lit_sphere.bake(light, 20.0), layer["normal"], layer["hair"][..., :1]
    lit = lit_sphere.sample(sphere.diffuse, normal)
    strands = part("relitalk_engine.lighting.hair").bake(light, 64).spheres
    matt, through, gloss = (lit_sphere.sample(one, normal) for one in strands)
    lit = lit + hair * (matt - lit)
    shine = lit_sphere.sample(sphere.specular, normal)
    shine = (shine + hair * (gloss - shine)) * layer["specular_weight"] + np.sqrt(layer["albedo"]) * hair * through
    transfer = np.concatenate([layer[f"transfer_{k}"] for k in range(3)], axis=-1)
    always = 0.15 * 0.282095 * np.abs(light.sh[0]) + 1e-6
    seen = np.maximum(transfer @ light.sh, 0) + always
    free = np.maximum(sh.shade(light.sh, layer["smooth_normal"]), 0) + always
    visible = np.clip(seen / free, 0, 1)
    visible = visible + 0.7 * hair * (1 - visible)
    strength, weight = departure(source, light)
    return np.maximum((layer["albedo"] * lit + shine) * visible + layer["source_residual"] * strength * weight, 0)


@pytest.fixture
def sky(scene, part, world_images):
    """Light the scene by a world HDRI: sky(name, degrees, strength) -> world."""

    def make(name="sunset", degrees=40.0, strength=0.8):
        world = scene.world = bpy.data.worlds.new("Sky")
        tree = part("relitalk_addon.compat").ensure_nodes(world)
        tree.nodes.clear()
        nodes = {kind: tree.nodes.new(f"ShaderNode{kind}") for kind in
                 ("OutputWorld", "Background", "TexEnvironment", "Mapping", "TexCoord")}  # fmt: skip
        nodes["TexEnvironment"].image = bpy.data.images.load(str(world_images[name]))
        nodes["Mapping"].inputs["Rotation"].default_value[2] = radians(degrees)
        nodes["Background"].inputs["Strength"].default_value = strength
        for a, b in (
            (nodes["TexCoord"].outputs["Generated"], nodes["Mapping"].inputs["Vector"]),
            (nodes["Mapping"].outputs[0], nodes["TexEnvironment"].inputs["Vector"]),
            (nodes["TexEnvironment"].outputs[0], nodes["Background"].inputs["Color"]),
            (nodes["Background"].outputs[0], nodes["OutputWorld"].inputs["Surface"]),
        ):
            tree.links.new(a, b)
        return world

    return make


def brightness(scene, portrait, studio, folder):
    studio.look_straight_at(scene, portrait)
    return studio.rendered(scene, folder, 32, 32)


def test_a_live_portrait_is_what_the_engine_would_render(scene, make_lit_take, sky, part, studio, tmp_path):
    scene.relitalk.look = "AS_FILMED"
    take = make_lit_take()
    sky()
    portrait = placed(take, "WORLD")
    assert portrait.relitalk.problem == ""
    light = part("relitalk_addon.world_light").capture(bpy.context)
    source = part("relitalk_engine.lighting.light").Light.load(take.source_light_path)
    for frame in (1, 3):
        scene.frame_set(frame)
        shown = brightness(scene, portrait, studio, tmp_path)
        want = encoded(relit(studio.passes(frame - 1), light, part, source))
        inside = shown[..., 3] > 0.99
        away = np.abs(shown[..., :3] - want)[inside] * 255
        assert away.mean() < 1.0 and np.percentile(away, 99.9) < 4.0


def test_it_follows_the_world_and_its_own_turning(scene, make_lit_take, sky, part):
    live_watch = part("relitalk_addon.live_watch")
    world = sky()
    portrait = placed(make_lit_take(), "WORLD")
    group = portrait.active_material.node_tree.nodes["ReliTalk Portrait"]

    def light():
        bpy.context.view_layer.update()
        live_watch._state.changed = 0.0
        live_watch.tick(0.1)  # no rest needed: the world is plain
        return np.array([group.inputs[f"Light {k}"].default_value[:] for k in range(9)])

    first = light()
    world.node_tree.nodes["Background"].inputs["Strength"].default_value *= 2.0
    assert np.allclose(light(), 2.0 * first, rtol=1e-4)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value /= 2.0
    world.node_tree.nodes["Mapping"].inputs["Rotation"].default_value[2] += 0.7
    turned = light()
    assert np.abs(turned - first).max() > 0.05 * np.abs(first[0]).max()
    portrait.rotation_euler[2] -= 0.7  # as if the world had turned back
    assert np.allclose(light(), first, atol=0.02 * np.abs(first[0]).max())


def test_what_must_be_rendered_waits_for_a_rest(scene, make_lit_take, sky, part, monkeypatch):
    live_watch = part("relitalk_addon.live_watch")
    monkeypatch.setattr(part("relitalk_addon.panorama"), "LEAST_HEIGHT", 64)
    monkeypatch.setattr(part("relitalk_addon.panorama"), "MOST_HEIGHT", 64)
    world = sky()
    portrait = placed(make_lit_take(), "WORLD")
    tree = world.node_tree
    gamma = tree.nodes.new("ShaderNodeGamma")
    tree.links.new(tree.nodes["Environment Texture"].outputs[0], gamma.inputs["Color"])
    tree.links.new(gamma.outputs[0], tree.nodes["Background"].inputs["Color"])
    group = portrait.active_material.node_tree.nodes["ReliTalk Portrait"]
    group.inputs["Light 0"].default_value = (9.0, 9.0, 9.0)
    live_watch._state.changed = 100.0
    live_watch.tick(100.3)
    assert group.inputs["Light 0"].default_value[0] == 9.0 and live_watch._state.changed is not None
    live_watch.tick(100.6)
    assert group.inputs["Light 0"].default_value[0] != 9.0 and live_watch._state.changed is None


def test_edits_are_noted_and_its_own_are_not(scene, make_lit_take, sky, part):
    live_watch = part("relitalk_addon.live_watch")
    world = sky()
    portrait = placed(make_lit_take(), "WORLD")
    bpy.context.view_layer.update()
    live_watch._state.changed, live_watch._state.deaf_until = None, 0.0
    portrait.active_material.node_tree.nodes["Exposure"].inputs["Strength"].default_value = 2.0
    bpy.context.view_layer.update()
    assert live_watch._state.changed is None
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 3.0
    bpy.context.view_layer.update()
    assert live_watch._state.changed is not None


def test_a_light_for_every_frame_is_keyed(scene, make_lit_take, sky, part, studio, tmp_path):
    world = sky()
    strength = world.node_tree.nodes["Background"].inputs["Strength"]
    for frame, value in ((1, 0.2), (5, 1.0)):
        strength.default_value = value
        strength.keyframe_insert("default_value", frame=frame)
    portrait = placed(make_lit_take(), "WORLD")
    assert bpy.ops.relitalk.key_light(first=1, last=5) == {"FINISHED"}
    assert portrait.relitalk.keyed
    scene.relitalk.outside = "HOLD"
    first, last = ((scene.frame_set(frame), brightness(scene, portrait, studio, tmp_path))[1] for frame in (1, 5))
    middle = slice(12, 20), slice(12, 20)
    assert last[middle][..., :3].mean() > 1.3 * first[middle][..., :3].mean()
    material = portrait.evaluated_get(bpy.context.evaluated_depsgraph_get()).active_material
    assert material.node_tree.nodes["Light Frame"].outputs[0].default_value == 4.0
    scene.frame_set(1)
    assert bpy.ops.relitalk.unkey_light() == {"FINISHED"}
    assert not portrait.relitalk.keyed
    curves = part("relitalk_addon.compat").curves(portrait.active_material.node_tree)
    assert not list(curves or ())


def test_portraits_keep_lights_of_their_own(scene, make_lit_take, sky):
    sky()
    first, second = placed(make_lit_take("one"), "WORLD"), placed(make_lit_take("two"))
    second.rotation_euler[2] = 2.0
    bpy.context.view_layer.update()
    second.relitalk.mode = "WORLD"
    values = [thing.active_material.node_tree.nodes["ReliTalk Portrait"].inputs["Light 3"].default_value[0]
              for thing in (first, second)]  # fmt: skip
    assert abs(values[0] - values[1]) > 1e-2


def test_lamps_light_its_surface(scene, make_lit_take, part, studio, tmp_path):
    portrait = placed(make_lit_take(), "LAMPS")
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy = 3.0
    scene.collection.objects.link(sun)
    sun.rotation_euler = (radians(90.0), 0.0, radians(50.0))  # from the viewer's right
    shown = brightness(scene, portrait, studio, tmp_path)[..., :3].mean(-1)
    assert shown[10:22, 22:28].mean() > 1.5 * shown[10:22, 4:10].mean()
    scene.collection.objects.unlink(sun)
    assert brightness(scene, portrait, studio, tmp_path)[..., :3].max() < 0.01


def test_a_scene_gives_its_light_without_the_portrait(scene, make_lit_take, part, studio, tmp_path, monkeypatch):
    monkeypatch.setattr(part("relitalk_addon.panorama"), "LEAST_HEIGHT", 64)
    scene.world = bpy.data.worlds.new("Dark")
    part("relitalk_addon.compat").ensure_nodes(scene.world).nodes["Background"].inputs["Strength"].default_value = 0.0
    bpy.ops.mesh.primitive_plane_add(size=1.0, location=(1.5, 0.0, 0.2), rotation=(0.0, radians(90.0), 0.0))
    glow = bpy.data.materials.new("Glow")
    tree = part("relitalk_addon.compat").ensure_nodes(glow)
    emission = tree.nodes.new("ShaderNodeEmission")
    emission.inputs["Strength"].default_value = 20.0
    tree.links.new(emission.outputs[0], tree.nodes["Material Output"].inputs["Surface"])
    bpy.context.object.data.materials.append(glow)
    portrait = placed(make_lit_take(), "SCENE")
    assert portrait.relitalk.problem == "" and not portrait.hide_render
    shown = brightness(scene, portrait, studio, tmp_path)[..., :3].mean(-1)
    assert shown[10:22, 22:28].mean() > 1.5 * shown[10:22, 4:10].mean()


def test_a_take_without_passes_is_shown_as_it_was_rendered(scene, make_take):
    portrait = placed(make_take("plain"), "WORLD")
    assert portrait.relitalk.mode == "BAKED" and "passes" in portrait.relitalk.problem


def test_without_a_world_it_says_so_and_stays(scene, make_lit_take):
    scene.world = None
    portrait = placed(make_lit_take(), "WORLD")
    assert "no world" in portrait.relitalk.problem
    with pytest.raises(RuntimeError, match="no world"):
        bpy.ops.relitalk.update_light()


def test_a_take_that_was_deleted_leaves_a_sentence(scene, make_lit_take, sky):
    import shutil

    sky()
    take = make_lit_take()
    portrait = placed(take, "WORLD")
    shutil.rmtree(take.path)
    portrait.relitalk.shadow = True
    assert "no take" in portrait.relitalk.problem
    with pytest.raises(RuntimeError, match="no take|lit live"):
        bpy.ops.relitalk.update_light()


def test_exposure_and_white_balance_are_matched(scene, make_lit_take, part):
    portrait = placed(make_lit_take())  # rendered under a white light of radiance 2 · 0.2821
    scene.world = bpy.data.worlds.new("Warm")
    background = part("relitalk_addon.compat").ensure_nodes(scene.world).nodes["Background"]
    level = 2.0 * 0.282095
    background.inputs["Color"].default_value = (4 * level, 2 * level, level, 1.0)
    assert bpy.ops.relitalk.match_exposure() == {"FINISHED"}
    nodes = portrait.active_material.node_tree.nodes
    gain = np.array(nodes["White Balance"].inputs[1].default_value) * nodes["Exposure"].inputs["Strength"].default_value
    assert gain == pytest.approx([4.0, 2.0, 1.0], rel=0.01)


def test_the_light_is_saved_with_the_file(scene, make_lit_take, sky, tmp_path):
    sky()
    portrait = placed(make_lit_take(), "WORLD")
    name = portrait.name

    def pixels():
        image = bpy.data.objects[name].active_material.node_tree.nodes["Light Diffuse 00"].image
        flat = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(flat)
        return flat

    before = pixels()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kept.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "kept.blend"))
    assert bpy.data.objects[name].relitalk.mode == "WORLD"
    assert np.allclose(pixels(), before, rtol=2e-3, atol=1e-4) and before[:3].max() > 0
