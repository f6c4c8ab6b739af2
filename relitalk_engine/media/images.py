"""Pictures in and out: the sRGB curve, PNG with straight alpha, EXR in half float, and what their metadata says."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReliTalkError
from .files import existing, replacing

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_HEAD = 33  # the signature and the IHDR chunk
HALF_MAX = 65504.0
TURNS = {3: (2, False), 6: (3, False), 8: (1, False), 2: (0, True), 4: (2, True), 5: (3, True), 7: (1, True)}


def srgb_to_linear(encoded: Any) -> Any:
    """Decode display-referred sRGB to linear light.

    Args:
        encoded: numpy array or torch tensor of any shape, 0..1 (values beyond follow the curve), or uint8 numpy.

    Returns:
        The same shape, float32 for uint8 input, else the input's type.

    Source: IEC 61966-2-1.
    """
    if isinstance(encoded, np.ndarray):
        if encoded.dtype == np.uint8:
            return _DECODED[encoded]
        bright = ((np.maximum(encoded, 0.0) + 0.055) / 1.055) ** 2.4
        return np.where(encoded <= 0.04045, encoded / 12.92, bright).astype(encoded.dtype, copy=False)
    bright = ((encoded.clamp(min=0.0) + 0.055) / 1.055) ** 2.4
    return encoded.div(12.92).where(encoded <= 0.04045, bright)


def linear_to_srgb(linear: Any) -> Any:
    """Encode linear light with the sRGB curve; the inverse of `srgb_to_linear`. Nothing is clipped.

    Args:
        linear: float numpy array or torch tensor of any shape.

    Returns:
        The same shape and type.

    Source: IEC 61966-2-1.
    """
    if isinstance(linear, np.ndarray):
        bright = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
        return np.where(linear <= 0.0031308, linear * 12.92, bright).astype(linear.dtype, copy=False)
    bright = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return linear.mul(12.92).where(linear <= 0.0031308, bright)


def encode_uint8(linear: np.ndarray) -> np.ndarray:
    """Linear light to display-referred 8 bit, clipped and rounded; gives back exactly what was decoded from 8 bit."""
    return np.rint(np.clip(linear_to_srgb(np.asarray(linear, np.float32)), 0.0, 1.0) * 255.0).astype(np.uint8)


_DECODED = srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture upright, as it is stored: nothing decoded, alpha straight.

    Returns:
        [H, W, C] with C 1 to 4: uint8 or uint16 for pictures of that depth, else float32 (EXR, HDR: linear light).

    Raises:
        ReliTalkError: no such file; not a picture.
    """
    import OpenImageIO as oiio

    path = existing(path, "picture")
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    source = oiio.ImageInput.open(str(path), config)
    pixels = None
    if source is not None:
        spec = source.spec()
        kind = {"uint8": "uint8", "uint16": "uint16"}.get(str(spec.format), "float")
        pixels = source.read_image(0, 0, 0, min(spec.nchannels, 4), kind)
        source.close()
    if pixels is None:
        oiio.geterror()  # else it is printed when the process ends
        raise ReliTalkError(
            "not_an_image", f"{path} is not a picture that can be read.", "Give a PNG, JPEG, TIFF, EXR or HDR file."
        )
    turns, flip = TURNS.get(spec.get_int_attribute("Orientation", 1), (0, False))
    pixels = pixels[:, ::-1] if flip else pixels
    return np.ascontiguousarray(np.rot90(pixels, turns))


def write_png(
    path: str | Path, pixels: np.ndarray, metadata: Mapping[str, str] | None = None, compression: int = 3
) -> None:
    """Write a PNG.

    Args:
        path: the file; it appears when it is whole.
        pixels: [H, W], or [H, W, C] with C 1, 3 (RGB) or 4 (RGBA, straight alpha); uint8 or uint16.
        metadata: text chunks by keyword, such as {"Comment": "Synthetic"}.
        compression: 0 to 9.

    Raises:
        ReliTalkError: the place cannot be written.
    """
    import cv2

    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), order)
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, compression])
    if not done:
        raise ValueError(f"a PNG cannot hold {pixels.shape} {pixels.dtype}")
    data = encoded.tobytes()
    text = b"".join(_text_chunk(key, value) for key, value in (metadata or {}).items())
    with replacing(path) as part:
        part.write_bytes(data[:PNG_HEAD] + text + data[PNG_HEAD:])


