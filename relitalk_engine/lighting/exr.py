"""A small EXR reader and writer in numpy, for Pythons without OpenImageIO (Blender's own in 4.2's module is one).

Writes single-part RGB scan lines in float32 with ZIP compression; reads RGB scan lines, half or float, uncompressed or
ZIP. What it cannot read it leaves to OpenImageIO.

Source: openexr.com, "OpenEXR File Layout".
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import ReliTalkError
from .files import write_whole

MAGIC = b"\x76\x2f\x31\x01"
LINES = {0: 1, 2: 1, 3: 16}  # scan lines in a chunk: uncompressed, ZIPS, ZIP
TYPES: dict[int, np.dtype] = {1: np.dtype("<f2"), 2: np.dtype("<f4")}
UNUSUAL_FLAGS = ~(0xFF | 0x400)  # tiles, deep data, many parts


def write(path: str | Path, rgb: np.ndarray, comment: str = "") -> None:
    """Write [H, W, 3] as a float32 RGB EXR; it appears at its place when it is whole.

    Raises:
        ReliTalkError: the place cannot be written.
    """
    path = Path(path)
    height, width = rgb.shape[:2]
    data = np.ascontiguousarray(np.asarray(rgb, "<f4").transpose(0, 2, 1)[:, ::-1])  # lines of B, G, R
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = b"".join(name + b"\0" + struct.pack("<iB3xii", 2, 0, 1, 1) for name in (b"B", b"G", b"R")) + b"\0"
    header = MAGIC + struct.pack("<I", 2)
    for name, kind, value in (
        ("channels", "chlist", channels), ("compression", "compression", b"\x03"), ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window), ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)), ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)), ("comments", "string", comment.encode()),
    ):
        header += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
    header += b"\0"
    chunks = []
    for top in range(0, height, LINES[3]):
        raw = data[top : top + LINES[3]].tobytes()
        packed = zlib.compress(_predict(raw))
        packed = packed if len(packed) < len(raw) else raw
        chunks.append(struct.pack("<ii", top, len(packed)) + packed)
    offsets = np.cumsum([len(header) + 8 * len(chunks)] + [len(c) for c in chunks[:-1]], dtype="<u8")
    write_whole(path, header + offsets.tobytes() + b"".join(chunks))


def read(path: str | Path) -> np.ndarray | None:
    """Read the colour of a plain EXR.

    Returns:
        [H, W, 3] float32; None where the file is not an EXR of the plain kind above.

    Raises:
        ReliTalkError: it is one, but cut short or damaged.
    """
    path = Path(path)
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            return None
        content = MAGIC + file.read()
    try:
        return _parse(content)
    except (struct.error, zlib.error, ValueError, IndexError, KeyError) as error:
        raise ReliTalkError("not_an_image", f"{path} is a damaged EXR file.", "Give another copy of it.") from error


def _parse(content: bytes) -> np.ndarray | None:
    flags = struct.unpack_from("<I", content, 4)[0]
    if flags & UNUSUAL_FLAGS:
        return None
    attributes, at = _attributes(content, 8)
    compression = attributes["compression"][0]
    channels = _channels(attributes["channels"])
    if compression not in LINES or any(kind not in TYPES or step != (1, 1) for _, kind, step in channels):
        return None
    names = [name for name, _, _ in channels]
    if not all(colour in names for colour in "RGB"):
        return None
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    if width <= 0 or height <= 0 or attributes["dataWindow"] != attributes["displayWindow"]:
        return None
    rgb = np.empty((height, width, 3), np.float32)
    line = sum(TYPES[kind].itemsize for _, kind, _ in channels) * width
    lines = LINES[compression]
    for offset in np.frombuffer(content, "<u8", -(-height // lines), at):
        row, size = struct.unpack_from("<ii", content, int(offset))
        row -= top
        count = min(lines, height - row)
        raw = content[int(offset) + 8 : int(offset) + 8 + size]
        if compression and size < line * count:
            raw = _unpredict(zlib.decompress(raw))
        block, start = np.frombuffer(raw, np.uint8).reshape(count, line), 0
        for name, kind, _ in channels:
            end = start + TYPES[kind].itemsize * width
            if name in "RGB":
                values = np.ascontiguousarray(block[:, start:end]).view(TYPES[kind])
                rgb[row : row + count, :, "RGB".index(name)] = values
            start = end
    return rgb


def _attributes(content: bytes, at: int) -> tuple[dict[str, bytes], int]:
    """The header's values by name, and where it ends."""
    found = {}
    while content[at]:
        end = content.index(b"\0", at)
        name, at = content[at:end].decode(), content.index(b"\0", end + 1) + 1
        size = struct.unpack_from("<i", content, at)[0]
        if size < 0:
            raise ValueError("a negative size")
        found[name] = content[at + 4 : at + 4 + size]
        at += 4 + size
    return found, at + 1


def _channels(value: bytes) -> list[tuple[str, int, tuple[int, int]]]:
    """Name, type and sampling step of each channel, in the file's order."""
    found, at = [], 0
    while value[at]:
        end = value.index(b"\0", at)
        kind, _, *step = struct.unpack_from("<iB3xii", value, end + 1)
        found.append((value[at:end].decode(), kind, (step[0], step[1])))
        at = end + 17
    return found


def _predict(raw: bytes) -> bytes:
    """Even bytes before odd ones, then each as its difference from the one before, plus 128."""
    data = np.frombuffer(raw, np.uint8)
    data = np.concatenate([data[::2], data[1::2]])
    data[1:] = data[1:] - data[:-1] + np.uint8(128)
    return data.tobytes()


def _unpredict(raw: bytes) -> bytes:
    data = np.frombuffer(raw, np.uint8).astype(np.uint64)
    data[1:] += 128
    data = (np.cumsum(data) & 255).astype(np.uint8)
    half = (len(data) + 1) // 2
    out = np.empty_like(data)
    out[::2], out[1::2] = data[:half], data[half:]
    return out.tobytes()
