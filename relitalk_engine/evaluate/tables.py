"""`relitalk evaluate`: a subject against frames whose truth is known, as a table."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingPart, ReliTalkError
from ..events import Reporter
from ..pipeline.options import LightOptions, OutOptions, RelightOptions
from ..subject import Subject
from . import metrics

COLUMNS = ("foreground_psnr", "opaque_psnr", "hair_psnr", "ssim", "gain")
PEERS = {"copy": "the source frame left as it is", "ours": "this subject"}


@dataclass(frozen=True)
class Truth:
    """A test folder laid out as data/synthetic/subject_a."""

    folder: Path
    clip: Path
    frames: list[int]
    lights: list[Path]


@dataclass
class Figures:
    """What was measured."""

    relight: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """Peer, light, column."""
    normal_degrees: float | None = None
    """Mean angle of our normals to the truth on skin, eyes and cloth."""
    reconstruction_psnr: float | None = None
    """Under the source light, against the clip, where the matte is whole."""

    def to_json(self) -> dict[str, Any]:
        """All figures as a table for a file."""
        return {
            "relight": self.relight,
            "normal_degrees": self.normal_degrees,
            "reconstruction_psnr": self.reconstruction_psnr,
        }

    def lines(self) -> list[str]:
        """All figures as lines for a person."""
        found = []
        for peer, rows in self.relight.items():
            found.append(f"{peer} ({PEERS[peer]}); dB on sRGB values, SSIM, and the linear gain to the truth")
            found.append(f"  {'light':<20}" + "".join(f"{name:>17}" for name in COLUMNS))
            for light, row in rows.items():
                found.append(f"  {light:<20}" + "".join(f"{row[name]:17.3f}" for name in COLUMNS))
        if self.normal_degrees is not None:
            found.append(f"normals: {self.normal_degrees:.2f} degrees from the truth, mean")
        if self.reconstruction_psnr is not None:
            found.append(f"source light against the clip: {self.reconstruction_psnr:.2f} dB")
        return found


def evaluate(subject: Subject, against: Path, device: str, *, reporter: Reporter) -> Figures:
    """Relight the test clip with every light of the folder and measure it.

    Args:
        subject: trained on the same person under the same light.
        against: a folder laid out as data/synthetic/subject_a.
        device: "cpu" or "cuda".
        reporter: whom to tell.

    Raises:
        ReliTalkError: the folder is not laid out so, or an HDRI of it is not found.
        Cancelled: the user asked to stop.
    """
    from ..pipeline.relight import relight

    truth = read_truth(against)
    lights = {folder.name: _light(folder, against) for folder in truth.lights}
    figures = Figures({"copy": {}, "ours": {}})
    first, last = min(truth.frames), max(truth.frames) + 1
    with tempfile.TemporaryDirectory(prefix="relitalk-evaluate-") as scratch:
        for name, light in {"source": LightOptions(), **lights}.items():
            out = OutOptions(frames=(first, last), full_frame=True, passes=name == "source")
            take = Path(scratch) / name
            relight(
                RelightOptions(subject.path, take, light, out, video=truth.clip, device=device), reporter=reporter
            )
            if name == "source":
                figures.reconstruction_psnr = _reconstruction(truth, take)
                figures.normal_degrees = _normals(truth, take)
                continue
            figures.relight["copy"][name] = _score(truth, truth.folder / "relight" / name, truth.folder / "test")
            figures.relight["ours"][name] = _score(truth, truth.folder / "relight" / name, take / "beauty")
    for rows in figures.relight.values():
        rows["mean"] = {key: float(np.mean([row[key] for row in rows.values()])) for key in COLUMNS}
    return figures


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


def _light(folder: Path, against: Path) -> LightOptions:
    facts = json.loads((folder / "scene_light.json").read_text(encoding="utf-8"))
    return LightOptions(str(find_hdri(facts["hdri"], against)), float(facts["rotation_deg"]), float(facts["strength"]))


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


def _picture(path: Path) -> np.ndarray:
    from ..media import images

    pixels = images.read_image(path)
    return pixels.astype(np.float32) / np.iinfo(pixels.dtype).max


def _masks(truth: Truth, relit: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Foreground and its opaque part, [H, W] bool each."""
    fore = _picture(relit / f"{frame:05d}.png")[..., 3] > 0.5
    return fore, fore & (_picture(truth.folder / "opaque" / f"{frame:05d}.png")[..., 0] > 0.5)


def _score(truth: Truth, relit: Path, guesses: Path) -> dict[str, float]:
    from ..media.images import srgb_to_linear

    rows = []
    for frame in truth.frames:
        true, guess = _picture(relit / f"{frame:05d}.png"), _picture(guesses / f"{frame:05d}.png")[..., :3]
        fore, opaque = _masks(truth, relit, frame)
        rows.append(
            {
                "foreground_psnr": metrics.psnr(guess, true[..., :3], fore),
                "opaque_psnr": metrics.psnr(guess, true[..., :3], opaque),
                "hair_psnr": metrics.psnr(guess, true[..., :3], fore & ~opaque),
                "ssim": metrics.ssim(guess, true[..., :3], fore),
                "gain": metrics.gain(srgb_to_linear(guess[fore]), srgb_to_linear(true[..., :3][fore])),
            }
        )
    return {key: float(np.mean([row[key] for row in rows])) for key in COLUMNS}


def _reconstruction(truth: Truth, take: Path) -> float:
    from ..media import video

    wanted = set(truth.frames)
    found = []
    for number, frame in enumerate(video.read_frames(truth.clip)):
        if number in wanted:
            mine = _picture(take / "beauty" / f"{number:05d}.png")
            found.append(metrics.psnr(mine[..., :3], frame / np.float32(255), mine[..., 3] == 1.0))
    return float(np.mean(found))


def true_normals(truth: Truth, frame: int) -> np.ndarray | None:
    """[H, W, 3] the true normals in the camera frame, zero where nothing stands; None where there are none."""
    from ..media import images

    path = truth.folder / "passes" / f"{frame:05d}.exr"
    world = _normal_of(images.read_exr(path), "XYZ") if path.exists() else None
    return None if world is None else world[..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0])  # (x, y, z) to (x, z, -y)


def _normals(truth: Truth, take: Path) -> float | None:
    from ..media import images

    found = []
    for frame in truth.frames:
        true = true_normals(truth, frame)
        mine = _normal_of(images.read_exr(take / "normal" / f"{frame:05d}.exr"), "XYZ", "RGB")
        if true is None or mine is None:
            return None
        _, opaque = _masks(truth, truth.lights[0], frame)
        opaque &= np.linalg.norm(true, axis=-1) > 0.5
        found.append(metrics.angle(mine, true, opaque))
    return float(np.mean(found))


def _normal_of(channels: dict[str, np.ndarray], *endings: str) -> np.ndarray | None:
    for ending in endings:
        for stem in sorted({name[:-1] for name in channels}):
            if (not stem or "ormal" in stem) and all(stem + letter in channels for letter in ending):
                return np.stack([channels[stem + letter] for letter in ending], axis=-1)
    return None
