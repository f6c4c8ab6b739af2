"""The driven area against frames that were never learnt from: the last fifth of a clip, over its own footage."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from relitalk_engine.config import PARTS, Preset, load_preset
from relitalk_engine.media import images
from relitalk_engine.pipeline.person import write_tensors
from relitalk_engine.subject import Subject, read_tensors

from . import runs
from .held_out import BASELINES, CLIPS, RELIT, Held, held, pictures
from .picture_figures import HEADING, Row, measure, seam

PAPER = ("ReliTalk, its own clips: full frame 37.66 dB, 0.9892; driven area 37.91 dB", "SyncTalk there: 37.64 dB")
SHOWN, ZOOM, AROUND = 10, 2, 2.2
"""Frames of a strip, its enlargement, and the side of what it shows in outer-eye distances."""
ABLATIONS = {
    "without F_blend": {"blend": False},
    "without perceptual": {"perceptual": 0.0},
    "without light normalisation": {"normalised": False},
    "without retrieval": {"retrieval": False},
}


def pixels(again: bool, preset: str, clips: list[str]) -> Iterator[str]:
    """Train on the first four fifths of each clip, drive the last over its own footage."""
    yield from PAPER
    yield f"{'':32s}{HEADING}"
    for name in clips or CLIPS:
        who = held(name, preset, again)
        for way, row in rows(who).items():
            yield f"{name:10s} {way:21s}{row}"
        yield f"{name:10s} {strip(who)}"


def ablations(again: bool, preset: str, clips: list[str]) -> Iterator[str]:
    """The mouth learnt anew with one part left out at a time; the first row is with all."""
    yield f"{'':39s}{HEADING}"
    for name in clips or ["talk_a"]:
        who = held(name, preset, False)
        for label, changes in ({"whole": {}} | ABLATIONS).items():
            yield f"{name:10s} {label:28s}{row_of(relearnt(who, label, changes, again), 'tracked')}"


def relearnt(who: Held, label: str, changes: dict[str, object], again: bool) -> Held:
    """The same subject, whose mouth alone is learnt anew with other settings."""
    place = who.place.with_name(f"{who.place.stem}_{label.replace(' ', '_')}.relitalk")
    if again or not place.exists():
        building = place.with_name(place.name + ".building")
        shutil.rmtree(building, ignore_errors=True)
        shutil.copytree(who.place, building, copy_function=_link)
        subject = Subject(building, Subject.open(who.place).info)
        subject.info.stages_done = [s for s in subject.info.stages_done if s not in ("synthesis", "report")]
        _written_anew(subject)
        settings = load_preset(who.preset)
        settings = replace(settings, synthesis=replace(settings.synthesis, **changes))
        preset = place.with_suffix(".toml")
        preset.write_text(as_toml(settings), encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        words = ("--preset", preset, "--duration", who.start, "--consent", "yes", "--resume")
        runs.relitalk("train", who.clip, "-o", place, *words)
    return replace(who, place=place)


def _link(source: str, to: str) -> str:
    """A hard link where the disk has such: frames and passes are large, and nobody writes into them."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copy2(source, to)
    return to


def _written_anew(subject: Subject) -> None:
    """Files of a copied subject that its training will change, no longer shared with the first."""
    learnt = read_tensors(subject.weights_path)
    write_tensors(subject.weights_path, {k: v for k, v in learnt.items() if not k.startswith("synthesis.")})
    subject.report_path.unlink(missing_ok=True)
    (subject.path / "subject.json").unlink()
    subject.save()


def as_toml(preset: Preset) -> str:
    """A preset as a file."""
    lines = [f"{key} = {json.dumps(getattr(preset, key))}" for key in ("name", "description")]
    for part in PARTS:
        values = asdict(getattr(preset, part))
        lines += ["", f"[{part}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def rows(who: Held) -> dict[str, Row]:
    """The table of one clip, kept beside its subject."""
    kept = who.place.with_suffix(".json")
    if who.newer(kept):
        return {way: Row(**figures) for way, figures in json.loads(kept.read_text()).items()}
    found = {way: row_of(who, way) for way in ("tracked", "heard", *BASELINES)}
    kept.write_text(json.dumps({way: row.table() for way, row in found.items()}, indent=1))
    return found


def row_of(who: Held, way: str) -> Row:
    """One row: a take of the subject, or a baseline."""
    seen = who.unseen
    shown = seen.baseline(way) if way in BASELINES else pictures(who.tracked if way == "tracked" else who.heard)
    row = measure(shown, seen.true, seen.areas)
    if way != "tracked":
        return row
    first = range(min(RELIT, len(seen.areas.painted)))
    lit = seam(pictures(who.tracked_relit), pictures(who.relit), seen.areas.painted, first)
    return replace(row, relit_seam=lit)


def strip(who: Held) -> Path:
    """True, driven by the true motion, driven by the sound and relit, of ten frames, enlarged twice; a PNG."""
    import cv2

    path = who.place.with_suffix(".png")
    seen = who.unseen
    count = len(seen.areas.removed)
    side = int(AROUND * np.median(seen.unit))
    chosen = np.linspace(0, count - 1, SHOWN).round().astype(int)
    relit = np.linspace(0, min(RELIT, count) - 1, SHOWN).round().astype(int)
    ways = ((seen.true, chosen), (pictures(who.tracked), chosen), (pictures(who.heard), chosen),
            (pictures(who.tracked_relit), relit))  # fmt: skip
    lines = []
    for frames, numbers in ways:
        cells = []
        for t in numbers:
            matrix = np.array([[ZOOM, 0, 0], [0, ZOOM, 0]], np.float64)
            matrix[:, 2] = ZOOM * (side / 2 - seen.centre[t])
            cells.append(cv2.warpAffine(frames(int(t)), matrix, (ZOOM * side,) * 2, flags=cv2.INTER_CUBIC))
        lines.append(np.concatenate(cells, 1))
    images.write_png(path, np.concatenate(lines, 0))
    return path
