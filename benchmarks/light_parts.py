"""The decomposition with one part left out at a time, as in the paper's Fig. 9, learnt anew and held against truth."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from relitalk_engine.config import ReflectanceConfig, load_preset
from relitalk_engine.evaluate import tables
from relitalk_engine.pipeline.person import write_tensors
from relitalk_engine.subject import Subject, read_tensors

from . import runs
from .clips import QUIET
from .pixels import as_toml

PRESET = "draft"
PARTS: dict[str, dict[str, object]] = {
    "whole": {},
    "(a) without F_coarse and the staged training": {"steps_coarse": 0},
    "(b) without F_normal": {"use_normal": False},
    "(c) without the specular part": {"use_specular": False},
    "(d) without total variation": {"smooth": 0.0},
    "(e) without parsimony": {"parsimony": 0.0},
    "(f) light as it is started, not learnt": {"use_learnt_light": False},
    "(g) as printed: F_albedo alone, tinted specular, SH light": {"paper": True},
    "without identity-consistent supervision": {"use_consistency": False},
    "beyond the paper: without the gauge": {"exposure_gauge": False},
    "beyond the paper: without the networks' prior": {"use_prior": False},
    "beyond the paper: without the albedo texture": {"use_texture": False},
}
"""What is left out in each row."""
ANEW = ("reflectance", "passes", "synthesis", "report")
SHOWN = ("foreground_psnr", "opaque_psnr", "hair_psnr", "ssim", "gradient_psnr")


def light_parts(again: bool) -> Iterator[str]:
    """A row for each part: figures on subject_a's seven lights, raw; normals and albedo against the truth."""
    folder = runs.data("synthetic/subject_a")
    whole = runs.subject(folder / "train.mp4", "subject_a", again)
    yield f"{'':60s}" + "".join(f"{name:>17}" for name in SHOWN) + f"{'normals °':>12}{'albedo %':>11}{'source dB':>11}"
    switches = asdict(ReflectanceConfig())
    for label, changes in PARTS.items():
        missing = [name for name in changes if name not in switches]
        if missing:
            yield f"{label:60s}  there is no switch {missing[0]}"
            continue
        place = relearnt(whole, folder / "train.mp4", label, changes, again)
        sheets = runs.RESULTS / "sheets" / place.stem
        found = tables.evaluate(Subject.open(place), folder, "cpu", reporter=QUIET, pictures=sheets)
        mean = found.relight["ours"]["mean"]
        share = np.nan if found.albedo_error is None else 100 * found.albedo_error
        yield (
            f"{label:60s}" + "".join(f"{mean[name]:17.3f}" for name in SHOWN)
            + f"{found.normal_degrees or np.nan:12.2f}{share:11.1f}{found.reconstruction_psnr or np.nan:11.2f}"
        )


def relearnt(whole: Path, clip: Path, label: str, changes: dict[str, object], again: bool) -> Path:
    """The same subject with its reflectance learnt anew under other settings; head and surface stay.

    Args:
        whole: the subject that all of it was learnt of.
        clip: what it was learnt from.
        label: of the row.
        changes: fields of `ReflectanceConfig` and their values.
        again: also where it was done before.
    """
    name = "".join(c if c.isalnum() else "_" for c in label)
    place = whole.with_name(f"{whole.stem}_{name}.relitalk")
    if place.exists() and not again:
        return place
    building = place.with_name(place.name + ".building")
    for old in (place, building):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(whole, building, copy_function=_share_frames, ignore=shutil.ignore_patterns("passes", "report*"))
    subject = Subject(building, Subject.open(whole).info)
    subject.passes_dir.mkdir(exist_ok=True)
    subject.info.stages_done = [stage for stage in subject.info.stages_done if stage not in ANEW]
    kept = {k: v for k, v in read_tensors(subject.weights_path).items() if k.startswith(("surface.", "speech."))}
    write_tensors(subject.weights_path, kept)
    subject.save()
    settings = load_preset(PRESET)
    settings = replace(
        settings, reflectance=replace(settings.reflectance, **changes),
        synthesis=replace(settings.synthesis, steps_local=1, steps_blend=1),  # the mouth is not looked at here
    )
    preset = place.with_suffix(".toml")
    preset.write_text(as_toml(settings), encoding="utf-8")
    runs.relitalk("train", clip, "-o", place, "--preset", preset, "--consent", "yes", "--resume")
    return place


def _share_frames(source: str, to: str) -> str:
    """Frames are large and nobody writes into them; all else is copied."""
    if source.endswith(".mkv"):
        try:
            os.link(source, to)
        except OSError:
            shutil.copy2(source, to)
        return to
    return str(shutil.copy2(source, to))
