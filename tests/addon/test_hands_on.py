"""What a hand meets: files dropped in, presets kept, tooltips, what undo reaches, the first run, the engine removed."""

import os
import re
import shutil
import sys
import time
import tomllib
from pathlib import Path

import bpy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "presets" / "sample"


@pytest.fixture
def subject(scene, installed):
    """A subject's folder, as far as the panels and a drop look into it."""
    library = Path(bpy.context.preferences.addons[installed].preferences.library)
    folder = library / "subjects" / "anna of 日本.relitalk"
    folder.mkdir(parents=True)
    (folder / "subject.json").write_text('{"frames": 100}')
    shutil.copy(SAMPLE / "sample.mp4", folder / "frames.mkv")
    return folder


@pytest.fixture
def presets(part, scene):
    """The presets' module, with nothing of the user's own but what a test keeps."""
    module = part("relitalk_addon.presets")
    shutil.rmtree(module.own_folder(), ignore_errors=True)
    yield module
    shutil.rmtree(module.own_folder(), ignore_errors=True)


def operators():
    return [getattr(bpy.ops.relitalk, name).get_rna_type() for name in dir(bpy.ops.relitalk)]


def test_every_operator_undoes_or_says_that_it_cannot(installed, part):
    for cls in part("operators").CLASSES:
        if issubclass(cls, bpy.types.Operator):
            assert "UNDO" in cls.bl_options or "undo" in cls.__doc__.lower(), cls


def test_every_argument_has_a_tooltip_and_every_tooltip_is_one_line(installed):
    for kind in operators():
        assert "\n" not in kind.description
        for prop in kind.properties:
            if prop.identifier not in {"rna_type", "name"} or prop.description:
                assert prop.description or prop.identifier == "rna_type", (kind.identifier, prop.identifier)


def test_every_button_has_a_name_that_search_finds(installed, part):
    text = (Path(part("panels").__file__).parent / "menus.py").read_text(encoding="utf-8")
    named = set(re.findall(r'"relitalk\.([a-z_]+)"', text))
    assert {"set_up_engine", "try_sample", "train", "match_light", "render", "relight", "place_take"} <= named
    assert {"cancel", "resume_job", "use_file", "open_job", "copy_report"} <= named


@pytest.mark.parametrize(("name", "setting"), [
    ("sample.mp4", "video"), ("sentence.wav", "audio"), ("courtyard.exr", "light"),
])
def test_a_file_that_is_dropped_becomes_the_setting(scene, world_images, tmp_path, name, setting):
    source = world_images["courtyard"] if setting == "light" else SAMPLE / name
    path = tmp_path / f"größer, 日本 {name}"
    shutil.copy(source, path)
    scene.relitalk.consent = True
    assert bpy.ops.relitalk.use_file(filepath=str(path)) == {"FINISHED"}
    assert getattr(scene.relitalk, setting) == str(path)
    assert scene.relitalk.consent is (setting != "video")  # another clip, another person


def test_a_subjects_folder_that_is_dropped_is_used_when_it_is_whole(scene, subject, tmp_path):
    assert bpy.ops.relitalk.use_file(filepath=str(subject)) == {"FINISHED"}
    assert scene.relitalk.subject == str(subject)
    (tmp_path / "empty.relitalk").mkdir()
    with pytest.raises(RuntimeError, match="no whole subject"):
        bpy.ops.relitalk.use_file(filepath=str(tmp_path / "empty.relitalk"))


