"""The driven area against frames that were never trained on: the last fifth of a clip, painted with its true motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from relitalk_engine.config import load_preset
from relitalk_engine.evaluate import metrics
from relitalk_engine.events import Reporter
from relitalk_engine.media.lossless import LosslessReader
from relitalk_engine.pipeline.person import Person
from relitalk_engine.reflectance.passes import read_frame_passes
from relitalk_engine.subject import Subject
from relitalk_engine.synthesis.synthesis import Painter
from relitalk_engine.synthesis.training import train_synthesis

from . import runs

CLIPS = ("hdtf_a", "talk_a", "talk_b")
SHARE = Fraction(4, 5)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass
class Figures:
    """Sums over frames of one way to fill the removed area."""

    psnr: list[float]
    driven: list[float]
    full: list[float]
    ssim: list[float]
    sharpness: list[float]
    seam: list[float]
    steady: list[np.ndarray]

    @classmethod
    def empty(cls) -> Figures:
        """Nothing measured yet."""
        return cls([], [], [], [], [], [], [])

    def add(self, mine: np.ndarray, true: np.ndarray, removed: np.ndarray, driven: np.ndarray) -> None:
        """Measure one frame [H, W, 3] uint8 against the true one."""
        area, inner = _slice(removed), _slice(driven)
        a, b = mine / np.float32(255), true / np.float32(255)
        self.psnr.append(metrics.psnr(a[area], b[area]))
        self.driven.append(metrics.psnr(a[inner], b[inner]))
        self.full.append(metrics.psnr(a, b))
        self.ssim.append(metrics.ssim(a[area], b[area]))
        self.sharpness.append(_energy(a[inner] @ LUMA) / _energy(b[inner] @ LUMA))
        self.seam.append(_across(a @ LUMA, removed) / _across(b @ LUMA, removed))

    def row(self, flicker: float) -> str:
        """As a line of a table."""
        values = [np.mean(v) for v in (self.psnr, self.ssim, self.driven, self.full, self.sharpness, self.seam)]
        return "{:7.2f} {:7.4f} {:7.2f} {:7.2f} {:7.3f} {:7.3f}".format(*values) + f" {flicker:7.3f}"


def figures(again: bool) -> Iterator[str]:
    """Train on the first four fifths, paint the last over its own footage."""
    heading = f"{'removed area: PSNR, SSIM; driven area, full frame: PSNR; sharpness, seam, flicker over the truth':s}"
    yield heading
    for name in CLIPS:
        place = runs.subject(runs.data(f"real/{name}.mp4"), name, again)
        yield from clip(name, place)


def clip(name: str, place: Path, change: Callable = lambda config: config) -> Iterator[str]:
    """The table of one clip; `change` may alter the synthesis settings (ablations)."""
    person = Person(Subject.open(place), "cpu")
    count = len(person.fit)
    cut = int(count * SHARE)
    known, take = person.fit.select(slice(0, cut)), person.fit.select(slice(cut, None))

    def alpha(index: int) -> np.ndarray:
        return read_frame_passes(person.subject.passes_dir, index).alpha

    with LosslessReader(person.subject.frames_path) as frames:
        config = change(load_preset(person.subject.info.preset).synthesis)
        synthesis = train_synthesis(
            person.head, known, frames.__getitem__, alpha, np.asarray(person.light.sh, np.float32), config,
            float(person.subject.info.fps), reporter=Reporter(quiet=True),
        )  # fmt: skip
        painter = Painter(synthesis, person.head, known, frames.__getitem__, alpha, take, take.psi)
        ways = {"painted": Figures.empty(), "nearest frame": Figures.empty(), "previous frame": Figures.empty()}
        last = frames[cut - 1]
        kept: dict[str, list[np.ndarray]] = {way: [] for way in (*ways, "true")}
        for t in range(len(take)):
            true = frames[cut + t]
            removed, driven = painter.boxes.removed[t], painter.boxes.driven[t]
            shown = {
                "painted": painter.paint(t, true, alpha(cut + t)).onto(true),
                "nearest frame": _filled(true, frames[int(painter.plan.source[t, -1, 0])], removed),
                "previous frame": _filled(true, last, removed),
            }
            for way, picture in shown.items():
                ways[way].add(picture, true, removed, driven)
                kept[way].append(_small(picture, driven))
            kept["true"].append(_small(true, driven))
    calm = _flicker(kept["true"])
    for way, found in ways.items():
        yield f"{name:9s} {way:15s} {found.row(_flicker(kept[way]) / calm)}"


def ablations(again: bool) -> Iterator[str]:
    """One part left out at a time, on `talk_a`."""
    place = runs.subject(runs.data("real/talk_a.mp4"), "talk_a", again)
    for label, changes in (
        ("without retrieval", {"retrieval": False}),
        ("without perceptual", {"perceptual": 0.0}),
        ("without light normalisation", {"normalised": False}),
    ):
        yield label
        yield from clip("talk_a", place, lambda config, changes=changes: replace(config, **changes))


def _slice(box: np.ndarray) -> tuple[slice, slice]:
    x, y, width, height = (int(v) for v in box)
    return slice(y, y + height), slice(x, x + width)


def _filled(true: np.ndarray, other: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The true frame with another's pixels in the removed area."""
    picture = true.copy()
    picture[_slice(box)] = other[_slice(box)]
    return picture


def _energy(luma: np.ndarray) -> float:
    """Mean squared step between neighbours."""
    return float((np.diff(luma, axis=0) ** 2).mean() + (np.diff(luma, axis=1) ** 2).mean())


def _across(luma: np.ndarray, box: np.ndarray) -> float:
    """Mean step across the rim of a box, where it has one."""
    rows, columns = _slice(box)
    height, width = luma.shape
    steps = []
    if rows.start > 0:
        steps.append(np.abs(luma[rows.start, columns] - luma[rows.start - 1, columns]))
    if rows.stop < height:
        steps.append(np.abs(luma[rows.stop, columns] - luma[rows.stop - 1, columns]))
    if columns.start > 0:
        steps.append(np.abs(luma[rows, columns.start] - luma[rows, columns.start - 1]))
    if columns.stop < width:
        steps.append(np.abs(luma[rows, columns.stop] - luma[rows, columns.stop - 1]))
    return float(np.concatenate(steps).mean())


def _small(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The driven area's luma at a fixed size, so that frames can be compared in time."""
    import cv2

    luma = (picture[_slice(box)] / np.float32(255)) @ LUMA
    return cv2.resize(luma, (96, 96), interpolation=cv2.INTER_AREA)


def _flicker(frames: list[np.ndarray]) -> float:
    """Mean size of the second difference in time."""
    return float(np.abs(np.diff(np.stack(frames), 2, axis=0)).mean())


if __name__ == "__main__":
    for line in figures(False):
        print(line, flush=True)
