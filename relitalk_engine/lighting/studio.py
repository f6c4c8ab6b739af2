"""Small studios made of soft panels in a dim room: the light rigs that ship, so that a demo needs no HDRI of others.

`python -m relitalk_engine.lighting.studio presets/lights` writes them.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import envmap, exr

Colour = tuple[float, float, float]
HEIGHT = 128
"""Rows of a written panorama."""


@dataclass(frozen=True)
class Panel:
    """A rectangular soft light.

    Directions are the command line's: azimuth 0, elevation 0 is at the camera, positive azimuth at the viewer's right.
    """

    azimuth: float
    """Degrees, of its middle."""
    elevation: float
    """Degrees, of its middle."""
    width: float
    """Degrees across."""
    height: float
    """Degrees up."""
    radiance: Colour
    """Linear Rec.709."""


@dataclass(frozen=True)
class Studio:
    """Panels in a room."""

    above: Colour
    """Radiance of the room straight up."""
    below: Colour
    """Radiance of the floor."""
    panels: tuple[Panel, ...]


STUDIOS = {
    "window": Studio(
        (0.10, 0.12, 0.16),
        (0.07, 0.05, 0.035),
        (
            Panel(-62, 18, 44, 60, (4.6, 4.9, 5.4)),
            Panel(75, 8, 24, 30, (1.15, 0.78, 0.48)),
        ),
    ),
    "evening": Studio(
        (0.03, 0.03, 0.06),
        (0.03, 0.02, 0.02),
        (
            Panel(58, 24, 36, 44, (7.6, 3.7, 1.45)),
            Panel(-112, 10, 34, 70, (0.75, 1.6, 4.6)),
            Panel(-20, 30, 40, 30, (0.22, 0.26, 0.42)),
        ),
    ),
}


def panorama(studio: Studio, height: int = HEIGHT) -> np.ndarray:
    """A studio as an equirectangular panorama.

    Args:
        studio: what stands where.
        height: rows; there are twice as many columns.

    Returns:
        [height, 2 height, 3] float32 radiance, laid out as Blender does.
    """
    rays = envmap.directions(height, 2 * height)
    up = rays[..., 1:2] * 0.5 + 0.5
    image = np.asarray(studio.below) * (1 - up) + np.asarray(studio.above) * up
    for panel in studio.panels:
        image = image + _cover(panel, rays)[..., None] * np.asarray(panel.radiance)
    return image.astype(np.float32)


def _cover(panel: Panel, rays: np.ndarray) -> np.ndarray:
    """How much of each ray ends on a panel, [H, W] in 0..1; its rim is soft over an eighth of its size."""
    azimuth, elevation = math.radians(panel.azimuth), math.radians(panel.elevation)
    forward = np.array(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )
    right = np.array([math.cos(azimuth), 0.0, -math.sin(azimuth)])
    ahead = rays @ forward
    depth = np.maximum(ahead, 1e-3)
    cover = (ahead > 0).astype(float)
    for axis, degrees in ((right, panel.width), (np.cross(forward, right), panel.height)):
        half = math.tan(math.radians(degrees / 2))
        away = np.abs(rays @ axis) / depth / half
        cover *= np.clip((1.0625 - away) / 0.125, 0.0, 1.0)
    return cover


def write_all(folder: Path) -> list[Path]:
    """Write every studio as an EXR panorama.

    Args:
        folder: where to; it must exist.

    Returns:
        The files.
    """
    paths = [folder / f"{name}.exr" for name in STUDIOS]
    for path, studio in zip(paths, STUDIOS.values(), strict=True):
        exr.write(path, panorama(studio))
    return paths


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
