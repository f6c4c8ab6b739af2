"""Jobs: processes that outlive the Blender that began them, each a folder that says how far it is. No bpy here.

A job's folder holds `job.json` (what was ordered), `spawned.json` (the process that was begun for it), `process.json`
and `events.jsonl` (written by the process, see relitalk_engine.events), `log.txt` (its own words), `bug.txt` (where it
stumbled, if it did) and `cancel` (written here to stop it). Whoever reads the folder knows where the job stands.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.events import CANCEL_FILE, EVENTS_FILE, PROCESS_FILE, process_alive
from ..relitalk_engine.version import __version__

ORDER_FILE = "job.json"
SPAWNED_FILE = "spawned.json"
LOG_FILE = "log.txt"
BUG_FILE = "bug.txt"
STARTING = 10.0
"""Seconds that a process may take until it says its id."""
ASKED = 1.0
"""Seconds between two questions to the system about a process that is not this one's child."""
PROGRESS = b'{"event": "progress"'

children: dict[int, subprocess.Popen[bytes]] = {}
"""The processes that this one began; they are asked directly, so that they leave no zombie."""


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in {State.DONE, State.FAILED, State.CANCELLED}


STEPS = {
    (State.QUEUED, "turn"): State.RUNNING,
    (State.QUEUED, "progress"): State.RUNNING,
    (State.QUEUED, "cancelled"): State.CANCELLED,
    (State.QUEUED, "error"): State.FAILED,
    (State.RUNNING, "done"): State.DONE,
    (State.RUNNING, "cancelled"): State.CANCELLED,
    (State.RUNNING, "error"): State.FAILED,
}
"""Which event leads where; any other leaves a job where it stands, and nothing leads on from an end."""


@dataclass(frozen=True)
class Order:
    """What was asked for; enough to find its result after a restart, and to begin it again."""

    kind: str
    """train, render, relight or set_up."""
    title: str
    result: str
    """Path of the subject, the take or the environment that it makes."""
    command: list[str] = field(default_factory=list)
    """The process's command line."""
    words: list[str] = field(default_factory=list)
    """What the engine is told, without the Python that runs it; empty where it is no call of the engine."""
    lane: str = ""
    """What it computes on, gpu or cpu: of each lane one job runs at a time. Empty: it need not wait."""
    place: bool = False
    """Whether the take shall stand in the scene when it is done."""
    blend: str = ""
    """The .blend file that ordered it; empty where it was never saved."""
    scene: str = ""
    frame_start: int = 1
    source: str = ""
    """The clip it is made from, for a picture of it."""
    created: float = 0.0


