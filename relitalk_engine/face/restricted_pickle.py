"""Reads arrays out of a pickle and runs nothing that it brings; FLAME's file is one, of Python 2 and chumpy."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReliTalkError

HINT = "Use the file as its makers publish it."


class Inert:
    """Stands for an object of another package: holds what the pickle says about it and does nothing."""

    def __init__(self, *_: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state) if isinstance(state, dict) else {}


class _Rebuild:
    """In place of copyreg's, which makes an object of any class."""

    __slots__ = ()

    def __call__(self, kind: Any, *_: Any) -> Inert:
        if kind is not Inert:
            raise pickle.UnpicklingError("it rebuilds an object of an unexpected kind")
        return Inert()


class _Encode:
    """In place of the codecs' own, which takes any codec: how Python 3 writes bytes into an old pickle."""

    __slots__ = ()

    def __call__(self, text: str, codec: str) -> bytes:
        if codec != "latin1":
            raise pickle.UnpicklingError(f"it asks for the codec {codec}")
        return text.encode("latin1")


_ARRAY, _SCALAR = np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _ARRAY,
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("scipy.sparse.csc", "csc_matrix"): Inert,
    ("scipy.sparse._csc", "csc_matrix"): Inert,
    ("copy_reg", "_reconstructor"): _Rebuild(),
    ("copyreg", "_reconstructor"): _Rebuild(),
    ("_codecs", "encode"): _Encode(),
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "chumpy":
            return Inert
        if (module, name) not in _ALLOWED:
            raise _Forbidden(f"{module}.{name}")
        return _ALLOWED[module, name]


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
    if not isinstance(value, Inert):
        return value
    state = value.state
    if "indptr" in state:
        from scipy.sparse import csc_matrix

        return csc_matrix((state["data"], state["indices"], state["indptr"]), state.get("_shape")).toarray()
    return _plain(state["x"])
