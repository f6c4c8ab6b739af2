"""Watches the library's jobs from a window: reads what they say twice a second, redraws, and tells when one is done.

A timer and no handler: jobs belong to the computer, so loading a file or starting Blender anew finds them again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty

from . import compat, jobs, preferences

EVERY = 0.5
LOOK_AROUND = 10
"""Ticks after which the folder is looked through for jobs of another Blender."""
COARSE = 5.0
"""Seconds within which a disk may give two changes of a folder the same time."""

_known: dict[Path, jobs.Job] = {}
_mine: set[Path] = set()
_ticks = 0
_seen: tuple[Path, float] | None = None
_finished: Callable[[jobs.Job], None] | None = None


class RELITALK_ListedJob(bpy.types.PropertyGroup):
    """A line of the panel Jobs; what it says is read from the job's folder."""

    name: StringProperty(name="Job", description="The name of the job's folder")


def follow(job: jobs.Job) -> None:
    """Let a job that was begun here be shown, and finished here when it is done."""
    _known[job.folder] = job
    _mine.add(job.folder)
    fill_list(job.name)


def all_jobs() -> list[jobs.Job]:
    """The jobs that are known, the newest first; without a window they are read anew."""
    if bpy.app.background or not _known:
        look_around()
    return sorted(_known.values(), key=lambda job: job.name, reverse=True)


def named(name: str) -> jobs.Job | None:
    """The job of a name."""
    found = _known.get(preferences.jobs_folder() / name)
    return found or next((job for job in all_jobs() if job.name == name), None)


def chosen() -> jobs.Job | None:
    """The job that is chosen in the panel Jobs."""
    manager = bpy.context.window_manager
    lines, index = manager.relitalk_jobs, manager.relitalk_job
    return named(lines[index].name) if 0 <= index < len(lines) else None


def running(kind: str = "") -> jobs.Job | None:
    """The newest job that runs or waits for its turn, of a kind where one is named."""
    return next((job for job in all_jobs() if not job.state.ended and kind in ("", job.order.kind)), None)


def making(result: Path) -> jobs.Job | None:
    """The job that makes a result now, or will."""
    return next((job for job in all_jobs() if not job.state.ended and Path(job.order.result) == result), None)


def coming() -> set[Path]:
    """The results that jobs are making."""
    return {Path(job.order.result) for job in all_jobs() if not job.state.ended}


def forget(job: jobs.Job) -> None:
    """Drop a job that was removed."""
    _known.pop(job.folder, None)
    _mine.discard(job.folder)
    fill_list()


def forget_all() -> None:
    """Know nothing, as after a start; what is in the library is found again."""
    global _seen
    _seen = None
    _known.clear()
    _mine.clear()


def look_around() -> bool:
    """Find the library's jobs again.

    Returns:
        Whether any came or went.
    """
    folder = preferences.jobs_folder()
    try:
        with os.scandir(folder) as entries:
            here = {folder / entry.name for entry in entries if entry.is_dir()}
    except OSError:
        here = set()
    gone = set(_known) - here
    for path in gone:
        del _known[path]
        _mine.discard(path)
    fresh = [job for job in map(jobs.read, here - set(_known)) if job is not None]
    _known.update({job.folder: job for job in fresh})
    if bpy.app.background:
        for job in _known.values():
            job.refresh()
    return bool(gone or fresh)


def fill_list(choose: str = "") -> None:
    """Bring the panel's list up to date; the chosen line stays chosen.

    Args:
        choose: the name of the job to choose.
    """
    manager = bpy.context.window_manager
    lines = manager.relitalk_jobs
    before = lines[manager.relitalk_job].name if 0 <= manager.relitalk_job < len(lines) else ""
    names = sorted((path.name for path in _known), reverse=True)
    if names != [line.name for line in lines]:
        lines.clear()
        for name in names:
            lines.add().name = name
    wanted = choose or before
    manager.relitalk_job = names.index(wanted) if wanted in names else min(manager.relitalk_job, max(len(names) - 1, 0))


def when_finished(call: Callable[[jobs.Job], None] | None) -> None:
    """Name who is told that a job which was begun here has ended."""
    global _finished
    _finished = call


def tick() -> float:
    """Read what the jobs said; the timer's call."""
    global _ticks
    _ticks += 1
    changed = _ticks % LOOK_AROUND == 1 and _folder_changed() and look_around()
    if changed or len(bpy.context.window_manager.relitalk_jobs) != len(_known):  # another file was loaded
        fill_list()
    for job in list(_known.values()):
        changed |= job.refresh()
        if job.state.ended and job.folder in _mine:  # somebody else may have read its end
            _mine.discard(job.folder)
            changed = True
            if _finished is not None:
                _finished(job)
    if changed:
        compat.redraw(bpy.context.window_manager.windows)
    return EVERY


def _folder_changed() -> bool:
    """Whether jobs may have come or gone since this was asked last."""
    global _seen
    folder = preferences.jobs_folder()
    try:
        stamp = folder.stat().st_mtime
    except OSError:
        stamp = 0.0
    before, _seen = _seen, (folder, stamp)
    return _seen != before or time.time() - stamp < COARSE


def register() -> None:
    """Called from the root: without a window nothing is watched, operators wait instead."""
    bpy.utils.register_class(RELITALK_ListedJob)
    manager = bpy.types.WindowManager
    manager.relitalk_jobs = CollectionProperty(type=RELITALK_ListedJob, options={"SKIP_SAVE"})
    manager.relitalk_job = IntProperty(
        name="Job", options={"SKIP_SAVE"}, description="The job that is shown below the list",
    )
    manager.relitalk_job_log = BoolProperty(
        name="Log", options={"SKIP_SAVE"}, description="Show the last words of the job's process",
    )
    if not bpy.app.background:
        bpy.app.timers.register(tick, first_interval=1.0, persistent=True)


def unregister() -> None:
    """Called from the root; the jobs go on."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    forget_all()
    for name in ("relitalk_jobs", "relitalk_job", "relitalk_job_log"):
        delattr(bpy.types.WindowManager, name)
    bpy.utils.unregister_class(RELITALK_ListedJob)
