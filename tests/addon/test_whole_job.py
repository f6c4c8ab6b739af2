"""The main job, by operators alone: a clip becomes a subject, says a sentence in the light of the world, and stands."""

import os
import time
from pathlib import Path

import bpy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "presets" / "sample" / "sample.mp4"
VOICE = ROOT / "presets" / "sample" / "sentence.wav"
ENGINE_PYTHON = Path(os.environ.get("RELITALK_ENGINE_PYTHON") or ROOT / ".venv" / "bin" / "python")
pytestmark = pytest.mark.skipif(not ENGINE_PYTHON.is_file(), reason="no Python with the engine's packages")


@pytest.fixture
def engine(scene, installed, tiny_preset):
    """A scene whose engine is a Python that the user named, and a preset of the user's own."""
    bpy.context.preferences.addons[installed].preferences.engine_python = str(ENGINE_PYTHON)
    assert bpy.ops.relitalk.set_up_engine() == {"FINISHED"}
    return scene


def use_world(scene, part, image):
    scene.world = bpy.data.worlds.new("Sky")
    tree = part("relitalk_addon.compat").ensure_nodes(scene.world)
    background = next(node for node in tree.nodes if node.type == "BACKGROUND")
    environment = tree.nodes.new("ShaderNodeTexEnvironment")
    environment.image = bpy.data.images.load(str(image))
    tree.links.new(environment.outputs[0], background.inputs["Color"])


def test_the_main_job(engine, part, world_images, studio, tmp_path, installed):
    scene = engine
    library = Path(bpy.context.preferences.addons[installed].preferences.library)
    use_world(scene, part, world_images["courtyard"])
    done = bpy.ops.relitalk.train(
        video=str(CLIP), subject="anna", preset="tiny", device="cpu", duration=2.2, consent=True
    )
    assert done == {"FINISHED"}
    subject = library / "subjects" / "anna.relitalk"
    assert scene.relitalk.subject == str(subject)
    assert part("relitalk_engine.subject").Subject.open(subject).info.consent.given

    with pytest.raises(RuntimeError, match="exists already"):
        bpy.ops.relitalk.train(video=str(CLIP), subject="anna", preset="tiny", consent=True)

    assert bpy.ops.relitalk.match_light() == {"FINISHED"}
    assert bpy.ops.relitalk.render(audio=str(VOICE), frames="0:6", take="hello") == {"FINISHED"}
    portrait = bpy.data.objects["ReliTalk hello"]
    take = part("relitalk_engine.take").Take.open(library / "takes" / "hello")
    assert Path(portrait["relitalk_take"]) == take.path
    assert take.info.exr and take.info.frames == (0, 6)
    width, height, _ = portrait.dimensions
    assert 0.15 < take.info.placement.metres_per_pixel * take.info.size[1] < 2.0
    assert 0.15 < width < 2.0 and 0.15 < height < 2.0  # a head and shoulders, in metres

    studio.look_straight_at(scene, portrait)
    scene.frame_set(3)
    scene.render.engine = "CYCLES"
    shown = studio.rendered(scene, tmp_path, 96, 96, samples=4)
    assert 0.1 < shown[..., 3].mean() < 0.9  # a person, cut out
    assert np.ptp(shown[..., :3][shown[..., 3] > 0.9]) > 0.1

    before = portrait.location.copy()
    portrait.location.x += 1.0
    assert bpy.ops.relitalk.relight(light="dir:40,20", frames="0:3", take="hello") == {"FINISHED"}
    assert portrait.location.x == pytest.approx(before.x + 1.0)
    assert part("relitalk_engine.take").Take.open(take.path).info.kind == "relight"


def test_a_job_in_the_background_is_cancelled_by_its_name_and_leaves_nothing_half_done(engine, part, installed):
    assert bpy.ops.relitalk.train(
        video=str(CLIP), subject="never", preset="tiny", device="cpu", consent=True, wait=False
    ) == {"FINISHED"}
    watch, jobs = part("relitalk_addon.watch"), part("relitalk_addon.jobs")
    job = watch.running("train")
    assert job is not None
    ends = time.time() + 60
    while not job.total and not job.state.ended and time.time() < ends:
        job.refresh()
        time.sleep(0.1)
    assert bpy.ops.relitalk.cancel(job=job.name) == {"FINISHED"}
    ends = time.time() + 30
    while not job.state.ended and time.time() < ends:
        job.refresh()
        time.sleep(0.1)
    assert job.state is jobs.State.CANCELLED, job.log()
    assert not Path(job.order.result).exists()
    watch.forget_all()


def test_what_the_engine_refuses_is_said_in_its_words(engine, tmp_path):
    (tmp_path / "not a film.mp4").write_text("hello")
    with pytest.raises(RuntimeError, match="not a film"):
        bpy.ops.relitalk.train(video=str(tmp_path / "not a film.mp4"), subject="x", preset="tiny", consent=True)


def test_the_sample_is_ordered_whole_and_its_second_job_waits_for_the_first(engine, part):
    watch, jobs = part("relitalk_addon.watch"), part("relitalk_addon.jobs")
    assert bpy.ops.relitalk.try_sample(wait=False) == {"FINISHED"}
    train, render = watch.running("train"), watch.running("render")
    with pytest.raises(RuntimeError, match="being trained already"):
        bpy.ops.relitalk.try_sample(wait=False)
    ends = time.time() + 60
    while not (train.total and render.stage == "Waits for Train sample") and time.time() < ends:
        assert not train.refresh() or not train.state.ended, train.log()
        render.refresh()
        time.sleep(0.1)
    for job in (render, train):
        assert bpy.ops.relitalk.cancel(job=job.name) == {"FINISHED"}
    ended = [jobs.wait(job) for job in (render, train)]
    assert all(job.state is jobs.State.CANCELLED for job in ended), [job.report() for job in ended]
    again = part("relitalk_addon.launch").again(train)
    assert again.words[-1] == "--resume" and again.lane == "gpu"
    watch.forget_all()