def write_exr(path: str | Path, channels: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write a single-part EXR, half float, ZIP-compressed.

    Args:
        path: the file; it appears when it is whole.
        channels: one [H, W] array a channel name, such as {"R": …, "G": …, "B": …, "A": …}; colour linear and, with
            an A channel, associated (premultiplied). Values that a half cannot hold are clamped to ±65504.
        metadata: string attributes, such as {"comment": "Synthetic"}.

    Raises:
        ReliTalkError: the place cannot be written.
    """
    import OpenImageIO as oiio

    names = tuple(channels)
    stacked = np.stack([np.asarray(a, np.float32).reshape(np.shape(a)[:2]) for a in channels.values()], axis=-1)
    pixels = np.ascontiguousarray(np.clip(stacked, -HALF_MAX, HALF_MAX).astype(np.float16))
    height, width, count = pixels.shape
    spec = oiio.ImageSpec(width, height, count, "half")
    spec.channelnames = names
    if "A" in names:
        spec.alpha_channel = names.index("A")
    spec.attribute("compression", "zip")
    spec.attribute("DateTime", "")  # the same picture is the same file
    for key, value in (metadata or {}).items():
        spec.attribute(key, str(value))
    with replacing(path) as part:
        out = oiio.ImageOutput.create(str(part))
        written = bool(out) and out.open(str(part), spec) and out.write_image(pixels) and out.close()
        if not written:
            raise ReliTalkError("unwritable", f"{path} cannot be written: {oiio.geterror()}.", "Name another place.")


def read_exr(path: str | Path) -> dict[str, np.ndarray]:
    """Read every channel of every part of an EXR.

    Returns:
        [H, W] float32 by channel name; channels of a named part that would clash are called "part.channel".

    Raises:
        ReliTalkError: no such file; not an EXR.
    """
    import OpenImageIO as oiio

    path = existing(path, "picture")
    source = oiio.ImageInput.open(str(path))
    if source is None or source.format_name() != "openexr":
        oiio.geterror()
        raise ReliTalkError("not_an_image", f"{path} is not an EXR file.", "Give an EXR file.")
    found: dict[str, np.ndarray] = {}
    part = 0
    while source.seek_subimage(part, 0):
        spec = source.spec()
        pixels = source.read_image(part, 0, 0, spec.nchannels, "float")
        if pixels is None:
            raise ReliTalkError("not_an_image", f"{path} is damaged: {source.geterror()}.", "Make it again.")
        title = spec.get_string_attribute("oiio:subimagename") or str(part)
        for index, name in enumerate(spec.channelnames):
            found[f"{title}.{name}" if name in found else name] = pixels[..., index]
        part += 1
    source.geterror()  # the end of the parts is an error to it
    source.close()
    return found


def read_metadata(path: str | Path) -> dict[str, str]:
    """What the text metadata of a PNG, EXR or video file says, by keyword.

    Raises:
        ReliTalkError: no such file.
    """
    path = existing(path, "picture")
    with path.open("rb") as file:
        if file.read(8) == PNG_SIGNATURE:
            return _png_text(file)
    import av
    import OpenImageIO as oiio

    source = oiio.ImageInput.open(str(path))
    if source is not None:
        attributes = source.spec().extra_attribs
        found = {a.name: a.value for a in attributes if isinstance(a.value, str)}
        source.close()
        return found
    oiio.geterror()
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            return {key: value for key, value in container.metadata.items()}
    except (av.error.FFmpegError, OSError):
        return {}


def _text_chunk(key: str, value: str) -> bytes:
    body = b"iTXt" + key.encode("latin-1")[:79] + b"\0\0\0\0\0" + str(value).encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _png_text(file: Any) -> dict[str, str]:
    found = {}
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind in (b"IDAT", b"IEND"):
            break
        body = file.read(size + 4)[:size]
        key, _, rest = body.partition(b"\0")
        if kind == b"tEXt":
            found[key.decode("latin-1")] = rest.decode("latin-1")
        elif kind == b"iTXt" and rest[:1] == b"\0":
            found[key.decode("latin-1")] = rest[2:].split(b"\0", 2)[2].decode("utf-8", "replace")
    return found
