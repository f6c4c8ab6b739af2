"""Lights made rather than measured: from a direction, turning, one at a time; and the command line's LIGHT argument."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReliTalkError
from . import envmap, sh
from .light import Light, splat

LIGHT_FORMS = "source, a panorama (.hdr or .exr), a .json light, dir:AZIMUTH,ELEVATION[,INTENSITY] or olat"
OLAT_COUNT = 32


def directional(azimuth: float, elevation: float, intensity: float | tuple[float, float, float] = 1.0) -> Light:
    """A light from one direction; intensity 1 shades a wall that faces it to 1.

    Args:
        azimuth: degrees, 0 from the camera, positive from the viewer's right.
        elevation: degrees, positive from above.
        intensity: one number, or red, green, blue.
    """
    a, e = math.radians(azimuth), math.radians(elevation)
    return _from_direction(np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)]), intensity)


def _from_direction(direction: np.ndarray, intensity: Any) -> Light:
    irradiance = np.broadcast_to(np.asarray(intensity, float), (3,)) * np.pi
    source = {"kind": "directional", "direction": direction.tolist(), "irradiance": irradiance.tolist()}
    return Light(sh.basis(direction)[:, None] * irradiance, splat(direction, irradiance), source)


def rotating(light: Light, degrees_per_frame: float, frames: int) -> Light:
    """A light that turns about the vertical: frame i is the light turned by i times the angle.

    Raises:
        ValueError: fewer than one frame.
    """
    if frames < 1:
        raise ValueError("a rotating light has one frame or more")
    lights = [light.rotated(i * degrees_per_frame) for i in range(frames)]
    return Light(light.sh, light.environment, light.source, lights)


def olat(count: int = OLAT_COUNT) -> list[tuple[str, Light]]:
    """One light at a time: directional lights of intensity 1, spread evenly over the sphere (a Fibonacci lattice).

    Returns:
        (name, light) each, names such as "olat_000", from above to below.
    """
    turns = np.arange(count) * (math.pi * (3.0 - math.sqrt(5.0)))
    heights = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    level = np.sqrt(1.0 - heights**2)
    directions = np.stack([level * np.sin(turns), heights, level * np.cos(turns)], axis=-1)
    return [(f"olat_{index:03d}", _from_direction(direction, 1.0)) for index, direction in enumerate(directions)]


def load_light(
    spec: str, rotation: float = 0.0, strength: float = 1.0, source_light: Light | None = None
) -> Light:
    """The light that the command line's LIGHT argument names.

    Args:
        spec: source | FILE.hdr | FILE.exr | FILE.json | dir:AZIMUTH,ELEVATION[,INTENSITY]. (olat names many: `olat`.)
        rotation: degrees about the vertical, as Blender's Mapping node.
        strength: factor on the radiance.
        source_light: the subject's own light, where there is a subject.

    Returns:
        The light; what the user should be told of it stands in its source as "warning".

    Raises:
        ReliTalkError: it names no light, or one that cannot be read, or the numbers make no sense.
    """
    if not math.isfinite(rotation):
        raise ReliTalkError("bad_light", f"A light cannot be turned by {rotation} degrees.", "Give a finite angle.")
    if not math.isfinite(strength) or strength < 0.0:
        raise ReliTalkError("bad_light", f"A light cannot have the strength {strength}.", "Give a number from 0 up.")
    kind = spec.strip()
    if kind == "source":
        if source_light is None:
            raise ReliTalkError("no_source_light", "There is no subject here whose own light `source` could mean.",
                                "Name a light file or a direction.")
        return source_light.rotated(rotation).scaled(strength)
    if kind.startswith("dir:"):
        return _parse_direction(kind).rotated(rotation).scaled(strength)
    if kind == "olat":
        raise ReliTalkError("bad_light", "olat is a series of lights and cannot be used as a single one here.",
                            "Use it with `relitalk relight`, or name one direction with dir:AZIMUTH,ELEVATION.")
    path = Path(kind).expanduser()
    if path.is_dir():
        raise ReliTalkError("bad_light", f"{path} is a folder, not a light.", f"A light is {LIGHT_FORMS}.")
    if not path.exists():
        raise ReliTalkError("no_such_file", f"There is no light file at {path}.", f"A light is {LIGHT_FORMS}.")
    if path.suffix.lower() == ".json":
        return Light.load(path).rotated(rotation).scaled(strength)
    source = {"kind": "panorama", "file": path.name, "rotation": rotation, "strength": strength}
    panorama = envmap.read_panorama(path)
    if envmap.is_ordinary(path):
        source["warning"] = (
            f"{path.name} is an ordinary picture, whose lamps and sun are no brighter than white: its light is softer "
            "and dimmer than the place's was. An HDR panorama (.hdr or .exr) lights as the place did."
        )
    return Light.from_panorama(panorama, rotation, strength, source)


def _parse_direction(spec: str) -> Light:
    try:
        numbers = [float(part) for part in spec[4:].split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(math.isfinite(n) for n in numbers):
        raise ReliTalkError("bad_light", f"{spec} does not name a direction.",
                            "Write dir:AZIMUTH,ELEVATION or dir:AZIMUTH,ELEVATION,INTENSITY, in degrees: dir:45,30.")
    if not -90.0 <= numbers[1] <= 90.0:
        raise ReliTalkError("bad_light", f"{spec}: an elevation lies between -90 and 90 degrees.",
                            "0 is level with the face, 90 straight above.")
    if len(numbers) == 3 and numbers[2] < 0.0:
        raise ReliTalkError("bad_light", f"{spec}: an intensity is 0 or more.", "1 shades a wall that faces it to 1.")
    return directional(*numbers)
