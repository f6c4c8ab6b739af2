"""Folders of truth: a rendered person's clips, and some frames of them under other lights."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import MissingPart, ReliTalkError
from ..lighting.envmap import read_panorama
from ..lighting.light import Light
from ..media import images


@dataclass(frozen=True)
class Truth:
    """A test folder laid out as data/synthetic/subject_a."""

    folder: Path
    clip: Path
    frames: list[int]
    lights: list[Path]

    def masks(self, frame: int, light: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Foreground under one of `lights` (the first) and its opaque part (skin, eyes, cloth), [H, W] bool each."""
        fore = picture((light or self.lights[0]) / f"{frame:05d}.png")[..., 3] > 0.5
        return fore, fore & (picture(self.folder / "opaque" / f"{frame:05d}.png")[..., 0] > 0.5)

    def light(self, folder: Path) -> Light:
        """The light of one of `lights`, or of the clip where the folder is the whole one.

        Raises:
            MissingPart: its HDRI is not found.
        """
        path = folder / ("train_scene_light.json" if folder == self.folder else "scene_light.json")
        facts = json.loads(path.read_text(encoding="utf-8"))
        panorama = read_panorama(find_hdri(facts["hdri"], self.folder))
        return Light.from_panorama(panorama, float(facts["rotation_deg"]), float(facts["strength"]))

    def albedo(self, frame: int) -> np.ndarray | None:
        """[H, W, 3] the true albedo, linear, zero on hair; None where it is not told."""
        return self._pass(frame, "iffuse Color", "RGB")

    def normals(self, frame: int) -> np.ndarray | None:
        """[H, W, 3] the true normals in the camera frame, zero where nothing stands; None where they are not told."""
        world = self._pass(frame, "ormal", "XYZ")
        if world is None:
            return None
        camera = world[..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0])  # (x, y, z) to (x, z, -y)
        return camera / np.maximum(np.linalg.norm(camera, axis=-1, keepdims=True), 1e-6)  # means over pixels are short

    def _pass(self, frame: int, name: str, letters: str) -> np.ndarray | None:
        path = self.folder / "passes" / f"{frame:05d}.exr"
        if not path.exists():
            return None
        channels = images.read_exr(path)
        for stem in sorted({key[:-1] for key in channels}):
            if name in stem and all(stem + letter in channels for letter in letters):
                return np.stack([channels[stem + letter] for letter in letters], axis=-1)
        return None


def read_truth(folder: Path) -> Truth:
    """Read how a test folder is laid out.

    Raises:
        ReliTalkError: a part of it is missing.
    """
    hint = "Name a folder laid out as data/synthetic/subject_a."
    try:
        frames = [int(number) for number in json.loads((folder / "relight.json").read_text(encoding="utf-8"))["frames"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReliTalkError("no_truth", f"{folder / 'relight.json'} cannot be read ({error}).", hint) from error
    lights = sorted(path.parent for path in (folder / "relight").glob("*/scene_light.json"))
    for path in (folder / "test.mp4", folder / "test", folder / "opaque"):
        if not path.exists():
            raise ReliTalkError("no_truth", f"There is no {path}.", hint)
    if not lights or not frames:
        raise ReliTalkError("no_truth", f"{folder} names no frames or holds no relit ones.", hint)
    return Truth(folder, folder / "test.mp4", frames, lights)


def find_hdri(name: str, against: Path) -> Path:
    """One of Blender's world HDRIs.

    Args:
        name: such as "studio".
        against: the test folder, whose `hdri` is looked into first; then `RELITALK_HDRI`, then an installed bpy.

    Raises:
        MissingPart: it is in none of them.
    """
    places = [against / "hdri"]
    if os.environ.get("RELITALK_HDRI"):
        places.append(Path(os.environ["RELITALK_HDRI"]))
    spec = importlib.util.find_spec("bpy")  # looked for, not imported
    if spec is not None and spec.origin:
        places += Path(spec.origin).parent.glob("*/datafiles/studiolights/world")
    for place in places:
        if (place / f"{name}.exr").is_file():
            return place / f"{name}.exr"
    raise MissingPart(
        "no_hdri",
        f"Blender's world HDRI {name}.exr is not found.",
        "Install bpy, or name its folder datafiles/studiolights/world in RELITALK_HDRI.",
    )


def picture(path: Path) -> np.ndarray:
    """[H, W, C] float32 0..1 of an 8 or 16 bit picture."""
    pixels = images.read_image(path)
    return pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
