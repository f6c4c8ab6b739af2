"""Figures between painted and true frames: error, sharpness, flicker and the seam about what was painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from relitalk_engine.evaluate import metrics

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
STILL = 96
"""Side at which frames are compared in time."""
Frames = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Areas:
    """Where is measured, per frame: x, y, width, height in whole pixels of the frame.

    Attributes:
        removed: [T, 4] the paper's removed area, 120 px of its 256 px crop.
        driven: [T, 4] its driven area likewise, 80 px.
        painted: [T, 4] what the take has painted, wider than `removed` where a jaw sweeps further.
    """

    removed: np.ndarray
    driven: np.ndarray
    painted: np.ndarray


@dataclass(frozen=True)
class Row:
    """One way to fill the removed area, against the true frames; means over frames.

    Attributes:
        full: PSNR of the whole frame, dB.
        full_ssim: likewise.
        removed: PSNR of the removed area, dB.
        removed_ssim: likewise.
        driven: PSNR of the driven area, dB.
        sharpness: gradient energy of the driven area over the true frame's.
        flicker: second difference in time inside the driven area over the true frames'.
        seam: gradient across the rim of what was painted over the true frame's there.
        relit_seam: likewise under another light, against the true frames relit; None where that was not made.
    """

    full: float
    full_ssim: float
    removed: float
    removed_ssim: float
    driven: float
    sharpness: float
    flicker: float
    seam: float
    relit_seam: float | None = None

    def __str__(self) -> str:
        lit = "      -" if self.relit_seam is None else f"{self.relit_seam:7.3f}"
        return (
            f"{self.full:7.2f} {self.full_ssim:7.4f} {self.removed:8.2f} {self.removed_ssim:7.4f} {self.driven:7.2f}"
            f" {self.sharpness:7.3f} {self.flicker:7.3f} {self.seam:7.3f} {lit}"
        )

    def table(self) -> dict[str, float | None]:
        """For a file."""
        return asdict(self)


HEADING = "  full,  SSIM;  removed, SSIM;  driven; sharp, flicker,   seam, relit"


def measure(mine: Frames, true: Frames, areas: Areas) -> Row:
    """Compare a take with the truth.

    Args:
        mine: frame number to [H, W, 3] uint8.
        true: likewise.
        areas: of as many frames as are compared.
    """
    found: dict[str, list[float]] = {name: [] for name in ("full", "full_ssim", "removed", "removed_ssim", "driven")}
    energy, rim, still = np.zeros(2), [], ([], [])
    for t in range(len(areas.removed)):
        a, b = (frames(t) / np.float32(255) for frames in (mine, true))
        removed, driven = cut(areas.removed[t]), cut(areas.driven[t])
        found["full"].append(metrics.psnr(a, b))
        found["full_ssim"].append(metrics.ssim(a, b))
        found["removed"].append(metrics.psnr(a[removed], b[removed]))
        found["removed_ssim"].append(metrics.ssim(a[removed], b[removed]))
        found["driven"].append(metrics.psnr(a[driven], b[driven]))
        luma = a @ LUMA, b @ LUMA
        energy += [_energy(x[driven]) for x in luma]
        rim.append([_across(x, areas.painted[t]) for x in luma])
        for kept, x in zip(still, luma, strict=True):
            kept.append(_small(x[driven]))
    flicker = _flicker(still[0]) / _flicker(still[1])
    means = {name: float(np.mean(values)) for name, values in found.items()}
    mine_energy, true_energy = energy
    return Row(**means, sharpness=float(mine_energy / true_energy), flicker=flicker, seam=_ratio(rim))


def seam(mine: Frames, true: Frames, painted: np.ndarray, frames: Sequence[int]) -> float:
    """Gradient across the rim of the painted area [T, 4] over the true frames' there, over some frames."""
    luma = ((f(t) / np.float32(255) @ LUMA for f in (mine, true)) for t in frames)
    return _ratio([[_across(x, painted[t]) for x in pair] for t, pair in zip(frames, luma, strict=True)])


def cut(box: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a box x, y, width, height."""
    x, y, width, height = (int(v) for v in box)
    return slice(y, y + height), slice(x, x + width)


def _ratio(pairs: list[list[float]]) -> float:
    mine, true = np.mean(pairs, 0)
    return float(mine / true)


def _energy(luma: np.ndarray) -> float:
    """Mean squared step between neighbours."""
    return float((np.diff(luma, axis=0) ** 2).mean() + (np.diff(luma, axis=1) ** 2).mean())


def _across(luma: np.ndarray, box: np.ndarray) -> float:
    """Mean step across the rim of a box, where it has one."""
    rows, columns = cut(box)
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


def _small(luma: np.ndarray) -> np.ndarray:
    """The driven area at a fixed size, so that frames can be compared in time."""
    import cv2

    return cv2.resize(luma, (STILL, STILL), interpolation=cv2.INTER_AREA)


def _flicker(frames: list[np.ndarray]) -> float:
    """Mean size of the second difference in time."""
    return float(np.abs(np.diff(np.stack(frames), 2, axis=0)).mean())