def test_what_is_no_file_of_ours_is_refused_in_words(scene, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    for path, words in ((tmp_path / "notes.txt", "is no video"), (tmp_path / "gone.mp4", "nothing at")):
        with pytest.raises(RuntimeError, match=words):
            bpy.ops.relitalk.use_file(filepath=str(path))


def test_blender_hands_dropped_files_to_the_operator(installed, part):
    (handler,) = part("operators.drop").HANDLERS
    assert handler.is_registered
    endings = handler.bl_file_extensions.split(";")
    assert {".mp4", ".wav", ".hdr", ".exr", ".relitalk"} <= set(endings)
    assert handler.bl_import_operator == "relitalk.use_file"
    assert not handler.poll_drop(bpy.context)  # no viewport here


def test_a_blend_files_own_folder_is_meant_by_two_slashes(scene, tmp_path, part):
    shutil.copy(SAMPLE / "sentence.wav", tmp_path / "voice.wav")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene of 日本.blend"))
    assert bpy.ops.relitalk.use_file(filepath="//voice.wav") == {"FINISHED"}
    chosen = bpy.context.scene.relitalk
    assert part("relitalk_addon.settings").path(chosen.audio) == tmp_path / "voice.wav"


def test_a_quality_preset_is_kept_used_and_removed(scene, presets, part):
    assert bpy.ops.relitalk.keep_quality(name="my own, größer") == {"FINISHED"}
    assert scene.relitalk.preset == "my own, größer"
    path = presets.own_folder() / "my own, größer.toml"
    assert tomllib.loads(path.read_text(encoding="utf-8"))["reflectance"]
    assert presets.quality_for_engine(scene.relitalk.preset) == str(path)
    for name, words in (("my own, größer", "already"), ("draft", "already"), ("a/b", "cannot be"), (" ", "cannot be")):
        with pytest.raises(RuntimeError, match=words):
            bpy.ops.relitalk.keep_quality(name=name)
    assert bpy.ops.relitalk.remove_quality() == {"FINISHED"}
    assert scene.relitalk.preset == "draft" and not path.exists()
    with pytest.raises(RuntimeError, match="no preset of your own"):
        bpy.ops.relitalk.remove_quality()


def test_a_preset_that_is_chosen_stays_chosen_when_others_come(scene, presets):
    bpy.ops.relitalk.keep_quality(name="zebra")
    bpy.ops.relitalk.keep_quality(name="ant")
    scene.relitalk.preset = "zebra"
    bpy.ops.relitalk.keep_quality(name="bee")
    scene.relitalk.preset = "zebra"
    presets.remove("quality", "ant")
    assert scene.relitalk.preset == "zebra"


def test_a_broken_preset_says_so_where_it_is_chosen(scene, presets):
    presets.own_folder().mkdir(parents=True, exist_ok=True)
    (presets.own_folder() / "broken.toml").write_text("[fit\n")
    description = next(item[2] for item in presets.quality_items() if item[0] == "broken")
    assert "cannot be read" in description


def test_light_presets_are_used_kept_and_removed(scene, presets, part):
    for name in presets.LIGHTS:
        assert bpy.ops.relitalk.use_light(name=name) == {"FINISHED"}
        light = scene.relitalk.light
        assert light == "source" or light.startswith("dir:") or Path(light).is_file(), light
    scene.relitalk.light, scene.relitalk.exposure = "dir:12,34", 0.5
    assert bpy.ops.relitalk.keep_light(name="mine") == {"FINISHED"}
    scene.relitalk.light, scene.relitalk.exposure = "source", 0.0
    assert bpy.ops.relitalk.use_light(name="mine") == {"FINISHED"}
    assert scene.relitalk.light == "dir:12,34" and scene.relitalk.exposure == 0.5
    assert bpy.ops.relitalk.remove_light(name="mine") == {"FINISHED"}
    with pytest.raises(RuntimeError, match="no light named mine"):
        bpy.ops.relitalk.use_light(name="mine")


def test_a_matched_light_is_kept_as_it_is(scene, presets, part):
    scene.world = bpy.data.worlds.new("Sky")
    part("relitalk_addon.compat").ensure_nodes(scene.world).nodes["Background"].inputs[0].default_value = (1, 0.5, 0, 1)
    bpy.ops.relitalk.match_light()
    before = np.array(scene.relitalk.light_sh)
    assert bpy.ops.relitalk.keep_light(name="sunset") == {"FINISHED"}
    bpy.ops.relitalk.use_light(name="sunset")
    kept = part("relitalk_engine.lighting.light").Light.load(scene.relitalk.light)
    assert np.allclose(kept.sh.reshape(-1), before, atol=1e-5)
    presets.remove("light", "sunset")
    assert not any((presets.own_folder("light")).iterdir())


def test_the_subjects_clip_can_be_leafed_through(scene, subject, part):
    pictures = part("relitalk_addon.pictures")
    first, later = (pictures.clip_frame(subject / "frames.mkv", frame) for frame in (0, 60))
    assert first.shape == later.shape and first.dtype == np.uint8
    assert np.abs(first.astype(int) - later).mean() > 0.5 and first.std() > 20
    scene.relitalk.subject = str(subject)
    images, textures = len(bpy.data.images), len(bpy.data.textures)
    bpy.context.window_manager.relitalk_position = 50.0
    assert f"clip {subject / 'frames.mkv'}" in pictures._collection()
    assert (len(bpy.data.images), len(bpy.data.textures)) == (images, textures)
    shutil.rmtree(subject)  # deleted while it is shown
    bpy.context.window_manager.relitalk_position = 60.0


def test_the_sphere_shows_the_light_before_and_now(scene, part):
    pictures = part("relitalk_addon.pictures")
    pictures._lights.clear()
    scene.relitalk.light = "dir:-60,0"
    pictures.spheres(scene)
    scene.relitalk.light_sh = [3.0] * 3 + [0.0] * 24
    scene.relitalk.light = "matched"
    pictures.spheres(scene)
    before, now = pictures._lights[scene.name]
    assert before == "light dir:-60,0" and before in pictures._collection() and now in pictures._collection()
    size = pictures.SPHERE
    pixels = np.array(pictures._collection()[before].image_pixels_float).reshape(size, size, 4)
    assert pixels[size // 2, size // 6, 0] > pixels[size // 2, -size // 6, 0] + 0.2  # from the left


def test_a_first_run_without_an_engine_refuses_the_sample_in_words(scene, monkeypatch):
    monkeypatch.delenv("RELITALK_ENGINE_PYTHON", raising=False)
    with pytest.raises(RuntimeError, match="not set up yet"):
        bpy.ops.relitalk.try_sample()


def test_the_engine_can_be_removed_and_subjects_stay(scene, subject, part, monkeypatch):
    monkeypatch.delenv("RELITALK_ENGINE_PYTHON", raising=False)
    engine, preferences = part("relitalk_addon.engine"), part("relitalk_addon.preferences")
    place = engine.environment_of(preferences.engine_home())
    python = engine.python_in(place)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    engine.mark_ready(place)
    code = engine.copy_code(preferences.engine_home())
    assert not preferences.engine_complaint()
    assert bpy.ops.relitalk.remove_engine() == {"FINISHED"}
    assert "not set up yet" in preferences.engine_complaint()
    assert not place.exists() and not code.exists() and (subject / "subject.json").exists()


def test_the_engine_stays_while_a_job_runs_and_a_job_outlives_the_extension(scene, part, installed):
    engine, jobs, launch, preferences = (
        part(f"relitalk_addon.{name}") for name in ("engine", "jobs", "launch", "preferences")
    )
    code = engine.copy_code(preferences.engine_home())
    waits = (
        "import sys, time\nfrom pathlib import Path\nfrom relitalk_engine.events import Reporter\n"
        "reporter = Reporter(job=Path(sys.argv[-1]), quiet=True, every=0.0)\n"
        "while not (reporter.job / 'go').exists(): reporter.progress('Waiting', 0, 1); time.sleep(0.02)\n"
        "reporter.done({'take': 'x'})\n"
    )
    order = jobs.Order("render", "A job", "x", [sys.executable, "-c", waits])
    job = launch.start(preferences.jobs_folder(), order, os.environ | {"PYTHONPATH": str(code)})
    ends = time.time() + 20
    while not job.total and time.time() < ends:
        job.refresh()
        time.sleep(0.05)
    with pytest.raises(RuntimeError, match="still runs"):
        bpy.ops.relitalk.remove_engine()
    with pytest.raises(RuntimeError, match="still runs"):
        bpy.ops.relitalk.remove_job(job=job.name)
    bpy.ops.preferences.addon_disable(module=installed)
    assert jobs.read(job.folder).state is jobs.State.RUNNING
    shutil.rmtree(code.parent)  # as an uninstall deletes what is the extension's
    bpy.ops.preferences.addon_enable(module=installed)
    bpy.context.preferences.addons[installed].preferences.library = str(job.folder.parents[1])
    (job.folder / "go").touch()
    assert jobs.wait(job).state is jobs.State.DONE, job.log()
    assert bpy.ops.relitalk.remove_ended() == {"FINISHED"}
    assert not job.folder.exists()


def test_a_report_can_be_copied_for_whoever_mends_it(scene, part):
    jobs, launch, preferences = (part(f"relitalk_addon.{name}") for name in ("jobs", "launch", "preferences"))
    fails = [sys.executable, "-c", "raise SystemExit('no module named torch')"]
    job = jobs.wait(launch.start(preferences.jobs_folder(), jobs.Order("train", "A job", "x", fails), dict(os.environ)))
    assert bpy.ops.relitalk.copy_report(job=job.name) == {"FINISHED"}
    assert "no module named torch" in job.report()
    with pytest.raises(RuntimeError, match="cannot be taken up again"):
        bpy.ops.relitalk.resume_job(job=job.name)


def test_a_file_that_moved_after_it_was_picked_is_said(scene, part, tmp_path):
    settings = part("relitalk_addon.settings")
    clip = tmp_path / "clip.mp4"
    shutil.copy(SAMPLE / "sample.mp4", clip)
    bpy.ops.relitalk.use_file(filepath=str(clip))
    scene.relitalk.consent = True
    assert not settings.why_not_train(bpy.context)
    clip.rename(tmp_path / "other.mp4")
    assert "There is no video" in settings.why_not_train(bpy.context)
