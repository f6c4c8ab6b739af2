import io
import json
import os
import subprocess
import sys

import pytest

from relitalk_engine.errors import Cancelled, ReliTalkError
from relitalk_engine.events import Reporter, process_alive, process_started


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_events_are_one_json_object_a_line():
    out = io.StringIO()
    reporter = Reporter(events=True, stdout=out, every=0.0)
    for _ in reporter.steps("fit", range(3)):
        pass
    reporter.preview("a/b.png")
    reporter.warning("Two faces; the larger is followed.")
    reporter.error(ReliTalkError("no_face", "There is no face.", "Film a face."))
    reporter.done({"subject": "é.relitalk"})
    events = lines(out.getvalue())
    assert [e["event"] for e in events] == ["progress"] * 4 + ["preview", "warning", "error", "done"]
    assert set(events[0]) == {"event", "stage", "done", "total", "eta_s"}
    assert (events[3]["stage"], events[3]["done"], events[3]["total"], events[3]["eta_s"]) == ("fit", 3, 3, 0.0)
    assert events[6] == {"event": "error", "code": "no_face", "message": "There is no face.", "hint": "Film a face."}
    assert events[7]["result"] == {"subject": "é.relitalk"}


def test_progress_is_throttled_but_its_end_is_always_told():
    out = io.StringIO()
    reporter = Reporter(events=True, stdout=out, every=100.0)
    for _ in reporter.steps("train", range(1000)):
        pass
    assert [e["done"] for e in lines(out.getvalue())] == [0, 1000]


def test_a_warning_is_said_once():
    out = io.StringIO()
    reporter = Reporter(events=True, stdout=out)
    reporter.warning("No matrix named; BT.601 is assumed.")
    reporter.warning("No matrix named; BT.601 is assumed.")
    assert len(lines(out.getvalue())) == 1


def test_a_job_keeps_its_lines_and_its_process_and_hears_cancel(tmp_path):
    job = tmp_path / "jobs" / "one"
    reporter = Reporter(job=job, quiet=True)
    reporter.progress("fit", 0, 2)
    process = json.loads((job / "process.json").read_text())
    assert process["pid"] == os.getpid() and process["started"] == process_started(os.getpid())
    (job / "cancel").touch()
    reporter._looked = -1e9
    with pytest.raises(Cancelled):
        reporter.progress("fit", 1, 2)
    assert [e["done"] for e in lines((job / "events.jsonl").read_text())] == [0]


def test_a_process_is_told_from_a_later_one_with_its_number():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = process_started(child.pid)
    assert process_alive(child.pid, started) and not process_alive(child.pid, "another time")
    child.communicate(b"\n")
    assert not process_alive(child.pid, started)


def test_without_events_a_person_reads_sentences():
    err = io.StringIO()
    reporter = Reporter(stdout=io.StringIO(), stderr=err)
    reporter.error(ReliTalkError("no_face", "There is no face.", "Film a face."))
    assert "There is no face." in err.getvalue() and "Film a face." in err.getvalue()
