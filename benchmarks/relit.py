"""Relit frames beside their truth: every light of the rendered people, and one head filmed under two lights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from relitalk_engine.evaluate import tables
from relitalk_engine.media.images import srgb_to_linear
from relitalk_engine.pipeline.person import Person
from relitalk_engine.reflectance.passes import read_frame_passes
from relitalk_engine.reflectance.relight import bake, compose, decompose
from relitalk_engine.subject import Subject

from . import runs
from .clips import QUIET

AIMS = {
    "foreground_psnr": (21.0, 22.0), "opaque_psnr": (24.0, 25.0), "hair_psnr": (18.0, 19.0), "ssim": (0.85, 0.85),
}  # fmt: skip
"""What is asked for in the mean of subject_a's seven lights, raw and after one gain."""
BESIDE = (
    "on subject_a, raw/after one gain: DPR 14.9/16.4 dB foreground, 15.3/16.8 opaque, 14.0/15.8 hair, SSIM 0.723/0.747",
    "  true albedo and normals under order-2 SH: 15.8 dB foreground (no albedo on hair), 23.0 opaque, SSIM 0.750",
    "  source × SH ratio on true normals and lights: 20.3 dB foreground, 24.6 opaque, 14.7 hair, SSIM 0.835",
    "on the paper's own rendered people: ReliTalk 22.8 dB, SSIM 0.9435, LPIPS 0.0326; DPR 18.2 dB, 0.909, 0.067",
)
PEOPLE = runs.RESULTS / "people"
"""Further people, rendered with `python -m relitalk_engine.evaluate.synthetic`; each is measured like subject_a."""
TWO = (("courtyard", "30"), ("studio", "0"))
WHO = "--seed 7 --tone 0.35 --hair short --size 256 --frames 60 --fps 12.5 --test 0 --samples 24".split()
APART_MOST = 5.0
"""Percent by which the skin's albedo may differ between two source lights."""
FACING = 0.4


def truth(again: bool) -> Iterator[str]:
    """The rendered people, whose frames under other lights are known, with contact sheets of every light."""
    yield from BESIDE
    folders = [runs.data("synthetic/subject_a"), *sorted(path.parent for path in PEOPLE.glob("*/relight.json"))]
    for folder in folders:
        place = runs.subject(folder / "train.mp4", folder.name, again)
        sheets = runs.RESULTS / "sheets" / folder.name
        figures = tables.evaluate(Subject.open(place), folder, "cpu", reporter=QUIET, pictures=sheets)
        yield from (f"{folder.name}: {line}" for line in figures.lines())
        yield from (f"{folder.name}: {line}" for line in against_aims(figures.relight["ours"]["mean"]))
        yield f"{folder.name}: contact sheets (truth, ours, error) in {sheets}"


def against_aims(mean: dict[str, float]) -> Iterator[str]:
    """The figures that are asked for, with what is asked."""
    for name, aims in AIMS.items():
        for found, aim, kind in zip((mean[name], mean[f"{name}_gained"]), aims, ("raw", "after a gain"), strict=True):
            yield f"{name + ', ' + kind:32s}{found:8.3f}   aim {aim:g}   {'reached' if found >= aim else 'MISSED'}"


def two_lights(again: bool) -> Iterator[str]:
    """The albedo of one head's skin, learnt from two clips under different lights."""
    skins = []
    for hdri, turn in TWO:
        folder = runs.RESULTS / "two_lights" / hdri
        if not (folder / "train.mp4").exists():
            render(folder, *WHO, "--source", hdri, turn)
        person = Person(Subject.open(runs.subject(folder / "train.mp4", f"two_lights_{hdri}", again)))
        skins.append(skin_albedo(person))
        yield f"under {hdri}, {turn}°: skin albedo " + ", ".join(f"{x:.3f}" for x in skins[-1])
        person.frames.close()
    apart = 100 * np.abs(np.log(skins[0] / skins[1]))
    yield (
        f"apart by {', '.join(f'{x:.1f}' for x in apart)} %, {100 * abs(np.log(skins[0].mean() / skins[1].mean())):.1f}"
        f" % in the mean   aim {APART_MOST:g} %"
    )


def render(folder: Path, *words: str) -> None:
    """Render a person in a process of its own.

    Raises:
        FileNotFoundError: Blender's module is not installed.
    """
    runs.world_hdri()
    call = [sys.executable, "-m", "relitalk_engine.evaluate.synthetic", str(folder), *words]
    subprocess.run(call, cwd=runs.ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def skin_albedo(person: Person, step: int = 5) -> np.ndarray:
    """[3] mean albedo over the skin that faces the camera in every `step`-th frame of the subject's clip."""
    source = bake(person.light, person.reflectance.specular_exponent())
    means = []
    with person.observer() as observer:
        for index in range(0, person.subject.info.frames, step):
            rgb, passes = person.frames[index], read_frame_passes(person.subject.passes_dir, index)
            seen = observer.observe(index, rgb, alpha=passes.alpha)
            shadow = person.shadow.at(seen.hits, person.fit.rotation[index])
            frame = compose(srgb_to_linear(rgb.astype(np.float32) / 255), passes, shadow)
            skin = (seen.regions["skin"] > 0.9) & (passes.alpha > 0.99) & (passes.normal[..., 2] > FACING)
            means.append(decompose(frame, source).albedo[skin].mean(0))
    return np.mean(means, 0)
