import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, time
from pathlib import Path
from relitalk_engine.events import Reporter
from relitalk_engine.errors import Cancelled, ReliTalkError
what, job = sys.argv[1], Path(sys.argv[sys.argv.index("--job") + 1])
print("hello from the worker", flush=True)
if what == "broken": raise SystemExit("no module named torch")
reporter = Reporter(job=job, quiet=True, every=0.0)
try:
    for step in range(4): reporter.progress("Learning", step, 4)
    reporter.warning("a small thing")
    if what == "fails": reporter.error(ReliTalkError("no_face", "No face.", "Take another clip.")); sys.exit(2)
    while what == "waits": reporter.progress("Waiting", 0, 1); time.sleep(0.02)
    if what == "dies": import os; os._exit(9)
    reporter.done({"take": "somewhere"})
except Cancelled: reporter.error(ReliTalkError("cancelled", "Cancelled.")); sys.exit(3)
"""


@pytest.fixture
def jobs(plain):
    return plain("relitalk_addon.jobs")


@pytest.fixture
def launch(plain):
    return plain("relitalk_addon.launch")


@pytest.fixture
def begin(jobs, launch, tmp_path):
    """Begin a real process that talks as the engine does: begin("works")."""

    def make(what, **fields):
        order = jobs.Order("render", "A job", "takes/日本 one", [sys.executable, "-c", WORKER, what], **fields)
        return launch.start(tmp_path / "jobs of mine, größer 日本", order, dict(os.environ) | {"PYTHONPATH": str(ROOT)})

    return make


@pytest.fixture
def queue(jobs, launch, plain, tmp_path):
    """Begin a real process that waits for its turn: queue("works", "gpu")."""
    engine = plain("relitalk_addon.engine")
    code = engine.copy_code(tmp_path / "home")
    ready = engine.Engine(Path(sys.executable), code)

    def make(what, lane="gpu", title="A job", python=sys.executable):
        waiting = [python, "-m", f"{code.name}.relitalk_addon.turn", python, "-c", WORKER, what]
        order = jobs.Order("render", title, "x", waiting, words=[what], lane=lane)
        return launch.start(tmp_path / "jobs", order, ready.environ())

    return make


def until(job, state, seconds=20.0):
    ends = time.time() + seconds
    while job.state is not state and time.time() < ends:
        job.refresh()
        time.sleep(0.02)
    assert job.state is state, (job.state, job.log())


def until_it_works(job, seconds=20.0):
    ends = time.time() + seconds
    while not job.total and time.time() < ends:
        job.refresh()
        time.sleep(0.02)
    assert job.total, (job.state, job.log())


def test_a_job_that_works_is_followed_to_its_end(jobs, begin):
    seen = []
    job = jobs.wait(begin("works"), on_change=lambda job: seen.append(job.done))
    assert job.state is jobs.State.DONE
    assert job.result == {"take": "somewhere"} and job.warnings == ["a small thing"]
    assert job.stage == "Learning" and job.total == 4 and seen
    assert "hello from the worker" in job.log()


def test_a_job_that_fails_says_why_in_a_sentence(jobs, begin):
    job = jobs.wait(begin("fails"))
    assert job.state is jobs.State.FAILED and job.message == "No face. Take another clip."


@pytest.mark.parametrize(("what", "word"), [("dies", "ended without a word"), ("broken", "no module named torch")])
def test_a_process_that_dies_is_a_failure_with_its_last_words(jobs, begin, what, word):
    job = jobs.wait(begin(what))
    assert job.state is jobs.State.FAILED and word in job.message


def test_cancel_stops_a_job(jobs, begin):
    job = begin("waits")
    job.cancel()
    until(job, jobs.State.CANCELLED)


def test_jobs_are_found_again_by_another_process(jobs, begin):
    running, ended = begin("waits", place=True, scene="Scene"), jobs.wait(begin("works"))
    found = {job.name: job for job in jobs.find_all(running.folder.parent)}
    assert found[running.name].state is jobs.State.RUNNING and found[running.name].order.place
    assert found[ended.name].state is jobs.State.DONE and found[ended.name].result == ended.result
    again = found[running.name]
    again.cancel()
    until(again, jobs.State.CANCELLED)


def test_a_job_outlives_the_process_that_began_it(jobs, tmp_path):
    script = (
        "import sys, os, importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('relitalk', r'{ROOT}/__init__.py',"
        f" submodule_search_locations=[r'{ROOT}'])\n"
        "sys.modules['relitalk'] = importlib.util.module_from_spec(spec)\n"
        "from relitalk.relitalk_addon import jobs, launch\n"
        "from pathlib import Path\n"
        f"order = jobs.Order('render', 'A job', 'x', [sys.executable, '-c', {WORKER!r}, 'waits'])\n"
        f"launch.start(Path(r'{tmp_path}'), order, dict(os.environ) | {{'PYTHONPATH': r'{ROOT}'}})\n"
        "assert 'bpy' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    (job,) = jobs.find_all(tmp_path)
    assert job.state is jobs.State.RUNNING
    job.cancel()
    until(job, jobs.State.CANCELLED)


def test_another_process_with_the_same_id_is_not_the_job(jobs, begin):
    job = begin("waits")
    until_said = time.time() + 20
    while not (job.folder / "process.json").exists() and time.time() < until_said:
        time.sleep(0.02)
    job.cancel()
    until(job, jobs.State.CANCELLED)
    (job.folder / "cancel").unlink()
    (job.folder / "events.jsonl").unlink()
    (job.folder / "process.json").write_text(json.dumps({"pid": os.getpid(), "started": "long ago"}))
    assert jobs.read(job.folder).state is jobs.State.FAILED


def test_only_one_blender_places_a_take(jobs, begin):
    job = jobs.wait(begin("works"))
    assert jobs.read(job.folder).claim_placing() and not job.claim_placing()


def test_a_half_written_line_is_read_when_it_is_whole(jobs, launch, tmp_path):
    job = launch.prepare(tmp_path, jobs.Order("train", "A job", "x"))
    line = json.dumps({"event": "done", "result": {"subject": "x"}})
    (job.folder / "process.json").write_text(json.dumps({"pid": os.getpid()}))
    (job.folder / "events.jsonl").write_text(line[:10])
    job.refresh()
    assert job.state is jobs.State.RUNNING
    (job.folder / "events.jsonl").write_text(line + "\n")
    job.refresh()
    assert job.state is jobs.State.DONE


def test_a_job_can_be_removed_once_it_has_ended(jobs, begin, plain):
    job = begin("waits")
    with pytest.raises(plain("relitalk_engine.errors").ReliTalkError, match="still runs"):
        jobs.remove(job)
    job.cancel()
    until(job, jobs.State.CANCELLED)
    jobs.remove(job)
    assert not job.folder.exists()


def test_a_library_that_cannot_be_written_is_a_sentence(jobs, launch, tmp_path, plain):
    (tmp_path / "file").write_text("")
    with pytest.raises(plain("relitalk_engine.errors").ReliTalkError, match="library folder"):
        launch.prepare(tmp_path / "file", jobs.Order("train", "A job", "x"))


def test_of_each_lane_one_job_runs_and_the_rest_wait_in_their_order(jobs, queue):
    first, second, third = queue("waits", title="The first"), queue("works"), queue("works")
    other = queue("works", lane="cpu")
    until_it_works(first)
    jobs.wait(other)
    assert other.state is jobs.State.DONE  # another lane
    second.refresh(), third.refresh()
    assert second.state is third.state is jobs.State.QUEUED
    ends = time.time() + 20
    while "The first" not in second.stage and time.time() < ends:
        second.refresh()
        time.sleep(0.05)
    assert second.stage == "Waits for The first"
    first.cancel()
    jobs.wait(third)
    assert jobs.wait(second).state is third.state is jobs.State.DONE
    began = [json.loads((job.folder / "process.json").read_text())["began"] for job in (second, third)]
    assert began[0] < began[1]


def test_the_queue_needs_nobody_who_watches_it_and_no_job_that_died_holds_it_up(jobs, queue, launch, tmp_path):
    never = launch.prepare(tmp_path / "jobs", jobs.Order("train", "Never began", "x", lane="gpu", created=1.0))
    running, waiting = queue("waits"), queue("works")
    until_it_works(running)
    os.kill(json.loads((running.folder / "process.json").read_text())["pid"], signal.SIGKILL)
    until(running, jobs.State.FAILED)
    again = jobs.read(waiting.folder)  # as another Blender sees it
    jobs.wait(again)
    assert again.state is jobs.State.DONE and jobs.read(never.folder).state is jobs.State.FAILED


def test_a_job_that_waits_can_be_cancelled_or_killed(jobs, queue):
    running, waiting, killed = queue("waits"), queue("works"), queue("works")
    until_it_works(running)
    waiting.cancel()
    until(waiting, jobs.State.CANCELLED)
    os.kill(json.loads((killed.folder / "spawned.json").read_text())["pid"], signal.SIGKILL)
    until(killed, jobs.State.FAILED)
    assert "before its turn" in killed.message
    running.cancel()
    until(running, jobs.State.CANCELLED)


def test_a_killed_process_leaves_a_sentence_and_can_be_taken_up_again(jobs, launch, queue, plain):
    job = queue("waits")
    with pytest.raises(plain("relitalk_engine.errors").ReliTalkError, match="has not ended"):
        launch.again(job)
    until_it_works(job)
    os.kill(json.loads((job.folder / "process.json").read_text())["pid"], signal.SIGKILL)
    until(job, jobs.State.FAILED)
    assert "Try it again" in job.message
    assert launch.again(job).words == ["waits"] and launch.again(job).created == 0.0


def test_a_training_that_is_taken_up_again_goes_on_where_it_stopped(jobs, launch, tmp_path):
    order = jobs.Order("train", "Train anna", str(tmp_path / "anna.relitalk"), words=["train", "clip.mp4"], created=1.0)
    job = launch.prepare(tmp_path, order)
    job.refresh()
    assert job.state is jobs.State.FAILED and "Resume" in job.message
    assert launch.again(job).words == ["train", "clip.mp4", "--resume"]


def test_files_laid_into_a_jobs_folder_go_along_when_it_is_taken_up_again(jobs, launch, tmp_path):
    old, new = (launch.prepare(tmp_path, jobs.Order("render", "A job", "x")).folder for _ in range(2))
    (old / "light.json").write_text("{}")
    (old / "light.exr").write_text("a panorama")
    words = launch.carry_over(old, new, ["render", "--light", str(old / "light.json"), "--frames", "0:8"])
    assert words == ["render", "--light", str(new / "light.json"), "--frames", "0:8"]
    assert (new / "light.json").is_file() and (new / "light.exr").is_file()


def test_two_blenders_see_cancel_and_remove_the_same_job(jobs, begin):
    mine = begin("waits")
    theirs = jobs.read(mine.folder)
    theirs.cancel()
    mine.cancel()
    until(mine, jobs.State.CANCELLED)
    until(theirs, jobs.State.CANCELLED)
    jobs.remove(theirs)
    jobs.remove(mine)  # gone already, and that is well
    assert not mine.folder.exists()


def test_a_folder_that_vanishes_under_a_job_is_said(jobs, begin):
    job = begin("waits")
    until_it_works(job)
    pid = json.loads((job.folder / "process.json").read_text())["pid"]
    os.kill(pid, signal.SIGSTOP)  # it would write while the folder goes
    shutil.rmtree(job.folder)
    seen = jobs.Job(job.folder, job.order)
    seen.refresh()
    assert seen.state is jobs.State.FAILED and "gone" in seen.message
    os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder here that nobody may write to")
def test_a_read_only_folder_is_a_sentence(jobs, launch, plain):
    refused = plain("relitalk_engine.errors").ReliTalkError
    with pytest.raises(refused, match="library folder"):
        launch.prepare(Path("/proc/relitalk"), jobs.Order("train", "A job", "x"))
    with pytest.raises(refused, match="cannot be written"):
        jobs.Job(Path("/proc"), jobs.Order("train", "A job", "x")).cancel()


def test_the_report_holds_all_that_its_mender_needs(jobs, begin):
    job = jobs.wait(begin("fails"))
    (job.folder / "bug.txt").write_text("Traceback: in the very middle")
    text = job.report()
    for wanted in ("ReliTalk", "A job: failed", "No face.", "a small thing", "in the very middle", "hello from the"):
        assert wanted in text
    assert str(job.folder) in text  # of the command


def test_hours_of_progress_are_read_in_no_time_and_lose_no_word(jobs, launch, tmp_path):
    job = launch.prepare(tmp_path, jobs.Order("train", "A job", "x"))
    (job.folder / "process.json").write_text(json.dumps({"pid": os.getpid()}))
    line = json.dumps({"event": "progress", "stage": "fit", "done": 1, "total": 9, "eta_s": None}) + "\n"
    last = line.replace("1", "7")
    warning = json.dumps({"event": "warning", "message": "a small thing"}) + "\n"
    (job.folder / "events.jsonl").write_text(line * 50_000 + warning + line * 50_000 + last)
    began = time.perf_counter()
    job.refresh()
    assert time.perf_counter() - began < 2.0
    assert job.done == 7 and job.warnings == ["a small thing"]


def test_nothing_leads_on_from_an_end(jobs, launch, tmp_path):
    job = launch.prepare(tmp_path, jobs.Order("train", "A job", "x"))
    events = [{"event": "done", "result": {}}, {"event": "error", "code": "x", "message": "late"}, {"event": "turn"}]
    (job.folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    job.refresh()
    assert job.state is jobs.State.DONE and not job.message
    assert {state for state, _ in jobs.STEPS} == {state for state in jobs.State if not state.ended}


def test_a_take_in_the_making_shows_its_picture(jobs, launch, tmp_path):
    clip, take = tmp_path / "clip.mp4", tmp_path / "take"
    clip.write_text("a clip")
    job = launch.prepare(tmp_path / "jobs", jobs.Order("render", "A job", str(take), source=str(clip)))
    assert job.picture() == clip
    seen = tmp_path / "seen.png"
    seen.write_text("a picture")
    (job.folder / "process.json").write_text(json.dumps({"pid": os.getpid()}))
    (job.folder / "events.jsonl").write_text(json.dumps({"event": "preview", "path": str(seen)}) + "\n")
    job.refresh()
    assert job.picture() == seen
