"""A light: spherical harmonics, a small environment, and where it comes from; one, or one a frame; saved as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReliTalkError
from . import envmap, exr, sh
from .files import write_whole

SCHEMA = 1
HEIGHT, WIDTH = envmap.ENVIRONMENT_SIZE


@dataclass
class Light:
    """A distant light in the camera frame, linear Rec.709.

    Attributes:
        sh: [9, 3] radiance coefficients.
        environment: [32, 64, 3] float32 radiance, zero or more, laid out as a panorama (`envmap`); None where only the
            coefficients are known.
        source: where it comes from. {"kind": "directional", "direction": [x, y, z], "irradiance": [r, g, b]} is more
            than a note: such a light is evaluated exactly.
        frames: one light a frame for a light that moves; the light itself is then that of its first frame.
    """

    sh: np.ndarray
    environment: np.ndarray | None = None
    source: dict[str, Any] = field(default_factory=dict)
    frames: list[Light] | None = None

    def __post_init__(self) -> None:
        self.sh = np.asarray(self.sh, float)
        if self.sh.shape != (9, 3):
            raise ValueError(f"a light has 9 by 3 coefficients, not {self.sh.shape}")
        if self.environment is not None:
            self.environment = np.asarray(self.environment, np.float32)
            if self.environment.shape != (HEIGHT, WIDTH, 3):
                raise ValueError(f"an environment is {HEIGHT} by {WIDTH} by 3, not {self.environment.shape}")

    @classmethod
    def from_environment(cls, environment: np.ndarray, source: dict[str, Any] | None = None) -> Light:
        """The light of a small environment, [32, 64, 3] radiance."""
        return cls(sh.project(environment), environment, source or {"kind": "environment"})

    @classmethod
    def from_panorama(
        cls,
        panorama: np.ndarray,
        rotation_deg: float = 0.0,
        strength: float = 1.0,
        source: dict[str, Any] | None = None,
    ) -> Light:
        """The light of a panorama of any size, turned as `envmap.to_environment` does; coefficients from all of it."""
        coefficients = sh.rotate(sh.project(panorama), turn(rotation_deg)) * strength
        environment = envmap.to_environment(panorama, rotation_deg, strength)
        return cls(coefficients, environment, source or {"kind": "panorama"})

    @classmethod
    def from_sh(cls, coefficients: np.ndarray, source: dict[str, Any] | None = None) -> Light:
        """The light of radiance coefficients [9, 3] alone."""
        return cls(coefficients, None, source or {"kind": "sh"})

    @property
    def directional(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Direction [3] towards the light and irradiance [3] where it is a directional one."""
        if self.source.get("kind") != "directional":
            return None
        return np.asarray(self.source["direction"], float), np.asarray(self.source["irradiance"], float)

    def radiance(self) -> np.ndarray:
        """Radiance from each direction, [32, 64, 3]: the environment, or the coefficients where they are positive."""
        if self.environment is not None:
            return self.environment
        return np.maximum(sh.basis(envmap.directions(HEIGHT, WIDTH)) @ self.sh, 0.0).astype(np.float32)

    def at(self, frame: int) -> Light:
        """The light of a frame; a light that does not move is the same in all, one that does stays at its last."""
        return self.frames[min(max(frame, 0), len(self.frames) - 1)] if self.frames else self

    def scaled(self, factor: float) -> Light:
        """The light with `factor` times the radiance."""
        environment = None if self.environment is None else self.environment * np.float32(factor)
        source = dict(self.source)
        if self.directional:
            source["irradiance"] = [float(e) * factor for e in source["irradiance"]]
        frames = [light.scaled(factor) for light in self.frames] if self.frames else None
        return Light(self.sh * factor, environment, source, frames)

    def rotated(self, degrees: float) -> Light:
        """The light turned about the vertical as `--light-rotation` does."""
        if not degrees % 360.0:
            return self
        matrix = turn(degrees)
        source = dict(self.source)
        environment = None if self.environment is None else envmap.to_environment(self.environment, degrees)
        if self.directional:
            direction = matrix @ self.directional[0]
            source["direction"] = direction.tolist()
            environment = splat(direction, self.directional[1])
        frames = [light.rotated(degrees) for light in self.frames] if self.frames else None
        return Light(sh.rotate(self.sh, matrix), environment, source, frames)

    def save(self, path: str | Path) -> None:
        """Write the light as JSON and its environments as EXR files beside it.

        Raises:
            ReliTalkError: the place cannot be written.
        """
        path = Path(path)
        content = {"schema": SCHEMA} | self._written(path.parent, path.stem)
        if self.frames:
            content["frames"] = [
                light._written(path.parent, f"{path.stem}_{index:05d}") for index, light in enumerate(self.frames)
            ]
        write_whole(path, json.dumps(content, indent=1).encode())

    def _written(self, folder: Path, stem: str) -> dict[str, Any]:
        name = None
        if self.environment is not None:
            name = f"{stem}.exr"
            envmap.write_exr(folder / name, self.environment)
        return {"sh": self.sh.tolist(), "environment": name, "source": self.source}

    @classmethod
    def load(cls, path: str | Path) -> Light:
        """Read a light and check everything about it.

        Raises:
            ReliTalkError: no such file; not a light; of a newer schema; values missing or impossible.
        """
        path = Path(path)
        if not path.is_file():
            raise ReliTalkError("no_such_file", f"There is no light at {path}.", "Check the path.")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise _bad(path, "it is not JSON") from error
        if not isinstance(content, dict) or "sh" not in content:
            raise _bad(path, "it holds no light")
        schema = content.get("schema")
        if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
            raise _bad(path, "it names no schema number")
        if schema > SCHEMA:
            raise ReliTalkError(
                "newer_schema", f"{path} was written by a newer ReliTalk (schema {schema}; this one reads {SCHEMA}).",
                "Update ReliTalk.",
            )
        light = _read(content, path)
        frames = content.get("frames")
        if frames is None:
            return light
        if not isinstance(frames, list) or not frames or not all(isinstance(frame, dict) for frame in frames):
            raise _bad(path, "its frames are not a list of lights")
        return replace(light, frames=[_read(frame, path) for frame in frames])


