"""Beginning jobs: a folder for each, a process cut loose from this one, and the same once more. No bpy here."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.events import process_started
from . import jobs
from .jobs import Job, Order


def start(place: Path, order: Order, environ: dict[str, str]) -> Job:
    """Begin a job in a process of its own, by the order's command; `--job FOLDER` is added to it.

    Args:
        place: the folder that holds all jobs.
        order: what is asked for.
        environ: the process's environment.

    Raises:
        ReliTalkError: the folder cannot be written, or the process cannot be started.
    """
    return launch(prepare(place, order), order.command, environ)


def prepare(place: Path, order: Order) -> Job:
    """Make a job's folder, so that files for it can be laid there before it begins.

    Raises:
        ReliTalkError: the folder cannot be written.
    """
    order = replace(order, created=order.created or time.time())
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{order.kind}-{Path(order.result).stem}").strip("-")[:48]
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(order.created))
    number = 1
    try:
        while True:
            folder = place / (f"{stamp}-{slug}" + (f"-{number}" if number > 1 else ""))
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=True)
                break
            if not place.is_dir():
                raise NotADirectoryError(f"{place} is not a folder")
            number += 1
        jobs.write_json(folder / jobs.ORDER_FILE, asdict(order))
    except OSError as error:
        raise ReliTalkError(
            "unwritable", f"The job cannot be written in {place} ({error.strerror or error}).",
            "Choose another library folder in the add-on's preferences.",
        ) from error
    return Job(folder, order, jobs.first_state(order))


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
        jobs.write_json(job.folder / jobs.ORDER_FILE, asdict(job.order))
        with open(job.folder / jobs.LOG_FILE, "ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, cwd=job.folder, **loose,
            )
    except OSError as error:
        discard(job)
        raise ReliTalkError("not_started", f"{command[0]} cannot be started ({error.strerror or error}).") from error
    jobs.children[child.pid] = child
    spawned = {"pid": child.pid, "started": process_started(child.pid)}
    with contextlib.suppress(OSError):  # the process says its id itself as soon as it can
        jobs.write_json(job.folder / jobs.SPAWNED_FILE, spawned)
    return job


def discard(job: Job) -> None:
    """Throw a job away that was prepared and never began."""
    shutil.rmtree(job.folder, ignore_errors=True)


def again(job: Job) -> Order:
    """The order that takes an ended job up once more: a training goes on where it stopped, a take is made anew.

    Raises:
        ReliTalkError: it still runs, it is done, or it was no call of the engine.
    """
    title = job.order.title
    if not job.state.ended:
        raise ReliTalkError("busy", f"{title} has not ended.", "Cancel it first, or wait.")
    if job.state is jobs.State.DONE or not job.order.words:
        raise ReliTalkError("nothing_to_resume", f"{title} cannot be taken up again.", "Begin it anew.")
    words = list(job.order.words)
    if job.order.kind == "train" and "--resume" not in words:
        words.append("--resume")
    if job.order.kind != "train" and Path(job.order.result).exists() and "--force" not in words:
        words.append("--force")
    return replace(job.order, words=words, command=[], created=0.0)


def carry_over(old: Path, new: Path, words: list[str]) -> list[str]:
    """Take files that were laid into a job's folder along to the one that takes its work up.

    Returns:
        The words, with the paths of those files in the new folder.
    """
    def moved(word: str) -> str:
        path = Path(word)
        if path.parent != old or not path.is_file():
            return word
        for near in old.glob(f"{path.stem}*"):  # a light's panorama lies beside it
            shutil.copyfile(near, new / near.name)
        return str(new / path.name)

    return [moved(word) for word in words]
