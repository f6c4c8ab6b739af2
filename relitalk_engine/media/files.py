"""What every reader and writer here shares: is there a file, and moving a finished one into its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ReliTalkError


def existing(path: str | Path, what: str) -> Path:
    """Check that a file is there.

    Args:
        path: the file.
        what: what it should be, for the sentence: "video", "sound", "picture".

    Raises:
        ReliTalkError: nothing is there, or a folder is, or it may not be read.
    """
    path = Path(path)
    if path.is_dir():
        raise ReliTalkError("not_a_file", f"{path} is a folder, not a {what} file.", f"Name the {what} file itself.")
    if not path.exists():
        raise ReliTalkError("no_such_file", f"There is no {what} file at {path}.", "Check the path.")
    if not os.access(path, os.R_OK):
        raise ReliTalkError("unreadable", f"The {what} file {path} may not be read.", "Check its permissions.")
    return path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a place beside `path` to write to, and move what was written there in when the block ends well.

    Yields:
        A path with the same suffix in the same folder. It is deleted if the block raises.

    Raises:
        ReliTalkError: the place cannot be written to.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise ReliTalkError(
            "unwritable", f"{path} cannot be written: {error.strerror or error}.", "Name another place."
        ) from error
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
