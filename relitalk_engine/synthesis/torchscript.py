"""The tensors of a TorchScript archive, read without running or compiling anything that is in it."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
}


def is_torchscript(path: Path) -> bool:
    """Whether a file is an archive of that kind; a checkpoint has no code in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Parameters and buffers by their names in the module.

    Raises:
        ValueError: it holds something else than modules and tensors, or it is not whole.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(inside) as file:
                module = _Reader(file, archive, inside.removesuffix(".pkl")).load()
    except (StopIteration, KeyError, TypeError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError("its archive is not whole") from error
    except pickle.UnpicklingError as error:
        raise ValueError(f"it holds more than tensors: {error}") from error
    return dict(_tensors(module, ""))


class _Module:
    """Stands for any module: what it holds becomes its attributes."""


def _tensors(module: object, stem: str) -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield stem + name, value
        elif isinstance(value, _Module):
            yield from _tensors(value, f"{stem}{name}.")


def _tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
    return torch.as_strided(storage, size, stride, offset)


def _untyped(value: Any, *_: Any) -> Any:
    return value


class _Reader(pickle.Unpickler):
    """Makes modules and tensors, and refuses all else."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle":  # lists and tables with the type that they have in the code
            return _untyped
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is refused")

    def persistent_load(self, saved: Any) -> Tensor:
        _, dtype, key, *_ = saved
        return torch.frombuffer(bytearray(self._archive.read(f"{self._folder}/{key}")), dtype=dtype)
