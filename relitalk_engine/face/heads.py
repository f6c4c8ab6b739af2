"""Loads a head model by its name: the one that ships, or one of the user's own files, converted once and kept."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from .. import weights
from ..errors import MissingPart, ReliTalkError
from .adapters import flame, ict
from .head_model import HeadModel

ADAPTERS = {"flame": flame.convert, "ict": ict.convert}
"""What makes a head model of the user's files; the registry of weights says where they lie."""
VERSION = 1
"""Of the adapters; a head converted by another one is converted again."""


def load_head(name: str = "anny") -> HeadModel:
    """The head model of that name.

    Converting a user's own files takes half a minute; the result is kept beside them.

    Args:
        name: "anny", "flame" or "ict"; or what a subject says, which for the last two ends in "-" and the first digits
            of the file's checksum, so that a subject is never read with another head than its own.

    Raises:
        MissingPart: the user's files are not here, or they are others than the subject's.
        ReliTalkError: no such head model, or its files are not what they should be.
    """
    kind, _, digest = name.partition("-")
    if kind == "anny":
        return HeadModel.read()
    if kind not in ADAPTERS:
        known = ", ".join(("anny", *ADAPTERS))
        raise ReliTalkError("head_model", f'There is no head model "{kind}".', f"Head models are {known}.")
    entry = weights.of_head(kind)
    source = entry.path()
    if not source.exists():
        raise MissingPart(
            "no_head_model",
            f'The head model "{kind}" is not here: {source} is missing.',
            f"Get {entry.name} from {entry.where} and put it there.",
        )
    head = _converted(kind, source)
    if digest and head.name != name:
        raise MissingPart(
            "other_head_model",
            f'The head model "{name}" is asked for, and {source} is "{head.name}".',
            "Put back the file that the subject was trained with, or train the subject again.",
        )
    return head


def problem(kind: str) -> str:
    """What is wrong with the user's files of a head model, told without converting them; empty: nothing."""
    source = weights.of_head(kind).path()
    try:
        if kind == "ict":
            ict.check(source, HeadModel.read())
        else:
            flame.read(source)
    except ReliTalkError as error:
        return error.message
    return ""


def _converted(kind: str, source: Path) -> HeadModel:
    kept = weights.folder() / f"{kind}.head.safetensors"
    stamp = f"{VERSION} {_stamp(source)}"
    if kept.is_file() and _note(kept) == stamp:
        return HeadModel.read(kept)
    head = ADAPTERS[kind](source, HeadModel.read())
    with contextlib.suppress(OSError):  # a folder that may only be read costs the conversion each time
        head.write(kept, source=stamp)
        return HeadModel.read(kept)
    with tempfile.TemporaryDirectory() as folder:  # through the file all the same: it rounds, and a fit remembers that
        head.write(Path(folder) / kept.name, source=stamp)
        return HeadModel.read(Path(folder) / kept.name)


def _stamp(source: Path) -> str:
    """Changes when a file or a folder's content does."""
    files = sorted(source.glob("*.obj")) if source.is_dir() else [source]
    stats = [path.stat() for path in files]
    newest = max((s.st_mtime_ns for s in stats), default=0)
    return f"{len(files)} {sum(s.st_size for s in stats)} {newest}"


def _note(path: Path) -> str:
    """What a converted head says it was made from; empty where it is no whole file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "numpy") as file:
            return (file.metadata() or {}).get("source", "")
    except (SafetensorError, OSError):
        return ""
