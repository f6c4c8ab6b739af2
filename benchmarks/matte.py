"""How clean the cut-out is: a rendered person whose matte and colours are known, before other clips' backgrounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from relitalk_engine.face.backdrop import Backdrop, find_backdrop
from relitalk_engine.face.edges import linear
from relitalk_engine.face.matte import Matter, foreground
from relitalk_engine.media.images import encode_uint8, read_image
from relitalk_engine.media.video import read_frames

from . import runs

TRUTH = "synthetic/subject_a"
OVER = {"black": (0.0, 0.0, 0.0), "white": (1.0, 1.0, 1.0), "green": (0.0, 1.0, 0.0)}
NOISE = 1.5
"""Of the camera, 8-bit steps."""
PAN = 3
"""Pixels that a moving camera moves between frames."""
STILL = range(30, 40)


def matte(again: bool) -> Iterator[str]:
    """Errors of the matte with and without its backdrop, of the cut-out in the edge's band, and over time."""
    folder = runs.data(TRUTH)
    paths = sorted((folder / "test").glob("*.png"))
    pictures = [read_image(path) for path in paths]
    people = [(linear(p[..., :3]), p[..., 3].astype(np.float32) / 255) for p in pictures]
    clip = list(read_frames(folder / "test.mp4"))
    columns = "".join(f"{name + ', dB':>11}" for name in OVER)
    yield f"{'background':22}{'backdrop':>9}{'error':>8}{'band':>8}{columns}   ms"
    own = find_backdrop(clip)
    yield from _rows("its own", people, [clip[int(path.stem)] for path in paths], own)
    for name in ("kitchen", "hdtf_a", "talk_a"):
        plate = _plate(name, people[0][1].shape[0] + PAN * len(people))
        still = _before(people, [plate] * len(people))
        yield from _rows(f"{name}'s", people, still, find_backdrop(still))
        moved = _before(people, [plate[:, PAN * k :] for k in range(len(people))])
        yield from _rows(f"{name}'s, camera moves", people, moved, find_backdrop(moved))
    matter = Matter(own)
    mine = np.stack([matter.alpha(clip[k]) for k in STILL])
    matter.close()
    true = np.stack([_grey(folder / "test_alpha" / f"{k:05d}.png") for k in STILL])
    band = np.stack([_band(t) for t in true[1:-1]])
    second = [np.abs(np.diff(a, 2, axis=0))[band].mean() for a in (mine, true, mine - true)]
    figures = "{:.4f}, the true matte's {:.4f}, of the error {:.4f}".format(*second)
    yield f"second difference over time in the band: {figures}"


def _plate(name: str, side: int) -> np.ndarray:
    """[side, side, 3] uint8: another clip's background."""
    frames = list(read_frames(runs.data(f"real/{name}.mp4"), 0, 6))[::5]
    colour = find_backdrop([f[: f.shape[1]] for f in frames]).colour
    return cv2.resize(colour, (side, side), interpolation=cv2.INTER_AREA)


def _before(people: list[tuple[np.ndarray, np.ndarray]], plates: list[np.ndarray]) -> list[np.ndarray]:
    """The people before backgrounds, as a camera sees and a codec keeps them."""
    noise, frames = np.random.default_rng(0), []
    for (colour, alpha), plate in zip(people, plates, strict=True):
        behind = linear(plate[: alpha.shape[0], : alpha.shape[1]])
        clean = encode_uint8(alpha[..., None] * colour + (1 - alpha[..., None]) * behind)
        seen = np.clip(clean + noise.normal(0, NOISE, clean.shape), 0, 255).astype(np.uint8)
        code = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        frames.append(cv2.imdecode(code, cv2.IMREAD_COLOR))
    return frames


def _rows(
    name: str, people: list[tuple[np.ndarray, np.ndarray]], frames: list[np.ndarray], backdrop: Backdrop
) -> Iterator[str]:
    for label, known in (("yes", backdrop), ("no", None)):
        matter, errors, bands, halos, took = Matter(known), [], [], [], 0.0
        for (colour, truth), frame in zip(people, frames, strict=True):
            began = time.process_time()
            alpha = matter.alpha(frame)
            front = foreground(frame, alpha, known)
            took += time.process_time() - began
            band = _band(truth)
            errors.append(np.abs(alpha - truth).mean())
            bands.append(np.abs(alpha - truth)[band].mean())
            halos.append([_miss(front, alpha, colour, truth, np.array(over))[band].mean() for over in OVER.values()])
        matter.close()
        decibel = -10 * np.log10(np.mean(halos, 0))
        yield (
            f"{name:22}{label:>9}{np.mean(errors):8.4f}{np.mean(bands):8.4f}"
            + "".join(f"{d:11.1f}" for d in decibel)
            + f"{1000 * took / len(people):5.0f}"
        )


def _miss(front: np.ndarray, alpha: np.ndarray, colour: np.ndarray, truth: np.ndarray, over: np.ndarray) -> np.ndarray:
    """[H, W] squared difference, 0..1, of two cut-outs over a colour."""
    mine, true = (
        encode_uint8(a[..., None] * c + (1 - a[..., None]) * over) / 255 for c, a in ((front, alpha), (colour, truth))
    )
    return np.square(mine - true).mean(-1)


def _band(alpha: np.ndarray) -> np.ndarray:
    """[H, W] bool: the matte's edge and four pixels about it."""
    return cv2.dilate(((alpha > 0.02) & (alpha < 0.98)).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0


def _grey(path: Path) -> np.ndarray:
    values = read_image(path)
    return (values[..., 0] if values.ndim == 3 else values).astype(np.float32) / 255
