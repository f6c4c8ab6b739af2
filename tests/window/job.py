"""Begins one job in a library: job.py LIBRARY WHAT ORDER. Its process talks as the engine does."""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, time
from pathlib import Path
from relitalk_engine.errors import Cancelled, ReliTalkError
from relitalk_engine.events import Reporter
what, job = sys.argv[1], Path(sys.argv[-1])
reporter = Reporter(job=job, quiet=True, every=0.0)
print("a clip of 8.0 s at 25 frames a second, 512 x 512", flush=True)
try:
    if what == "sets up":
        stage, done, total = "Fetching torch", 2, 4
    else:
        stage, done, total = "reflectance: decomposition", 180, 500
    if what in ("sets up", "trains", "waits"):
        reporter.progress(stage, 0, total)
        time.sleep(0.3)
        while True:
            reporter.progress(stage, done, total)
            time.sleep(0.5)
    if what == "fails":
        reporter.progress("track", 37, 200)
        raise ReliTalkError("no_face", "No face is seen in frames 37 to 61 of passer-by.mp4.", "Cut those frames out.")
    reporter.progress("frames", 75, 75)
    reporter.done({"take": "somewhere"})
except Cancelled:
    sys.exit(3)
except ReliTalkError as error:
    reporter.error(error)
    sys.exit(error.exit_code)
"""

spec = importlib.util.spec_from_file_location("relitalk", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
sys.modules["relitalk"] = importlib.util.module_from_spec(spec)
jobs, launch = (importlib.import_module(f"relitalk.relitalk_addon.{name}") for name in ("jobs", "launch"))
library, what, order = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
command = [sys.executable, "-c", WORKER, what]
job = launch.start(library / "jobs", jobs.Order(**order, command=command), os.environ | {"PYTHONPATH": str(ROOT)})
if order.get("lane"):  # it shall be seen while it waits: its process says nothing but for whom
    job.cancel()
    jobs.wait(job)
    (job.folder / "cancel").unlink()
    (job.folder / "events.jsonl").write_text(json.dumps({"event": "waiting", "title": "Train anna"}) + "\n")
    (job.folder / "process.json").write_text(json.dumps({"pid": 1}))
ends = time.time() + 20
while not job.total and not job.state.ended and time.time() < ends:
    job.refresh()
    time.sleep(0.05)
if what in ("works", "fails"):
    jobs.wait(job)
