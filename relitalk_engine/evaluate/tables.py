"""`relitalk evaluate`: a subject against frames whose truth is known, as a table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingPart
from ..events import Reporter
from ..lighting.light import Light
from ..media import images
from ..media.images import linear_to_srgb, srgb_to_linear
from ..pipeline.person import Person
from ..subject import Subject
from ..take import Take
from . import metrics, sheets
from .features import feature_distance
from .shots import shoot
from .truth import Truth, picture, read_truth

COLUMNS = ("foreground_psnr", "opaque_psnr", "hair_psnr", "ssim", "gradient_psnr", "features")
PEERS = {"copy": "the source frame left as it is", "ours": "this subject"}
SSIM_BOX = 7
"""Window of SSIM in pixels, flat: what is published for these people was measured so."""
SHOWN = 3
"""Frames of each light on its contact sheet."""


@dataclass
class Figures:
    """What was measured."""

    relight: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """Peer, light, column; a column that ends in _gained is after the one linear gain of that clip, `gain`."""
    normal_degrees: float | None = None
    """Mean angle of our normals to the truth on skin, eyes and cloth."""
    albedo_error: float | None = None
    """Scale-invariant error of our albedo there."""
    reconstruction_psnr: float | None = None
    """Under the source light, against the clip, where the matte is whole."""

    def to_json(self) -> dict[str, Any]:
        """All figures as a table for a file."""
        return {
            "relight": self.relight,
            "normal_degrees": self.normal_degrees,
            "albedo_error": self.albedo_error,
            "reconstruction_psnr": self.reconstruction_psnr,
        }

    def lines(self) -> list[str]:
        """All figures as lines for a person."""
        found = []
        for peer, rows in self.relight.items():
            found.append(f"{peer} ({PEERS[peer]}); dB on sRGB values; raw/after one linear gain, the last column")
            shown = [name for name in COLUMNS if name in rows["mean"]]
            found.append(f"  {'light':<20}" + "".join(f"{name:>17}" for name in (*shown, "gain")))
            for light, row in rows.items():
                digits = {name: 4 if name == "features" else 3 if name == "ssim" else 2 for name in shown}
                pairs = [f"{row[name]:.{digits[name]}f}/{row[name + '_gained']:.{digits[name]}f}" for name in shown]
                found.append(f"  {light:<20}" + "".join(f"{pair:>17}" for pair in (*pairs, f"{row['gain']:.3f}")))
        if any("features" in row for rows in self.relight.values() for row in rows.values()):
            found.append("features: distance in the middle layers of the face-recognition network E_id; not LPIPS")
        if self.normal_degrees is not None:
            found.append(f"normals: {self.normal_degrees:.2f} degrees from the truth, mean")
        if self.albedo_error is not None:
            found.append(f"albedo: {100 * self.albedo_error:.1f} % from the truth after one gain")
        if self.reconstruction_psnr is not None:
            found.append(f"source light against the clip: {self.reconstruction_psnr:.2f} dB")
        return found


def evaluate(
    subject: Subject, against: Path, device: str, *, reporter: Reporter, pictures: Path | None = None
) -> Figures:
    """Relight the test clip with every light of the folder and measure it.

    Args:
        subject: trained on the same person under the same light.
        against: a folder laid out as data/synthetic/subject_a.
        device: "cpu" or "cuda".
        reporter: whom to tell.
        pictures: a folder for contact sheets, one per light; None: none.

    Raises:
        ReliTalkError: the folder is not laid out so, or an HDRI of it is not found.
        Cancelled: the user asked to stop.
    """
    truth = read_truth(against)
    person = Person(subject, device)
    lights = {folder.name: truth.light(folder) for folder in truth.lights}
    with tempfile.TemporaryDirectory(prefix="relitalk-evaluate-") as scratch:
        shots: list[tuple[str, Light]] = [("source", person.light), *lights.items()]
        take = shoot(person, truth.clip, shots, truth.frames, Path(scratch), reporter)
        return measure(truth, take, pictures)


def measure(truth: Truth, take: Take, pictures: Path | None = None) -> Figures:
    """Measure the frames of a take that `shoot` made under "source" and every light of the truth.

    Args:
        truth: what the frames should be.
        take: what they are.
        pictures: a folder for contact sheets; None: none.
    """
    figures = Figures({"copy": {}, "ours": {}})
    for folder in truth.lights:
        source = truth.folder / "test"
        figures.relight["copy"][folder.name] = score(truth, folder, source)
        ours = take.beauty_path(0, folder.name).parent
        figures.relight["ours"][folder.name] = score(truth, folder, ours)
        if pictures is not None:
            sheets.write(pictures / f"{folder.name}.png", list(_rows(truth, folder, ours)))
    for rows in figures.relight.values():
        names = next(iter(rows.values()))
        rows["mean"] = {name: float(np.mean([row[name] for row in rows.values()])) for name in names}
    figures.reconstruction_psnr = _reconstruction(truth, take)
    figures.normal_degrees = _normals(truth, take)
    figures.albedo_error = _albedo(truth, take)
    return figures


def score(truth: Truth, light: Path, guesses: Path) -> dict[str, float]:
    """Figures of the pictures in a folder against those of one light, means over the frames.

    Args:
        truth: what is known.
        light: one of its lights.
        guesses: a folder with a PNG per frame, at the source's full size.
    """
    true, mine, fore, opaque = [], [], [], []
    for frame in truth.frames:
        true.append(picture(light / f"{frame:05d}.png")[..., :3])
        mine.append(picture(guesses / f"{frame:05d}.png")[..., :3])
        here, firm = truth.masks(frame, light)
        fore.append(here)
        opaque.append(firm)
    inside = np.stack(fore)
    linear = [srgb_to_linear(np.stack(shots)) for shots in (mine, true)]
    factor = metrics.gain(linear[0][inside], linear[1][inside])
    gained = np.clip(linear_to_srgb(linear[0] * np.float32(factor)), 0, 1)
    row: dict[str, float] = {}
    for ending, shots in (("", mine), ("_gained", gained)):
        rows = [_compare(*shot) for shot in zip(shots, true, fore, opaque, strict=True)]
        row |= {name + ending: float(np.mean([found[name] for found in rows])) for name in rows[0]}
    return row | {"gain": factor}


def _compare(mine: np.ndarray, true: np.ndarray, fore: np.ndarray, opaque: np.ndarray) -> dict[str, float]:
    found = {
        "foreground_psnr": metrics.psnr(mine, true, fore),
        "opaque_psnr": metrics.psnr(mine, true, opaque),
        "hair_psnr": metrics.psnr(mine, true, fore & ~opaque),
        "ssim": metrics.ssim(mine, true, fore, SSIM_BOX),
        "gradient_psnr": metrics.gradient_psnr(mine, true, fore),
    }
    try:
        found["features"] = feature_distance(mine, true, fore)
    except MissingPart:
        return found
    return found


def _rows(truth: Truth, light: Path, ours: Path) -> Iterator[np.ndarray]:
    for frame in truth.frames[:: max(len(truth.frames) // SHOWN, 1)][:SHOWN]:
        true, mine = (picture(folder / f"{frame:05d}.png")[..., :3] for folder in (light, ours))
        yield sheets.row(true, mine, truth.masks(frame, light)[0])


def _reconstruction(truth: Truth, take: Take) -> float:
    from ..media import video

    wanted = set(truth.frames)
    found = []
    for number, frame in enumerate(video.read_frames(truth.clip)):
        if number in wanted:
            mine = picture(take.beauty_path(number, "source"))
            found.append(metrics.psnr(mine[..., :3], frame / np.float32(255), mine[..., 3] == 1.0))
    return float(np.mean(found))


def _read_pass(take: Take, name: str, frame: int) -> np.ndarray:
    channels = images.read_exr(take.pass_path(name, frame))
    return np.stack([channels[letter] for letter in "RGB"], axis=-1)


def _normals(truth: Truth, take: Take) -> float | None:
    found = []
    for frame in truth.frames:
        true = truth.normals(frame)
        if true is None:
            return None
        where = truth.masks(frame)[1] & (np.linalg.norm(true, axis=-1) > 0.5)
        found.append(metrics.angle(_read_pass(take, "normal", frame), true, where))
    return float(np.mean(found))


def _albedo(truth: Truth, take: Take) -> float | None:
    mine, true = [], []
    for frame in truth.frames:
        paint = truth.albedo(frame)
        if paint is None:
            return None
        where = truth.masks(frame)[1] & (paint.sum(-1) > 0.01)
        true.append(paint[where])
        mine.append(_read_pass(take, "albedo", frame)[where])
    return metrics.scale_invariant_error(np.concatenate(mine), np.concatenate(true))
