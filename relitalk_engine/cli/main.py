"""From the command line to a command, and from whatever happens to an exit code and a sentence."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path

from ..errors import BUG, MACHINE, Cancelled, ReliTalkError
from ..events import Reporter
from . import arguments, stopping


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `relitalk`; None: this process's own.

    Returns:
        0 done, 1 a bug, 2 the input or the call is wrong, 3 cancelled, 4 this machine lacks something.
    """
    words = sys.argv[1:] if argv is None else argv
    for name in ("GLOG_minloglevel", "TF_CPP_MIN_LOG_LEVEL"):  # mediapipe's chatter is no news to the user
        os.environ.setdefault(name, "3")
    try:
        reporter = Reporter("--events" in words, _job(words), stdout=_stdout(argv is None and "--events" in words))
    except ReliTalkError as error:
        Reporter("--events" in words).error(error)
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
        return _say(reporter, _sentence(error))
    except Exception as error:  # noqa: BLE001 - a bug: it is kept for its mender, and the user sees a sentence
        return _say(reporter, _sentence(error))
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


def _stdout(private: bool):
    """Where event lines go. In a process of our own, what a library prints must not come between them."""
    if not private:
        return None
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return lines


def _sentence(error: BaseException) -> ReliTalkError:
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
    with tempfile.NamedTemporaryFile("w", prefix="relitalk-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    return ReliTalkError(
        "bug",
        f"ReliTalk stumbled over itself ({type(error).__name__}: {error}).",
        f"This is a bug; {file.name} says where it happened.",
        BUG,
    )
