"""Result folders: built beside their place, moved in whole, read with their schema checked. Standard library only."""

from __future__ import annotations

import json
import math
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

from .errors import ReliTalkError
from .events import process_alive, process_started

BUILDER_FILE = "building.json"


def building_place(folder: Path) -> Path:
    """Where a result folder is built until it is whole."""
    folder = Path(os.path.abspath(folder))
    return folder.with_name(folder.name + ".building")


def check_place(folder: Path, force: bool, what: str) -> None:
    """Check that a result may be written at `folder`, before any work is done.

    Raises:
        ReliTalkError: it exists and `force` is not given, or its parent cannot be written.
    """
    folder = Path(os.path.abspath(folder))
    if folder.exists() or folder.is_symlink():
        if not force:
            raise ReliTalkError(
                "exists",
                f"There is something at {folder} already.",
                f"Name another place for the {what} with -o, or add --force to replace it.",
            )
        if what in ("subject", "take") and not _replaceable(folder, f"{what}.json"):
            raise ReliTalkError(
                "not_ours",
                f"{folder} is not a {what}, so --force does not replace it.",
                "Name another place with -o.",
            )
    parent = folder.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not _writable(parent):
        raise ReliTalkError(
            "unwritable",
            f"The {what} cannot be written: {parent} is not a folder that you may write to.",
            "Name another place with -o.",
        )


def _replaceable(folder: Path, marker: str) -> bool:
    return folder.is_dir() and ((folder / marker).is_file() or not any(folder.iterdir()))


def _writable(folder: Path) -> bool:
    """Whether a folder can be made in `folder`; os.access is not asked, as it lies for root and on network drives."""
    probe = folder / f".relitalk-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def begin(folder: Path, what: str, keep: bool = False) -> Path:
    """Open the place beside `folder` where it is built.

    Args:
        folder: the result's final place.
        what: "subject" or "take", for the sentence.
        keep: go on with what an earlier run left there.

    Returns:
        The building folder; it holds the id of this process so that two do not build the same result.

    Raises:
        ReliTalkError: another process builds it now, or the place cannot be written.
    """
    building = building_place(folder)
    owner = building / BUILDER_FILE
    try:
        theirs = json.loads(owner.read_text(encoding="utf-8"))
        pid, began = int(theirs["pid"]), theirs.get("started")
    except (OSError, ValueError, KeyError, TypeError):
        pid, began = 0, None
    if pid and pid != os.getpid() and process_alive(pid, began):
        raise ReliTalkError(
            "busy",
            f"Process {pid} is making this {what} now, in {building}.",
            "Wait for it, or cancel it first.",
        )
    try:
        if building.exists() and not keep:
            shutil.rmtree(building)
        building.mkdir(parents=True, exist_ok=True)
        write_json(owner, {"pid": os.getpid(), "started": process_started(os.getpid())})
    except OSError as error:
        raise ReliTalkError(
            "unwritable",
            f"The {what} cannot be written at {building} ({error.strerror or error}).",
            "Name another place with -o.",
        ) from error
    return building


def finish(building: Path, folder: Path) -> None:
    """Move a folder that is whole to its place; what stood there goes only once the new one stands."""
    folder = Path(os.path.abspath(folder))
    (building / BUILDER_FILE).unlink(missing_ok=True)
    old = folder.with_name(folder.name + ".replaced")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    try:
        os.replace(building, folder)
    except OSError:
        if old.exists():
            os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: Path, table: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def read_json(path: Path, schema: int, what: str) -> Fields:
    """Read a JSON file of ours and check its schema number.

    Raises:
        ReliTalkError: missing, unreadable, not JSON, not ours, or of a newer schema.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReliTalkError(
            f"not_a_{what}",
            f"{path.parent} is not a {what}: it holds no {path.name}.",
            f"Name the folder of a {what}.",
        ) from None
    except NotADirectoryError:
        raise ReliTalkError(
            f"not_a_{what}",
            f"{path.parent} is a file; a {what} is a folder.",
            f"Name the folder of a {what}.",
        ) from None
    except (OSError, ValueError) as error:
        raise ReliTalkError(f"bad_{what}", f"{path} cannot be read: {error}.", f"Make the {what} again.") from error
    number = table.get("schema") if isinstance(table, dict) else None
    if not isinstance(number, int) or number < 1:
        raise ReliTalkError(f"bad_{what}", f"{path} carries no schema number.", f"Make the {what} again.")
    if number > schema:
        raise ReliTalkError(
            "newer_schema",
            f"{path} was written by a newer ReliTalk (schema {number}; this one reads {schema}).",
            "Update ReliTalk.",
        )
    return Fields(table, path, what)


class Fields:
    """The fields of a JSON file, each checked before it is believed."""

    def __init__(self, table: dict[str, Any], path: Path, what: str) -> None:
        self.table = table
        self.path = path
        self.what = what

    def wrong(self, key: str, why: str) -> ReliTalkError:
        """The error that names the file and the field."""
        return ReliTalkError(f"bad_{self.what}", f'{self.path}: "{key}" {why}.', f"Make the {self.what} again.")

    def _get(self, key: str, kind: type | tuple[type, ...], says: str) -> Any:
        value = self.table.get(key)
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise self.wrong(key, f"must be {says}, and is {value!r}")
        return value

    def text(self, key: str) -> str:
        """A string."""
        return self._get(key, str, "a text")

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        if default is not None and self.table.get(key) is None:
            return default
        value = float(self._get(key, (int, float), "a number"))
        if not math.isfinite(value):
            raise self.wrong(key, "must be finite")
        return value

    def count(self, key: str, least: int = 0) -> int:
        """A whole number of at least `least`."""
        value = self._get(key, int, "a whole number")
        if value < least:
            raise self.wrong(key, f"must be {least} or more, and is {value}")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        return self._get(key, bool, "true or false")

    def part(self, key: str) -> dict[str, Any]:
        """A table; missing is empty."""
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings; missing is empty."""
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "must be a list of texts")
        return value

    def integers(self, key: str, length: int, least: int | None = None) -> tuple[int, ...]:
        """So many whole numbers."""
        value = self._get(key, list, f"{length} whole numbers")
        if len(value) != length or any(type(item) is not int for item in value):
            raise self.wrong(key, f"must be {length} whole numbers, and is {value!r}")
        if least is not None and min(value) < least:
            raise self.wrong(key, f"must be {least} or more each, and is {value!r}")
        return tuple(value)

    def rate(self, key: str) -> Fraction:
        """A frame rate [n, d]."""
        over, under = self.integers(key, 2, least=1)
        return Fraction(over, under)

    def boxes(self, key: str, count: int) -> list[tuple[int, int, int, int]]:
        """One [x, y, w, h] a frame; missing is empty."""
        value = self.table.get(key, [])
        fits = isinstance(value, list) and len(value) in (0, count)
        if not fits or any(not isinstance(b, list) or len(b) != 4 or any(type(c) is not int for c in b) for b in value):
            raise self.wrong(key, f"must be one box of four whole numbers for each of {count} frames")
        return [(b[0], b[1], b[2], b[3]) for b in value]
