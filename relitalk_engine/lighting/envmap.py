"""Environments: panoramas read and checked, and brought to the small environment that a light carries.

Panoramas, in files and in memory, are laid out as Blender's equirectangular ones: row 0 at the top, and with world axes
X right, Y into the scene, Z up, u = 0.5 − atan2(Y, X) / 2π and v = 0.5 + asin(Z) / π (v upwards). The centre column is
+X; the camera looks along +Y, which is a quarter of the width from the left. The camera frame is (X, Z, −Y).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingPart, ReliTalkError
from . import exr

ENVIRONMENT_SIZE = (32, 64)
RADIANCE_FORMATS = ("half", "float", "double")


def directions(height: int, width: int) -> np.ndarray:
    """Unit vectors to the texel centres, [H, W, 3] float64, camera frame."""
    azimuth = np.pi * (1.0 - 2.0 * (np.arange(width) + 0.5) / width)
    elevation = np.pi * (0.5 - (np.arange(height) + 0.5) / height)[:, None]
    level = np.cos(elevation)
    x, y, z = level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation) + 0.0 * azimuth
    return np.stack([x, z, -y], axis=-1)


def texel(direction: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a direction falls on a panorama.

    Args:
        direction: [..., 3] unit vectors, camera frame.
        height: rows.
        width: columns.

    Returns:
        Row and column, [...] each, fractional, texel centres at whole numbers.
    """
    x, y, z = direction[..., 0], -direction[..., 2], direction[..., 1]
    column = (0.5 - np.arctan2(y, x) / (2.0 * np.pi)) * width - 0.5
    row = (0.5 - np.arcsin(np.clip(z, -1.0, 1.0)) / np.pi) * height - 0.5
    return row, column


def solid_angles(height: int, width: int) -> np.ndarray:
    """Solid angle of each texel, [H, W] float64, exact: they sum to 4π."""
    band = -np.diff(np.sin(np.pi * (0.5 - np.arange(height + 1) / height)))
    return np.broadcast_to(band[:, None] * (2.0 * np.pi / width), (height, width)).copy()


def to_environment(
    panorama: np.ndarray, rotation_deg: float = 0.0, strength: float = 1.0, size: tuple[int, int] = ENVIRONMENT_SIZE
) -> np.ndarray:
    """Turn a panorama about the vertical and bring it to a small size, keeping its energy.

    Down the rows each texel is the mean over its solid angle; along them the light of each column is shared between its
    two neighbours by their distance, so that the smallest sun is neither missed nor stuck when the panorama turns by
    less than a texel.

    Args:
        panorama: [H, W, 3] radiance.
        rotation_deg: as Blender's Mapping node: the radiance seen along d is the panorama's at R_z(deg)·d.
        strength: factor on the radiance.
        size: rows and columns of the result.

    Returns:
        [*size, 3] float32.
    """
    height, width = panorama.shape[:2]
    rows = _row_shares(height, size[0])
    columns = _column_shares(width, size[1], rotation_deg / 360.0)
    image = np.asarray(panorama, np.float32)
    narrow = (rows.astype(np.float32) @ image.reshape(height, -1)).reshape(size[0], width, 3)
    small = np.einsum("hwc,ow->hoc", narrow, columns, optimize=True)
    return (small * strength).astype(np.float32)


def _row_shares(source: int, target: int) -> np.ndarray:
    """Share of each target row's solid angle that each source row fills, [target, source]."""
    fine, coarse = (np.sin(np.pi * (0.5 - np.arange(n + 1) / n)) for n in (source, target))
    top = np.minimum(fine[:-1], coarse[:-1, None])
    bottom = np.maximum(fine[1:], coarse[1:, None])
    return np.maximum(top - bottom, 0.0) / (coarse[:-1] - coarse[1:])[:, None]


def _column_shares(source: int, target: int, turn: float) -> np.ndarray:
    """Weight of each source column in each target column after a turn to the right, [target, source]; rows sum to 1."""
    splits = target // math.gcd(source, target)  # so that a constant stays one
    centres = (np.arange(source * splits) + 0.5) / (source * splits) + turn
    left = np.floor(centres * target - 0.5)
    share = centres * target - 0.5 - left
    share = np.round(share, 9)  # whole texels stay whole
    weights = np.zeros((target, source))
    column = np.repeat(np.arange(source), splits)
    np.add.at(weights, (left.astype(int) % target, column), 1.0 - share)
    np.add.at(weights, ((left.astype(int) + 1) % target, column), share)
    return weights * target / (source * splits)


