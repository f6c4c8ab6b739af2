import json
import os
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
def begin(jobs, tmp_path):
    """Begin a real process that talks as the engine does: begin("works")."""

    def make(what, **fields):
        order = jobs.Order("render", "A job", "takes/日本 one", [sys.executable, "-c", WORKER, what], **fields)
        return jobs.start(tmp_path / "jobs of mine", order, dict(os.environ) | {"PYTHONPATH": str(ROOT)})

    return make


def until(job, state, seconds=20.0):
    ends = time.time() + seconds
    while job.state is not state and time.time() < ends:
        job.refresh()
        time.sleep(0.02)
    assert job.state is state, (job.state, job.log())


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


def test_jobs_are_found_again_by_another_process(jobs, begin, tmp_path):
    running, ended = begin("waits", place=True, scene="Scene"), jobs.wait(begin("works"))
    found = {job.name: job for job in jobs.find_all(tmp_path / "jobs of mine")}
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
        "from relitalk.relitalk_addon import jobs\n"
        "from pathlib import Path\n"
        f"order = jobs.Order('render', 'A job', 'x', [sys.executable, '-c', {WORKER!r}, 'waits'])\n"
        f"jobs.start(Path(r'{tmp_path}'), order, dict(os.environ) | {{'PYTHONPATH': r'{ROOT}'}})\n"
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


def test_a_half_written_line_is_read_when_it_is_whole(jobs, tmp_path):
    job = jobs.prepare(tmp_path, jobs.Order("train", "A job", "x"))
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


def test_a_library_that_cannot_be_written_is_a_sentence(jobs, tmp_path, plain):
    (tmp_path / "file").write_text("")
    with pytest.raises(plain("relitalk_engine.errors").ReliTalkError, match="library folder"):
        jobs.prepare(tmp_path / "file", jobs.Order("train", "A job", "x"))
