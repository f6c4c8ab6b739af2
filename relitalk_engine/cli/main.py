"""From the command line to a command, and from whatever happens to an exit code and a sentence."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import TextIO

from ..errors import BUG, MACHINE, Cancelled, ReliTalkError
from ..events import Reporter
from . import arguments, stopping

LOG_FILE = "log.txt"
BUG_FILE = "bug.txt"
"""Where a job keeps what its mender needs, should the engine stumble."""

# Threads that wait by spinning take the cores from whatever else runs: a busy machine, Blender too, then crawls.
# Read once, when torch loads its OpenMP, so it has to stand before that.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `relitalk`; None: this process's own.

    Returns:
        0 done, 1 a bug, 2 the input or the call is wrong, 3 cancelled, 4 this machine lacks something.
    """
    words = sys.argv[1:] if argv is None else argv
    events, job = "--events" in words, _job(words)
    lines = _own_the_terminal(events, job) if argv is None else None
    try:
        reporter = Reporter(events, job, stdout=lines)
    except ReliTalkError as error:
        Reporter(events, stdout=lines).error(error)
        return error.exit_code
    try:
        parsed = arguments.build().parse_args(words)
        with stopping.on_request(reporter) as stop:
            from . import commands

            reporter.done(commands.run(parsed, reporter, stop))
        return 0
    except Cancelled:
        return _say(reporter, stopping.cancelled_error())
    except (ReliTalkError, KeyboardInterrupt, OSError, ImportError, MemoryError) as error:
        return _say(reporter, _sentence(error, reporter.job))
    except Exception as error:  # noqa: BLE001 - a bug: it is kept for its mender, and the user sees a sentence
        return _say(reporter, _sentence(error, reporter.job))
    finally:
        reporter.close()


def _say(reporter: Reporter, error: ReliTalkError) -> int:
    reporter.error(error)
    return error.exit_code


def _job(words: list[str]) -> Path | None:
    """--job's folder, found before the call is parsed, so that a wrong call is told to the job too."""
    for place, word in enumerate(words):
        if word.startswith("--job="):
            return Path(word[6:])
        if word == "--job" and place + 1 < len(words):
            return Path(words[place + 1])
    return None


def _own_the_terminal(events: bool, job: Path | None) -> TextIO | None:
    """Keep what libraries print in native code from coming between our lines; a job keeps it in `log.txt`.

    Returns:
        Where event lines go; None: stdout.
    """
    for name in ("GLOG_minloglevel", "TF_CPP_MIN_LOG_LEVEL"):
        os.environ.setdefault(name, "3")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
    sink = os.open(os.devnull, os.O_WRONLY)
    if job is not None:
        with contextlib.suppress(OSError):
            job.mkdir(parents=True, exist_ok=True)
            sink = os.open(job / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace", buffering=1)
    os.dup2(sink, 2)
    if not events:
        return None
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(sink, 1)
    return lines


def _sentence(error: BaseException, job: Path | None) -> ReliTalkError:
    """Whatever was raised, as a sentence with a hint and an exit code."""
    if isinstance(error, ReliTalkError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return stopping.cancelled_error()
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return ReliTalkError(
            "no_memory",
            "This machine ran out of memory.",
            "Use a smaller preset, a shorter clip, or --device cpu.",
            MACHINE,
        )
    if isinstance(error, ImportError) and not (error.name or "").startswith("relitalk_engine"):
        return ReliTalkError(
            "missing_part",
            f"A part of the engine is missing: {error}.",
            "Run relitalk doctor, and install the engine again.",
            MACHINE,
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ReliTalkError(
            "disk_full", f"The disk is full ({error.filename or 'while writing'}).", "Free some space.", MACHINE
        )
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ReliTalkError("no_permission", f"{error.filename} may not be read or written.", "Check its permissions.")
    return ReliTalkError(
        "bug",
        f"ReliTalk stumbled over itself ({type(error).__name__}: {error}).",
        f"This is a bug; {_kept(error, job)} says where it happened.",
        BUG,
    )


def _kept(error: BaseException, job: Path | None) -> Path:
    """Where the traceback is kept: in the job's folder, else in one for files of a short life."""
    words = "".join(traceback.format_exception(error))
    if job is not None:
        with contextlib.suppress(OSError):
            (job / BUG_FILE).write_text(words, encoding="utf-8")
            return job / BUG_FILE
    with tempfile.NamedTemporaryFile("w", prefix="relitalk-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(words)
    return Path(file.name)
