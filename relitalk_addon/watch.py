"""Watches the library's jobs from a window: reads what they say twice a second, redraws, and tells when one is done.

A timer and no handler: jobs belong to the computer, so loading a file or starting Blender anew finds them again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy

from . import compat, jobs, preferences

EVERY = 0.5
LOOK_AROUND = 10
"""Ticks after which the folder is looked through for jobs of another Blender."""

_known: dict[Path, jobs.Job] = {}
_mine: set[Path] = set()
_ticks = 0
_finished: Callable[[jobs.Job], None] | None = None


def follow(job: jobs.Job) -> None:
    """Let a job that was begun here be shown, and finished here when it is done."""
    _known[job.folder] = job
    _mine.add(job.folder)


def all_jobs() -> list[jobs.Job]:
    """The jobs that are known, the newest first; without a window they are read anew."""
    if bpy.app.background or not _known:
        look_around()
    return sorted(_known.values(), key=lambda job: job.name, reverse=True)


def running(kind: str = "") -> jobs.Job | None:
    """The newest job that runs, of a kind where one is named."""
    return next((job for job in all_jobs() if job.state is jobs.State.RUNNING and kind in ("", job.order.kind)), None)


def forget(job: jobs.Job) -> None:
    """Drop a job that was removed."""
    _known.pop(job.folder, None)
    _mine.discard(job.folder)


def look_around() -> None:
    """Find the library's jobs again."""
    folder = preferences.jobs_folder()
    try:
        here = {path for path in folder.iterdir() if path.is_dir()}
    except OSError:
        here = set()
    for path in set(_known) - here:
        forget(_known[path])
    for path in here - set(_known):
        job = jobs.read(path)
        if job is not None:
            _known[path] = job
    for job in _known.values():
        job.refresh()


def when_finished(call: Callable[[jobs.Job], None] | None) -> None:
    """Name who is told that a job which was begun here is done."""
    global _finished
    _finished = call


def _tick() -> float:
    global _ticks
    _ticks += 1
    if _ticks % LOOK_AROUND == 1:
        look_around()
    changed = False
    for job in list(_known.values()):
        if job.refresh():
            changed = True
            if job.state is not jobs.State.RUNNING and job.folder in _mine:
                _mine.discard(job.folder)
                if _finished is not None:
                    _finished(job)
    if changed:
        compat.redraw(bpy.context.window_manager.windows)
    return EVERY


def register() -> None:
    """Called from the root: without a window nothing is watched, operators wait instead."""
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=1.0, persistent=True)


def unregister() -> None:
    """Called from the root; the jobs go on."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _known.clear()
    _mine.clear()
