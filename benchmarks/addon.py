"""What the add-on costs Blender: registration, a tick of the timer that watches jobs, and what it loads.

Blender's module and the engine's libraries do not share a process, so this runs itself again in one of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from . import runs

NAME = "bl_ext.user_default.relitalk"
STARTS = 7
RUNNING, ENDED = 10, 200
HEAVY = ("torch", "mediapipe", "av", "cv2", "scipy")


def figures(_: bool) -> Iterator[str]:
    """Seconds and milliseconds; asked for: registration 0.2 s or less, a tick 1 ms or less, no torch."""
    with tempfile.TemporaryDirectory() as folder:
        pack = [sys.executable, runs.ROOT / "scripts" / "pack.py", "-o", folder]
        zip_file = subprocess.run(pack, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
        measured = []
        for number in range(STARTS):
            call = [sys.executable, "-m", "benchmarks.addon", zip_file, str(Path(folder) / "user")]
            call += ["install", "ticks"] if number == 0 else []
            environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
            said = subprocess.run(call, capture_output=True, text=True, check=True, cwd=runs.ROOT, env=environ).stdout
            measured.append(json.loads(said.strip().splitlines()[-1]))
    first, later = measured[0], measured[1:]
    yield f"Blender {first['blender']}"
    yield f"registration, once after installing: {first['seconds']:.3f} s, {first['cpu']:.3f} s of them computing"
    middle, cpu = (statistics.median(each[name] for each in later) for name in ("seconds", "cpu"))
    yield f"registration, at each later start: {middle:.3f} s, {cpu:.3f} s of them computing (medians of {len(later)})"
    yield f"heavy modules in Blender's process: {', '.join(first['heavy']) or 'none'}"
    for name, (middle, worst) in first["ticks"].items():
        yield f"tick, {name}: median {middle:.3f} ms; computing, 99th percentile {worst:.3f} ms"


def _measure(zip_file: str, user: str, install: bool, with_ticks: bool) -> dict[str, object]:
    os.environ["BLENDER_USER_RESOURCES"] = user
    import bpy

    if install:
        bpy.ops.extensions.package_install_files(filepath=zip_file, repo="user_default", enable_on_install=False)
    began, busy = time.perf_counter(), time.process_time()
    bpy.ops.preferences.addon_enable(module=NAME)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    ticks = _ticks(Path(user) / "library") if with_ticks else {}
    heavy = [name for name in HEAVY if name in sys.modules]
    return {"blender": bpy.app.version_string, "seconds": seconds, "cpu": cpu, "heavy": heavy, "ticks": ticks}


def _ticks(library: Path) -> dict[str, tuple[float, float]]:
    """Milliseconds that a tick takes (median) and computes (99th percentile), by how many jobs there are."""
    import bpy

    parts = (importlib.import_module(f"{NAME}.relitalk_addon.{name}") for name in ("jobs", "launch", "watch"))
    jobs, launch, watch = parts
    bpy.context.preferences.addons[NAME].preferences.library = str(library)
    speaks = (
        "import json, sys, time, pathlib, os\nplace = pathlib.Path(sys.argv[-1])\n"
        "(place / 'process.json').write_text(json.dumps({'pid': os.getpid()}))\n"
        "line = json.dumps({'event': 'progress', 'stage': 'fit', 'done': 1, 'total': 9, 'eta_s': 1.0})\n"
        "while not (place / 'cancel').exists():\n"
        "    with open(place / 'events.jsonl', 'a') as lines: print(line, file=lines)\n"
        "    time.sleep(0.25)\n"
    )
    results = {"no jobs": _timed(watch.tick)}
    for _ in range(ENDED):
        job = launch.prepare(library / "jobs", jobs.Order("train", "A job", "x", created=1.0))
        (job.folder / "events.jsonl").write_text('{"event": "done", "result": {}}\n')
    watch.look_around()
    results[f"{ENDED} ended jobs"] = _timed(watch.tick)
    order = jobs.Order("train", "A job", "x", [sys.executable, "-c", speaks])
    begun = [launch.start(library / "jobs", order, dict(os.environ)) for _ in range(RUNNING)]
    for job in begun:
        watch.follow(job)
    time.sleep(2.0)
    results[f"{ENDED} ended jobs and {RUNNING} that run"] = _timed(watch.tick)
    watch.forget_all()
    watch.look_around()
    jobs.children.clear()  # as a Blender that was started anew sees them
    results["the same, begun by another Blender"] = _timed(watch.tick)
    for job in begun:
        job.cancel()
    return results


def _timed(call: object, times: int = 200) -> tuple[float, float]:
    waited, computed = [], []
    for _ in range(times):
        began, busy = time.perf_counter(), time.thread_time()
        call()
        computed.append(1000 * (time.thread_time() - busy))
        waited.append(1000 * (time.perf_counter() - began))
        time.sleep(0.01)
    return statistics.median(waited), statistics.quantiles(computed, n=100)[-1]


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], sys.argv[2], "install" in sys.argv, "ticks" in sys.argv)))
