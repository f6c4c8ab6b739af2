"""Jobs: processes that outlive the Blender that began them, each a folder that says how far it is. No bpy here.

A job's folder holds `job.json` (what was ordered, written here), `process.json` and `events.jsonl` (written by the
process, see relitalk_engine.events), `log.txt` (its own words) and `cancel` (written here to stop it).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.events import CANCEL_FILE, EVENTS_FILE, PROCESS_FILE, process_alive, process_started

ORDER_FILE = "job.json"
SPAWNED_FILE = "spawned.json"
LOG_FILE = "log.txt"
STARTING = 10.0
"""Seconds that a process may take until it says its id."""

_children: dict[int, subprocess.Popen[bytes]] = {}


class State(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Order:
    """What was asked for; enough to find its result after a restart."""

    kind: str
    """train, render, relight or set_up."""
    title: str
    result: str
    """Path of the subject, the take or the environment that it makes."""
    command: list[str] = field(default_factory=list)
    place: bool = False
    """Whether the take shall stand in the scene when it is done."""
    blend: str = ""
    """The .blend file that ordered it; empty where it was never saved."""
    scene: str = ""
    frame_start: int = 1
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
    _read: int = 0

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
        if self.state is not State.RUNNING:
            return False
        alive = self.alive()  # asked first: what a process said before it died is read after
        changed = self._read_events()
        if self.state is State.RUNNING and not alive:
            self._died()
            changed = True
        return changed

    def alive(self) -> bool:
        """Whether the job's process still runs."""
        for name in (PROCESS_FILE, SPAWNED_FILE):
            said = _read_json(self.folder / name)
            if said is None or not isinstance(said.get("pid"), int):
                continue
            child = _children.get(said["pid"])
            if child is not None and child.poll() is not None:
                return False
            return process_alive(said["pid"], said.get("started"))
        return time.time() - self.order.created < STARTING

    def cancel(self) -> None:
        """Ask the process to stop; it leaves within seconds and keeps what is whole."""
        (self.folder / CANCEL_FILE).touch()

    def log(self, lines: int = 12) -> str:
        """The last words of the process."""
        try:
            text = (self.folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

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
        for line in whole.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                self._take(event)
        return bool(whole)

    def _take(self, event: dict[str, Any]) -> None:
        match event.get("event"):
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
                self.state = State.CANCELLED if self.code == "cancelled" else State.FAILED
            case "done":
                self.result = dict(event.get("result") or {})
                self.state = State.DONE

    def _died(self) -> None:
        if (self.folder / CANCEL_FILE).exists():
            self.state, self.message = State.CANCELLED, "Cancelled."
            return
        self.state, self.code = State.FAILED, "died"
        last = self.log(1)
        self.message = f"The process ended without a word{': ' + last if last else ''}. Its log lies in {self.folder}."


def start(jobs: Path, order: Order, environ: dict[str, str]) -> Job:
    """Begin a job in a process of its own, by the order's command; `--job FOLDER` is added to it.

    Args:
        jobs: the folder that holds all jobs.
        order: what is asked for.
        environ: the process's environment.

    Raises:
        ReliTalkError: the folder cannot be written, or the process cannot be started.
    """
    return launch(prepare(jobs, order), order.command, environ)


def prepare(jobs: Path, order: Order) -> Job:
    """Make a job's folder, so that files for it can be laid there before it begins.

    Raises:
        ReliTalkError: the folder cannot be written.
    """
    order = replace(order, created=order.created or time.time())
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{order.kind}-{Path(order.result).stem}").strip("-")[:48]
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(order.created))
    try:
        for number in range(1, 1000):
            folder = jobs / (f"{stamp}-{slug}" + (f"-{number}" if number > 1 else ""))
            try:
                folder.mkdir(parents=True)
                break
            except FileExistsError:
                continue
        _write_json(folder / ORDER_FILE, asdict(order))
    except OSError as error:
        raise ReliTalkError(
            "unwritable", f"The job cannot be written in {jobs} ({error.strerror or error}).",
            "Choose another library folder in the add-on's preferences.",
        ) from error
    return Job(folder, order)


def launch(job: Job, command: list[str], environ: dict[str, str]) -> Job:
    """Begin a prepared job's process, cut loose from this one.

    Args:
        job: what `prepare` returned.
        command: its command line; `--job FOLDER` is added.
        environ: the process's environment.

    Raises:
        ReliTalkError: the process cannot be started.
    """
    loose: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        flags = ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW")
        loose = {"creationflags": sum(getattr(subprocess, flag) for flag in flags)}
    command = [*command, "--job", str(job.folder)]
    job.order = replace(job.order, command=command)
    try:
        _write_json(job.folder / ORDER_FILE, asdict(job.order))
        with open(job.folder / LOG_FILE, "ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, cwd=job.folder, **loose,
            )
    except OSError as error:
        discard(job)
        raise ReliTalkError("not_started", f"{command[0]} cannot be started ({error.strerror or error}).") from error
    _children[child.pid] = child  # polled, so that it leaves no zombie
    _write_json(job.folder / SPAWNED_FILE, {"pid": child.pid, "started": process_started(child.pid)})
    return job


def discard(job: Job) -> None:
    """Throw a job away that was prepared and never began."""
    shutil.rmtree(job.folder, ignore_errors=True)


def read(folder: Path) -> Job | None:
    """The job in a folder as it stands now; None where there is none."""
    table = _read_json(folder / ORDER_FILE)
    if table is None:
        return None
    known = {name: value for name, value in table.items() if name in Order.__dataclass_fields__}
    try:
        job = Job(folder, Order(**known))
    except TypeError:
        return None
    job.refresh()
    return job


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
        while job.state is State.RUNNING:
            if job.refresh() and on_change is not None:
                on_change(job)
            if job.state is State.RUNNING:
                time.sleep(every)
    except KeyboardInterrupt:
        job.cancel()
        raise
    return job


def remove(job: Job) -> None:
    """Forget an ended job; its result stays.

    Raises:
        ReliTalkError: it still runs.
    """
    if job.state is State.RUNNING and job.alive():
        raise ReliTalkError("busy", f"{job.order.title} still runs.", "Cancel it first.")
    shutil.rmtree(job.folder, ignore_errors=True)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return table if isinstance(table, dict) else None


def _write_json(path: Path, table: dict[str, Any]) -> None:
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(table, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(beside, path)