def read_panorama(path: str | Path) -> np.ndarray:
    """Read a panorama and check that it is one.

    An ordinary picture (`is_ordinary`) is taken as sRGB, so that none of its lights is brighter than white.

    Returns:
        [H, W, 3] float32 radiance, linear.

    Raises:
        ReliTalkError: no such file; not an image; not twice as wide as high; NaN, infinite or negative values.
        MissingPart: the file needs OpenImageIO and it is not there.
    """
    path = Path(path)
    if not path.is_file():
        raise ReliTalkError("no_such_file", f"There is no panorama at {path}.", "Check the path.")
    image = exr.read(path)
    if image is None:
        image = _read_any(path)
    height, width = image.shape[:2]
    if abs(width - 2 * height) > 1:
        raise ReliTalkError(
            "bad_panorama", f"{path} is {width}×{height}; a full panorama is twice as wide as it is high.",
            "Give an equirectangular (latitude-longitude) panorama.",
        )
    return checked_radiance(image, path)


def checked_radiance(image: np.ndarray, path: str | Path) -> np.ndarray:
    """Refuse radiance that cannot be.

    The faint negative values that lossy compression leaves (Blender's own worlds have some) become 0.

    Args:
        image: [H, W, 3] float.
        path: the file's name, for the sentence.

    Returns:
        The image, zero or more everywhere.

    Raises:
        ReliTalkError: a value is NaN, infinite or truly negative.
    """
    faint = -0.1 * float(np.mean(image, where=np.isfinite(image))) if np.isfinite(image).any() else 0.0
    kinds = (
        (np.isnan(image), "not a number"), (np.isinf(image), "infinite"), (image < min(faint, 0.0), "negative"),
    )
    for wrong, word in kinds:
        if wrong.any():
            row, column = np.argwhere(wrong)[0][:2]
            raise ReliTalkError(
                "bad_panorama", f"{path} has {int(wrong.sum())} values that are {word}, the first at column {column}, "
                f"row {row}.", "Radiance is finite and zero or more: repair the image or render it again.",
            )
    return np.maximum(image, 0.0)


def _read_any(path: Path) -> np.ndarray:
    """Read the first part with colour through OpenImageIO, [H, W, 3] float32."""
    try:
        import OpenImageIO as oiio
    except ImportError as error:
        raise MissingPart(
            "no_openimageio", f"Reading {path.name} needs OpenImageIO, which is not there.",
            "Install OpenImageIO, or save the panorama as an EXR with ZIP compression.",
        ) from error
    source: Any = oiio.ImageInput.open(str(path))
    if source is None:
        oiio.geterror()  # else it is printed when the process ends
        raise ReliTalkError(
            "not_an_image", f"{path} is not an image that can be read.", "Give an .hdr or .exr panorama."
        )
    try:
        part = 0
        while source.seek_subimage(part, 0):
            spec = source.spec()
            wanted = _colour_channels(list(spec.channelnames))
            if wanted:
                pixels = source.read_image(part, 0, 0, spec.nchannels, "float")
                if pixels is None:
                    break
                colour = np.ascontiguousarray(pixels[..., wanted], np.float32)
                return colour if str(spec.format) in RADIANCE_FORMATS else _from_srgb(colour)
            part += 1
        raise ReliTalkError(
            "not_an_image", f"{path} has no red, green and blue that can be read: it is damaged or holds other data.",
            "Give an .hdr or .exr panorama.",
        )
    finally:
        source.geterror()
        source.close()


def is_ordinary(path: str | Path) -> bool:
    """Whether a file is a picture that cannot say how bright its lights are, such as a JPEG."""
    with Path(path).open("rb") as file:
        if file.read(4) == exr.MAGIC:
            return False
    import OpenImageIO as oiio

    source: Any = oiio.ImageInput.open(str(path))
    if source is None:
        oiio.geterror()
        return False
    found = str(source.spec().format) not in RADIANCE_FORMATS
    source.close()
    return found


def _from_srgb(encoded: np.ndarray) -> np.ndarray:
    bright = ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, encoded / 12.92, bright).astype(np.float32)


def _colour_channels(names: list[str]) -> list[int] | None:
    """The numbers of the red, green and blue channels; one grey channel stands for all three."""
    short = [name.rsplit(".", 1)[-1].upper() for name in names]
    if all(c in short for c in "RGB"):
        return [short.index(c) for c in "RGB"]
    grey = next((short.index(c) for c in ("Y", "L", "I") if c in short), None)
    return [grey] * 3 if grey is not None and len(names) <= 2 else None


def write_exr(path: str | Path, environment: np.ndarray, comment: str = "") -> None:
    """Write an environment as an EXR, float32, so that it is read back to the bit.

    Args:
        path: the file; it appears when it is whole.
        environment: [H, W, 3] radiance.
        comment: kept in the header.

    Raises:
        ReliTalkError: the place cannot be written.
    """
    exr.write(path, environment, comment)