@dataclass
class Job:
    """A job's folder and what was last read there."""

    folder: Path
    order: Order
    state: State = State.RUNNING
    stage: str = "Starting"
    done: int = 0
    total: int = 0
    eta_s: float | None = None
    preview: str = ""
    warnings: list[str] = field(default_factory=list)
    message: str = ""
    """Why it failed, a sentence."""
    code: str = ""
    """The error's slug."""
    result: dict[str, Any] = field(default_factory=dict)
    took: float | None = None
    """Seconds from its first word to its last, once it has ended."""
    _read: int = 0
    _process: dict[str, Any] | None = None
    _asked: float = -1e9
    _alive: bool = True

    @property
    def name(self) -> str:
        """What `relitalk.cancel(job)` takes."""
        return self.folder.name

    @property
    def fraction(self) -> float:
        """Part of the present stage that is done, 0..1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    def refresh(self) -> bool:
        """Read what the process said since the last time.

        Returns:
            Whether anything changed.
        """
        if self.state.ended:
            return False
        alive = self.alive()  # asked first: what a process said before it died is read after
        changed = self._read_events()
        if not self.state.ended and not alive:
            self._died()
            changed = True
        if self.state.ended:
            self.took = self._time_taken()
        return changed

    def alive(self) -> bool:
        """Whether the job's process still runs: the one that was begun, not another that was given its id."""
        if self._process is None:
            self._process = read_json(self.folder / PROCESS_FILE)
        said = self._process or read_json(self.folder / SPAWNED_FILE)
        if said is None or not isinstance(said.get("pid"), int):
            return self.folder.is_dir() and time.time() - self.order.created < STARTING
        child = children.get(said["pid"])
        if child is not None:
            return child.poll() is None
        if time.monotonic() - self._asked > ASKED:
            self._asked, self._alive = time.monotonic(), process_alive(said["pid"], said.get("started"))
        return self._alive

    def cancel(self) -> None:
        """Ask the process to stop; it leaves within seconds and keeps what is whole.

        Raises:
            ReliTalkError: its folder cannot be written.
        """
        try:
            (self.folder / CANCEL_FILE).touch()
        except OSError as error:
            raise ReliTalkError(
                "unwritable", f"{self.folder} cannot be written ({error.strerror or error}).", "The job goes on.",
            ) from error

    def log(self, lines: int = 12) -> str:
        """The last words of the process."""
        text = _text(self.folder / LOG_FILE)
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

    def report(self) -> str:
        """All that someone needs who shall mend it: what was asked, on what, how it ended, where it stumbled."""
        parts = [
            f"ReliTalk {__version__}, {platform.platform()}, Python {platform.python_version()}",
            f"{self.order.title}: {self.state}, in the stage {self.stage} ({self.done} of {self.total})",
            self.message,
            "Command: " + " ".join(self.order.command),
            *(f"Warning: {warning}" for warning in self.warnings),
        ]
        bug, log = _text(self.folder / BUG_FILE), self.log(60)
        parts += [f"Where it stumbled:\n{bug.strip()}"] if bug else []
        parts += [f"Its last words:\n{log}"] if log else []
        return "\n".join(part for part in parts if part) + "\n"

    def picture(self) -> Path | None:
        """A picture or film worth looking at: what it made, as far as it is; else the clip that it is made from."""
        place = Path(self.order.result)
        made = [place / "preview.mp4", place / "frames.mkv"] if self.state is State.DONE else []
        films = [*([Path(self.preview)] if self.preview else []), *made]
        films += [Path(self.order.source)] if self.order.source else []
        return next((path for path in films if path.is_file()), None)

    def claim_placing(self) -> bool:
        """Whether the caller is the one to place the take: True once, whichever Blender asks first."""
        try:
            os.close(os.open(self.folder / "placed", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except OSError:
            return False
        return True

    def _read_events(self) -> bool:
        try:
            with open(self.folder / EVENTS_FILE, "rb") as lines:
                lines.seek(self._read)
                fresh = lines.read()
        except OSError:
            return False
        whole = fresh[: fresh.rfind(b"\n") + 1]  # the last line may be half written
        self._read += len(whole)
        lines_of_it = whole.splitlines()
        for number, line in enumerate(lines_of_it):
            following = lines_of_it[number + 1] if number + 1 < len(lines_of_it) else b""
            if line.startswith(PROGRESS) and following.startswith(PROGRESS):
                continue  # hours of progress are read for their last line
            with contextlib.suppress(ValueError, TypeError):  # a line that a full disk cut short
                event = json.loads(line)
                if isinstance(event, dict):
                    self._take(event)
        return bool(whole)

    def _take(self, event: dict[str, Any]) -> None:
        if self.state.ended:
            return
        kind = event.get("event")
        match kind:
            case "waiting":
                self.stage = f"Waits for {event.get('title', 'another job')}"
            case "turn":
                self.stage = "Starting"
            case "progress":
                self.stage = str(event.get("stage", self.stage))
                self.done, self.total = int(event.get("done", 0)), int(event.get("total", 0))
                self.eta_s = event.get("eta_s")
            case "preview":
                self.preview = str(event.get("path", ""))
            case "warning":
                self.warnings.append(str(event.get("message", "")))
            case "error":
                self.code = str(event.get("code", ""))
                self.message = f"{event.get('message', '')} {event.get('hint') or ''}".strip()
                kind = "cancelled" if self.code == "cancelled" else "error"
            case "done":
                self.result = dict(event.get("result") or {})
        self.state = STEPS.get((self.state, str(kind)), self.state)

    def _died(self) -> None:
        if (self.folder / CANCEL_FILE).exists():
            self.state, self.code, self.message = State.CANCELLED, "cancelled", "Cancelled."
            return
        again = "Resume goes on where it stopped." if self.order.kind == "train" else "Try it again."
        if self.state is State.QUEUED:
            self.message = f"It was stopped before its turn came. {again}"
        elif not self.folder.is_dir():
            self.message = f"Its folder {self.folder} is gone; what it makes is lost to this list, not to the disk."
        else:
            last = self.log(1)
            self.message = f"The process ended without a word{': ' + last if last else ''}. {again}"
        self.state, self.code = State.FAILED, "died"

    def _time_taken(self) -> float | None:
        began = (read_json(self.folder / PROCESS_FILE) or {}).get("began")
        try:
            ended = (self.folder / EVENTS_FILE).stat().st_mtime
        except OSError:
            return None
        return max(0.0, ended - began) if isinstance(began, (int, float)) else None


def read(folder: Path) -> Job | None:
    """The job in a folder as it stands now; None where there is none."""
    table = read_json(folder / ORDER_FILE)
    if table is None:
        return None
    known = {name: value for name, value in table.items() if name in Order.__dataclass_fields__}
    try:
        order = Order(**known)
    except TypeError:
        return None
    job = Job(folder, order, first_state(order))
    job.refresh()
    return job


def first_state(order: Order) -> State:
    """Where a job begins: in the queue, where it has a lane."""
    return State.QUEUED if order.lane else State.RUNNING


def find_all(jobs: Path) -> list[Job]:
    """All jobs of a library, the newest first."""
    try:
        folders = sorted((path for path in jobs.iterdir() if path.is_dir()), key=lambda path: path.name, reverse=True)
    except OSError:
        return []
    return [job for job in map(read, folders) if job is not None]


def wait(job: Job, every: float = 0.1, on_change: Any = None) -> Job:
    """Wait until a job has ended; an interrupt of this process cancels it.

    Args:
        job: the job.
        every: seconds between two looks.
        on_change: called with the job when something changed.
    """
    try:
        while not job.state.ended:
            if job.refresh() and on_change is not None:
                on_change(job)
            if not job.state.ended:
                time.sleep(every)
    except KeyboardInterrupt:
        job.cancel()
        raise
    return job


def remove(job: Job) -> None:
    """Forget an ended job; its result stays. That another Blender removed it already is as well.

    Raises:
        ReliTalkError: it still runs, or its folder cannot be removed.
    """
    job.refresh()
    if not job.state.ended and job.alive():
        raise ReliTalkError("busy", f"{job.order.title} still runs.", "Cancel it first.")
    shutil.rmtree(job.folder, ignore_errors=True)
    if job.folder.exists():
        raise ReliTalkError("unwritable", f"{job.folder} cannot be removed.", "Check who may write to it.")


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is none, or not yet a whole one."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return table if isinstance(table, dict) else None


def write_json(path: Path, table: dict[str, Any]) -> None:
    """Write a JSON object whole or not at all."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(table, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(beside, path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
