"""Files that appear whole or not at all. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ReliTalkError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it in.

    Raises:
        ReliTalkError: the place cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise ReliTalkError(
            "unwritable", f"{path} cannot be written: {error.strerror or error}.", "Name another place."
        ) from error
    finally:
        if part.exists():
            part.unlink()
