"""What the window does with jobs. The module has a window but fires no timers, so the tests tick themselves."""

import os
import sys
import time
from pathlib import Path

import bpy
import pytest

DONE = """
import sys
from pathlib import Path
from relitalk_engine.events import Reporter
reporter = Reporter(job=Path(sys.argv[-1]), quiet=True)
reporter.progress("Drawing", 1, 2)
reporter.done({"take": "x"})
"""


@pytest.fixture
def begin(scene, part):
    """Begin a job in the library as an operator without wait does."""
    jobs, launch, watch, preferences = (
        part(f"relitalk_addon.{name}") for name in ("jobs", "launch", "watch", "preferences")
    )

    def make(kind, result, **fields):
        order = jobs.Order(kind, "A job", str(result), [sys.executable, "-c", DONE], scene=scene.name, **fields)
        environ = dict(os.environ) | {"PYTHONPATH": str(Path(part("relitalk_addon.engine").__file__).parents[1])}
        job = launch.start(preferences.jobs_folder(), order, environ)
        watch.follow(job)
        return job

    def tick_until_done(job):
        ends = time.time() + 20
        while not job.state.ended and time.time() < ends:
            watch.tick()
            time.sleep(0.05)
        assert job.state is jobs.State.DONE, job.log()

    yield make, tick_until_done
    watch.forget_all()


def test_a_take_is_placed_when_its_job_is_done(begin, scene, make_take):
    make, tick = begin
    take = make_take("later")
    tick(make("render", take.path, place=True, frame_start=7))
    user = bpy.data.objects["ReliTalk later"].active_material.node_tree.nodes["Take"].image_user
    assert user.frame_start == 7


def test_a_take_waits_in_the_list_when_another_file_was_loaded(begin, scene, make_take, part):
    make, tick = begin
    take = make_take("later")
    job = make("render", take.path, place=True, blend="/elsewhere/other.blend")
    tick(job)
    assert "ReliTalk later" not in bpy.data.objects
    assert bpy.ops.relitalk.place_job(job=job.name) == {"FINISHED"}
    assert "ReliTalk later" in bpy.data.objects


def test_a_trained_subject_becomes_the_setting(begin, scene, tmp_path):
    make, tick = begin
    tick(make("train", tmp_path / "anna.relitalk"))
    assert scene.relitalk.subject == str(tmp_path / "anna.relitalk")


def test_jobs_of_an_earlier_blender_are_found_and_can_be_removed(begin, scene, part, tmp_path):
    make, tick = begin
    watch = part("relitalk_addon.watch")
    job = make("train", tmp_path / "anna.relitalk")
    tick(job)
    watch.forget_all()  # as a restart forgets
    assert [found.name for found in watch.all_jobs()] == [job.name]
    assert bpy.ops.relitalk.remove_job(job=job.name) == {"FINISHED"}
    assert not watch.all_jobs() and not job.folder.exists()
