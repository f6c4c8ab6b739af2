"""What all tests share: the sample that ships, the data beside the repository where it is there, a VOCA of no use."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is loaded

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def sample_clip() -> Path:
    return ROOT / "presets" / "sample" / "sample.mp4"


@pytest.fixture(scope="session")
def sample_voice() -> Path:
    return ROOT / "presets" / "sample" / "sentence.wav"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the data folder beside the repository is not here")
    return folder


@pytest.fixture(scope="session")
def voca_arrays() -> dict[str, np.ndarray]:
    """Random weights under the names of VOCA's published checkpoint."""
    hears, speaks = "VOCA/SpeechEncoder/", "VOCA/ExpressionLayer/expression_offset/"
    draw = np.random.default_rng(0)
    shapes = {f"{hears}batch_norm/{part}": (1,) for part in ("gamma", "beta", "moving_mean", "moving_variance")}
    wide = (37, 32, 32, 64, 64)
    for k in range(4):
        shapes[f"{hears}conv{k + 1}/weights"] = (3, 1, wide[k], wide[k + 1])
        shapes[f"{hears}conv{k + 1}/biases"] = (wide[k + 1],)
    for stem, sides in ((f"{hears}fc1/", (72, 128)), (f"{hears}fc2/", (128, 50)), (speaks, (50, 3 * 5023))):
        shapes[stem + "weights"], shapes[stem + "biases"] = sides, sides[1:]
    found = {name: draw.normal(0, 0.15, shape).astype(np.float32) for name, shape in shapes.items()}
    found[f"{hears}batch_norm/moving_variance"] = np.array([4.0], np.float32)
    found[speaks + "weights"] *= 0.01
    found[speaks + "biases"] *= 0.001
    return found


@pytest.fixture(scope="session")
def write_bundle():
    """See `_write_bundle`."""
    return _write_bundle


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A table's block as LevelDB has them: keys share what the one before them began with."""
    data, before, restarts = b"", b"", []
    for k, (key, value) in enumerate(entries):
        shared = 0
        if k % 4:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        else:
            restarts.append(len(data))
        data += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        before = key
    return data + b"".join(struct.pack("<I", r) for r in restarts) + struct.pack("<I", len(restarts))


def _write_bundle(index, arrays: dict[str, np.ndarray]) -> None:
    """Arrays as TensorFlow's saver writes them, in two blocks."""
    data, entries = b"", [(b"", b"\x08\x01")]
    for name, value in sorted(arrays.items()):
        shape = b"".join(b"\x12" + _varint(len(side)) + side for side in (b"\x08" + _varint(n) for n in value.shape))
        entry = b"\x08\x01\x12" + _varint(len(shape)) + shape
        if data:
            entry += b"\x20" + _varint(len(data))
        entries.append((name.encode(), entry + b"\x28" + _varint(value.nbytes) + b"\x35" + bytes(4)))
        data += value.astype("<f4").tobytes()
    file, handles = b"", []
    for part in (entries[:7], entries[7:]):
        content = _block(part)
        handles.append((part[-1][0], _varint(len(file)) + _varint(len(content))))
        file += content + bytes(5)
    content = _block(handles)
    place = _varint(len(file)) + _varint(0) + _varint(len(file)) + _varint(len(content))
    file += content + bytes(5) + place.ljust(40, b"\0") + 0xDB4775248B80FB57.to_bytes(8, "little")
    index.write_bytes(file)
    index.with_name(index.name.replace(".index", ".data-00000-of-00001")).write_bytes(data)
