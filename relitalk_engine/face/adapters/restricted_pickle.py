"""Reads arrays out of a pickle and runs nothing that it brings; FLAME's file is one, of Python 2 and chumpy.

Not even numpy's own unpickling runs, which believes what a pickle says about object arrays: every class and function
that the pickle names is a stand-in of ours.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ReliTalkError

HINT = "Use the file as its makers publish it."


class Inert:
    """Stands for an object of another package: holds what the pickle says about it and does nothing."""

    def __init__(self, *_: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state) if isinstance(state, dict) else {}


class _Dtype:
    """Stands for a dtype: plain numbers only."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[<>=|]?[biuf]\d{1,2}", code):
            raise pickle.UnpicklingError("it holds an array of something else than numbers")
        self.numbers = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self.numbers = self.numbers.newbyteorder(state[1])


class _Array:
    """Stands for an array, filled from its bytes."""

    def __init__(self, *_: Any) -> None:
        self.values = np.zeros(0)

    def __setstate__(self, state: tuple) -> None:
        shape, kind, by_columns, content = state[-4:]
        self.values = _numbers(kind, content).reshape(shape, order="F" if by_columns else "C")


def _numbers(kind: Any, content: Any) -> np.ndarray:
    if not isinstance(kind, _Dtype):
        raise pickle.UnpicklingError("it holds an array of something else than numbers")
    return np.frombuffer(content.encode("latin1") if isinstance(content, str) else content, kind.numbers)


class _Rebuild:
    """In place of copyreg's and numpy's, which make an object of any class."""

    __slots__ = ()

    def __call__(self, kind: Any, *_: Any) -> Any:
        if kind not in (Inert, _Array):
            raise pickle.UnpicklingError("it rebuilds an object of an unexpected kind")
        return kind()


class _Scalar:
    """In place of numpy's."""

    __slots__ = ()

    def __call__(self, kind: Any, content: Any) -> Any:
        return _numbers(kind, content)[0]


class _Encode:
    """In place of the codecs' own, which takes any codec: how Python 3 writes bytes into an old pickle."""

    __slots__ = ()

    def __call__(self, text: str, codec: str) -> bytes:
        if codec != "latin1":
            raise pickle.UnpicklingError(f"it asks for the codec {codec}")
        return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Rebuild(),
    ("numpy._core.multiarray", "_reconstruct"): _Rebuild(),
    ("numpy.core.multiarray", "scalar"): _Scalar(),
    ("numpy._core.multiarray", "scalar"): _Scalar(),
    ("scipy.sparse.csc", "csc_matrix"): Inert,
    ("scipy.sparse._csc", "csc_matrix"): Inert,
    ("copy_reg", "_reconstructor"): _Rebuild(),
    ("copyreg", "_reconstructor"): _Rebuild(),
    ("_codecs", "encode"): _Encode(),
    ("__builtin__", "object"): Inert,
    ("builtins", "object"): Inert,
    ("__builtin__", "set"): Inert,
    ("builtins", "set"): Inert,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "chumpy":
            return Inert
        if (module, name) not in _STAND_INS:
            raise _Forbidden(f"{module}.{name}")
        return _STAND_INS[module, name]


class _Forbidden(pickle.UnpicklingError):
    """The pickle asks for something that no array needs."""


def read_arrays(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle, its arrays as numpy's; what is neither array nor number is left as it is.

    Chumpy's arrays become what they hold, sparse matrices become dense.

    Args:
        path: a pickle of Python 2 or 3.

    Raises:
        ReliTalkError: it asks for anything but arrays (which then does not run), or it is no whole pickle.
    """
    try:
        with open(path, "rb") as file:
            table = _Unpickler(file, encoding="latin1").load()
        if not isinstance(table, dict):
            raise pickle.UnpicklingError("it holds no table")
        return {str(key): _plain(value) for key, value in table.items()}
    except _Forbidden as error:
        raise ReliTalkError(
            "unsafe_file", f"{path} asks to run {error}, which is no part of a head model. Nothing of it was run.", HINT
        ) from error
    except (
        *(pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError),
        *(MemoryError, OverflowError, RecursionError, NotImplementedError),
    ) as error:
        raise ReliTalkError("bad_pickle", f"{path} is not a whole pickle of arrays ({error}).", HINT) from error


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.values
    if not isinstance(value, Inert):
        return value
    state = {name: _plain(part) for name, part in value.state.items() if name in _HELD}
    if "indptr" in state:
        dense = np.zeros(state["_shape"])
        columns = np.repeat(np.arange(dense.shape[1]), np.diff(state["indptr"]))
        np.add.at(dense, (state["indices"], columns), state["data"])  # numpy minds the bounds, scipy would not
        return dense
    return state.get("x", value)


_HELD = ("x", "data", "indices", "indptr", "_shape")
"""What chumpy's arrays and scipy's sparse matrices keep their numbers in."""
