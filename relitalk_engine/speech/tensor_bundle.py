"""Arrays of a TensorFlow checkpoint, read without TensorFlow: a sorted table of names beside files of plain bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

INDEX = ".index"
_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_FOOTER = 48
_TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}


def shard(index: Path, number: int = 0, count: int = 1) -> Path:
    """The file of bytes that belongs to an index."""
    return index.with_name(f"{index.name.removesuffix(INDEX)}.data-{number:05d}-of-{count:05d}")


def read_bundle(index: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Read some arrays of a checkpoint.

    Args:
        index: the file that ends in .index; the .data files lie beside it.
        names: the variables' names.

    Raises:
        ValueError: it is no such checkpoint or not whole, or a name is not in it.
        OSError: a file cannot be read.

    Source: the tensor bundle's format: protocol buffers in a table as LevelDB has them.
    """
    try:
        table = dict(_table(index.read_bytes()))
        count = _fields(table[""]).get(1, 1)
        return {name: _array(index, count, table, name) for name in names}
    except (IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError("it is not a whole index of a TensorFlow checkpoint") from error


def _array(index: Path, count: int, table: dict[str, bytes], name: str) -> np.ndarray:
    if name not in table:
        raise ValueError(f"it has no {name}")
    entry = _fields(table[name])
    kind = _TYPES[entry.get(1, 0)]
    shape = [_fields(side).get(1, 0) for side in _repeated(entry.get(2, b""), 2)]
    size = entry.get(5, 0)
    if math.prod(shape) * np.dtype(kind).itemsize != size:
        raise ValueError(f"{name} does not fit its length")
    with open(shard(index, entry.get(3, 0), count), "rb") as file:
        file.seek(entry.get(4, 0))
        data = file.read(size)
    if len(data) != size:
        raise ValueError(f"{file.name} ends before {name} does")
    return np.frombuffer(data, kind).reshape(shape)


def _table(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Keys and values of a whole table."""
    if len(data) < _FOOTER or not data.endswith(_MAGIC):
        raise ValueError("it is no index of a TensorFlow checkpoint")
    at = len(data) - _FOOTER
    for _ in range(2):  # the place of what is known of the table, not wanted here
        _, at = _varint(data, at)
    for _, place in _block(data, at):
        yield from ((key.decode(), value) for key, value in _block(place, 0, data))


def _block(place: bytes, at: int, data: bytes | None = None) -> list[tuple[bytes, bytes]]:
    """Entries of the block whose offset and size stand at ``at``; each key goes on from the one before."""
    data = place if data is None else data
    start, at = _varint(place, at)
    size, _ = _varint(place, at)
    if start + size >= len(data):
        raise IndexError
    if data[start + size]:
        raise ValueError("its index is compressed, as no published one is")
    end = start + size - 4 * (1 + int.from_bytes(data[start + size - 4 : start + size], "little"))
    entries, key, at = [], b"", start
    while at < end:
        shared, at = _varint(data, at)
        more, at = _varint(data, at)
        length, at = _varint(data, at)
        key = key[:shared] + data[at : at + more]
        entries.append((key, data[at + more : at + more + length]))
        at += more + length
    return entries


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A whole number of seven bits a byte, and where it ends."""
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


def _all_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        yield tag >> 3, message[at : at + size]
        at += size


def _fields(message: bytes) -> dict:
    """Numbers of a message's fields to their values, the last where there are several."""
    return dict(_all_fields(message))


def _repeated(message: bytes, number: int) -> list[bytes]:
    return [value for key, value in _all_fields(message) if key == number and isinstance(value, bytes)]