def turn(degrees: float) -> np.ndarray:
    """How `--light-rotation` turns a light: [3, 3], camera frame, R_z(−deg) about the world's vertical."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def splat(direction: np.ndarray, irradiance: np.ndarray) -> np.ndarray:
    """A directional light as an environment: its irradiance shared between the four texels around its direction.

    Args:
        direction: [3] unit vector towards the light.
        irradiance: [3] RGB on a wall that faces it.

    Returns:
        [32, 64, 3] float32 radiance whose sum over solid angles is the irradiance.
    """
    at = envmap.texel(np.asarray(direction, float), HEIGHT, WIDTH)
    row, column = min(max(float(at[0]), 0.0), HEIGHT - 1.0), float(at[1])
    top, left = min(int(row), HEIGHT - 2), math.floor(column)
    down, right = row - top, column - left
    areas = envmap.solid_angles(HEIGHT, WIDTH)
    environment = np.zeros((HEIGHT, WIDTH, 3))
    for r, c, share in (
        (top, left, (1 - down) * (1 - right)), (top, left + 1, (1 - down) * right),
        (top + 1, left, down * (1 - right)), (top + 1, left + 1, down * right),
    ):
        environment[r, c % WIDTH] += share * np.asarray(irradiance, float) / areas[r, c % WIDTH]
    return environment.astype(np.float32)


def _bad(path: Path, why: str) -> ReliTalkError:
    return ReliTalkError("bad_light", f"{path} is not a light: {why}.", "Make it with `relitalk light`.")


def _numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """The value as finite numbers of a shape, or None."""
    try:
        array = np.asarray(value, float)
    except (ValueError, TypeError):
        return None
    return array if array.shape == shape and np.isfinite(array).all() else None


def _read(content: dict[str, Any], path: Path) -> Light:
    """One light of a JSON, checked."""
    coefficients = _numbers(content.get("sh"), (9, 3))
    if coefficients is None:
        raise _bad(path, "its sh is not 9 rows of 3 finite numbers")
    source = content.get("source")
    source = source if isinstance(source, dict) else {"kind": str(source or "unknown")}
    if source.get("kind") == "directional":
        direction, irradiance = _numbers(source.get("direction"), (3,)), _numbers(source.get("irradiance"), (3,))
        if direction is None or irradiance is None or abs(np.linalg.norm(direction) - 1) > 1e-3 or irradiance.min() < 0:
            raise _bad(path, "its direction is not a unit vector or its irradiance is not three numbers from 0 up")
    name = content.get("environment")
    if name is None:
        return Light(coefficients, None, source)
    if not isinstance(name, str) or Path(name).name != name or "\\" in name:
        raise _bad(path, "its environment is not the name of a file beside it")
    beside = path.parent / name
    if not beside.is_file():
        raise _bad(path, f"its environment {name} is not beside it")
    environment = exr.read(beside)
    if environment is None or environment.shape != (HEIGHT, WIDTH, 3):
        raise _bad(path, f"its environment {name} is not a plain {WIDTH}×{HEIGHT} RGB EXR")
    return Light(coefficients, envmap.checked_radiance(environment, beside), source)
