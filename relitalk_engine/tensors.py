"""Safetensors read with numpy alone, as Blender brings no safetensors; every length is checked first."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ReliTalkError

HINT = "Make it again."
_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def _header(path: Path) -> tuple[dict[str, Any], int]:
    try:
        with open(path, "rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
            size = path.stat().st_size
            if not 2 <= length <= size - 8:
                raise ValueError("its header does not fit its length")
            table = json.loads(file.read(length))
        table.pop("__metadata__", None)
        for entry in table.values():
            begin, end = entry["data_offsets"]
            item = np.dtype(_DTYPES[entry["dtype"]]).itemsize
            if not 0 <= begin <= end <= size - 8 - length or math.prod(entry["shape"]) * item != end - begin:
                raise ValueError("a tensor does not fit its length")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReliTalkError("bad_tensors", f"{path} is not a whole safetensors file ({error}).", HINT) from error
    return table, 8 + length


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a safetensors file, read from its header alone.

    Raises:
        ReliTalkError: not a whole safetensors file.
    """
    return {name: tuple(entry["shape"]) for name, entry in _header(path)[0].items()}


def read_tensors(path: Path, names: list[str] | None = None) -> dict[str, np.ndarray]:
    """Read arrays of a safetensors file with numpy alone (Blender brings no safetensors).

    Args:
        path: the file.
        names: which; None: all.

    Raises:
        ReliTalkError: not a whole safetensors file, or a name is not in it.
    """
    table, data = _header(path)
    arrays = {}
    with open(path, "rb") as file:
        for name in names if names is not None else list(table):
            if name not in table:
                raise ReliTalkError("bad_tensors", f'{path} holds no "{name}".', HINT)
            entry = table[name]
            begin, end = entry["data_offsets"]
            file.seek(data + begin)
            arrays[name] = np.frombuffer(file.read(end - begin), _DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
    return arrays
