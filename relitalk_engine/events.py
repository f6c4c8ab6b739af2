"""What a job says while it runs: JSON lines for a program, a bar for a person. Standard library only, no bpy.

A job outlives the program that began it: with `job`, the same lines go to `DIR/events.jsonl`, `DIR/process.json` says
which process does it, and the job stops when `DIR/cancel` appears.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

from .errors import Cancelled, ReliTalkError

EVENTS_FILE = "events.jsonl"
PROCESS_FILE = "process.json"
CANCEL_FILE = "cancel"
BAR_WIDTH = 24

Item = TypeVar("Item")


def process_started(pid: int) -> str | None:
    """When a process began, as the system tells it; a later process with the same id has another.

    Args:
        pid: process id.

    Returns:
        An opaque text; None: no such process, or it is over and only waits to be collected.
    """
    if pid <= 0:
        return None
    if sys.platform.startswith("linux"):
        return _started_on_linux(pid)
    if os.name == "nt":
        return _started_on_windows(pid)
    asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def process_alive(pid: int, started: str | None = None) -> bool:
    """Whether a process still runs, and is the one that was meant.

    Args:
        pid: process id.
        started: what `process_started` said of it then; None: any process of that id counts.
    """
    now = process_started(pid)
    return now is not None and started in (None, now)


def _started_on_linux(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _started_on_windows(pid: int) -> str | None:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(0x1000, False, pid))  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle.value:
        return None
    try:
        code, times = ctypes.c_ulong(), [ctypes.c_ulonglong() for _ in range(4)]
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        if code.value != 259:  # STILL_ACTIVE
            return None
        kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
        return str(times[0].value)
    finally:
        kernel.CloseHandle(handle)


@dataclass
class _Stage:
    """Where one stage stands; the clock starts at its first report."""

    name: str
    began: float
    first: int
    said: float = field(default=-1e9)


class Reporter:
    """Tells whoever waits how far the job is, and whether it shall stop.

    Args:
        events: print one JSON object a line on stdout instead of a bar on stderr.
        job: folder for `events.jsonl` and `process.json`, where `cancel` is looked for.
        quiet: say nothing to the person (events and job lines still come).
        every: seconds between two progress lines of one stage.
        stdout: where event lines go.
        stderr: where the bar goes.
    """

    def __init__(
        self,
        events: bool = False,
        job: Path | None = None,
        quiet: bool = False,
        every: float = 0.25,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.events = events
        self.job = Path(job) if job is not None else None
        self.quiet = quiet
        self.warnings: list[str] = []
        self._every = every
        self._stdout = stdout if stdout is not None else sys.stdout
        self._stderr = stderr if stderr is not None else sys.stderr
        self._stage: _Stage | None = None
        self._cancelled = False
        self._bar_open = False
        self._looked = -1e9
        if self.job is not None:
            self._begin_job(self.job)

    # What a stage calls

    def progress(self, stage: str, done: int, total: int) -> None:
        """Say that `done` of `total` steps of a stage are done.

        Raises:
            Cancelled: the user asked to stop.
        """
        self.check_cancel()
        now = time.monotonic()
        if self._stage is None or self._stage.name != stage or done < self._stage.first:
            self._close_bar()
            self._stage = _Stage(stage, now, done)
        current = self._stage
        if done < total and now - current.said < self._every:
            return
        current.said = now
        steps = done - current.first
        eta = (now - current.began) / steps * (total - done) if steps > 0 else None
        eta_s = None if eta is None else round(eta, 1)
        self._emit({"event": "progress", "stage": stage, "done": int(done), "total": int(total), "eta_s": eta_s})
        self._draw_bar(stage, done, total, eta_s)

    def steps(self, stage: str, items: Iterable[Item], total: int | None = None) -> Iterator[Item]:
        """Yield the items of a stage and report each when it is done.

        Args:
            stage: the stage's name.
            items: what to go through.
            total: how many there are; len(items) where that is known.
        """
        count = total if total is not None else len(items)  # type: ignore[arg-type]
        self.progress(stage, 0, count)
        for done, item in enumerate(items, start=1):
            yield item
            self.progress(stage, done, count)

    def preview(self, path: Path | str) -> None:
        """Say that a picture or film worth looking at lies at `path`."""
        self._emit({"event": "preview", "path": str(path)})

    def warning(self, message: str) -> None:
        """Say something that the user should know, and go on. Said once."""
        if message in self.warnings:
            return
        self.warnings.append(message)
        self._emit({"event": "warning", "message": message})
        self._line(f"note: {message}")

    def error(self, error: ReliTalkError) -> None:
        """Say why the job stops."""
        self._emit({"event": "error", "code": error.code, "message": error.message, "hint": error.hint})
        self._line(f"relitalk: {error.message}" + (f"\n          {error.hint}" if error.hint else ""), always=True)

    def done(self, result: dict[str, Any]) -> None:
        """Say that the job is done, and where its results lie."""
        self._close_bar()
        self._emit({"event": "done", "result": result})

    def close(self) -> None:
        """Leave the terminal on a fresh line."""
        self._close_bar()

    def cancel(self) -> None:
        """Ask the job to stop at its next step (what SIGINT does)."""
        self._cancelled = True

    def cancelled(self) -> bool:
        """Whether the job shall stop; looks for the job's cancel file at most ten times a second."""
        now = time.monotonic()
        if not self._cancelled and self.job is not None and now - self._looked > 0.1:
            self._looked = now
            self._cancelled = (self.job / CANCEL_FILE).exists()
        return self._cancelled

    def check_cancel(self) -> None:
        """Stop here if the user asked to.

        Raises:
            Cancelled: the user asked to stop.
        """
        if self.cancelled():
            raise Cancelled()

    # How it is said

    def _begin_job(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            process = {"pid": os.getpid(), "started": process_started(os.getpid()), "began": time.time()}
            beside = folder / (PROCESS_FILE + ".new")
            beside.write_text(json.dumps(process), encoding="utf-8")
            os.replace(beside, folder / PROCESS_FILE)
            (folder / EVENTS_FILE).touch()
        except OSError as error:
            self.job = None
            raise ReliTalkError(
                "job_unwritable",
                f"The job folder {folder} cannot be written ({error.strerror or error}).",
                "Give --job a folder that you may write to.",
            ) from error

    def _emit(self, event: dict[str, Any]) -> None:
        if not self.events and self.job is None:
            return
        line = json.dumps(event) + "\n"
        if self.job is not None:
            with contextlib.suppress(OSError), open(self.job / EVENTS_FILE, "a", encoding="utf-8") as lines:
                lines.write(line)
        if self.events:
            with contextlib.suppress(BrokenPipeError):  # whoever read along has gone; the job goes on
                self._stdout.write(line)
                self._stdout.flush()

    def _draw_bar(self, stage: str, done: int, total: int, eta_s: float | None) -> None:
        if self.events or self.quiet:
            return
        if not self._stderr.isatty():
            if done >= total:
                self._line(f"{stage}: {done}/{total}")
            return
        full = round(BAR_WIDTH * done / total) if total else BAR_WIDTH
        left = "" if eta_s is None or done >= total else f"  {int(eta_s) // 60}:{int(eta_s) % 60:02d} left"
        bar = "#" * full + "." * (BAR_WIDTH - full)
        self._stderr.write(f"\r{stage:<28.28} [{bar}] {done}/{total}{left}\x1b[K")
        self._stderr.flush()
        self._bar_open = True

    def _close_bar(self) -> None:
        if self._bar_open:
            self._stderr.write("\n")
            self._stderr.flush()
            self._bar_open = False

    def _line(self, text: str, always: bool = False) -> None:
        if self.events or (self.quiet and not always):
            return
        self._close_bar()
        self._stderr.write(text + "\n")
        self._stderr.flush()
