"""Runs of the command line, timed, with their peak memory; and where data and results lie."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "build" / "benchmarks"


@dataclass(frozen=True)
class Run:
    """One run of `relitalk`."""

    seconds: float
    peak_gb: float
    result: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s ({self.seconds / 60:.1f} min), peak {self.peak_gb:.2f} GB"


def data(name: str) -> Path:
    """A file of the data folder.

    Raises:
        FileNotFoundError: it is not there.
    """
    path = DATA / name
    if not path.exists():
        raise FileNotFoundError(f"{name} is not in the data folder beside the repository")
    return path


def relitalk(*words: object) -> Run:
    """Run one command to its end.

    Raises:
        RuntimeError: it failed; its sentence.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    call = [sys.executable, "-m", "relitalk_engine", *map(str, words), "--events"]
    began = time.monotonic()
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        last = {"event": "nothing"}
        for line in process.stdout:
            last = json.loads(line)
        # the child's own usage, not that of all children so far
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if last["event"] != "done":
        raise RuntimeError(f"relitalk {' '.join(map(str, words))}: {last.get('message', last)}")
    kilo = 1e9 if sys.platform == "darwin" else 1e6
    return Run(time.monotonic() - began, usage.ru_maxrss / kilo, last["result"])


def subject(clip: Path, name: str, again: bool, *more: object) -> Path:
    """A subject of the draft preset, trained once and kept."""
    place = RESULTS / f"{name}.relitalk"
    if again or not place.exists():
        relitalk("train", clip, "-o", place, "--preset", "draft", "--consent", "yes", "--force", *more)
    return place


def world_hdri(name: str = "studio") -> Path:
    """One of Blender's world HDRIs.

    Raises:
        FileNotFoundError: bpy is not installed.
    """
    from relitalk_engine.errors import MissingPart
    from relitalk_engine.evaluate.truth import find_hdri

    try:
        return find_hdri(name, RESULTS)
    except MissingPart as error:
        raise FileNotFoundError(str(error)) from error
