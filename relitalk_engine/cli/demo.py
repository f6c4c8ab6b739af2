"""`relitalk demo`: the sample clip trained, driven by its second sentence under two lights; a sheet and a film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import folders
from ..config import Preset, presets_folder
from ..errors import ReliTalkError
from ..events import Reporter
from ..pipeline.options import Background, LightOptions, OutOptions, RenderOptions, TrainOptions
from ..subject import Subject
from ..take import Take
from .stopping import Stop

LIGHTS = ("window", "evening")
COLUMNS = 6
"""Pictures in a row of the sheet."""
PAPER = 245
"""The sheet's grey."""
GAP = 8
"""Pixels between pictures."""


def run(folder: Path, preset: Preset, device: str, stop: Stop, *, reporter: Reporter) -> dict[str, Any]:
    """Make the whole demo.

    Args:
        folder: where to.
        preset: how thoroughly to train.
        device: "cpu" or "cuda".
        stop: what to throw away when it is left in the middle of a step.
        reporter: whom to tell.

    Returns:
        Where subject, takes, sheet and film lie.

    Raises:
        ReliTalkError: something is missing.
        Cancelled: the user asked to stop.
    """
    from ..pipeline import render, train

    shelf = presets_folder()
    clip, sentence = shelf / "sample" / "sample.mp4", shelf / "sample" / "sentence.wav"
    for path in (clip, sentence):
        if not path.is_file():
            raise ReliTalkError("no_sample", f"The sample {path} is missing.", "Install ReliTalk again.", 4)
    folder.mkdir(parents=True, exist_ok=True)
    subject = folder / "sample.relitalk"
    train.train(TrainOptions(clip, subject, preset, device, force=True, consent=True), reporter=reporter)
    source = RenderOptions(
        subject,
        sentence,
        folder / "source",
        out=OutOptions(background=Background("colour", (52, 56, 62)), force=True),
        device=device,
    )
    calls = {"source": source}
    for name in LIGHTS:
        light = LightOptions(str(shelf / "lights" / f"{name}.exr"))
        calls[name] = replace(source, output=folder / name, light=light)
    takes = []
    for call in calls.values():
        stop.scratch.append(folders.building_place(call.output))
        render.render(call, reporter=reporter)
        takes.append(Take.open(call.output))
    sheet, film = folder / "contact_sheet.png", folder / "demo.mp4"
    _write_sheet(sheet, Subject.open(subject), takes)
    _write_film(film, takes)
    reporter.preview(sheet)
    return {"subject": str(subject), "contact sheet": str(sheet), "film": str(film)} | {
        f"take under {name}": str(call.output) for name, call in calls.items()
    }


def _write_sheet(path: Path, subject: Subject, takes: list[Take]) -> None:
    """Rows: the clip as it is, then each take, from its first frame to its last."""
    from ..media import images, lossless

    with lossless.LosslessReader(subject.frames_path) as frames:
        rows = [[frames[int(i)] for i in np.linspace(0, len(frames) - 1, COLUMNS)]]
    for take in takes:
        rows.append(
            [_picture(take, int(i)) for i in np.linspace(take.info.frames[0], take.info.frames[1] - 1, COLUMNS)]
        )
    height, width = rows[0][0].shape[:2]
    sheet = np.full((len(rows) * (height + GAP) + GAP, COLUMNS * (width + GAP) + GAP, 3), PAPER, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            y, x = GAP + r * (height + GAP), GAP + c * (width + GAP)
            sheet[y : y + height, x : x + width] = picture[:height, :width]
    images.write_png(path, sheet, {"Title": "ReliTalk demo: the clip, then each take", **_provenance(takes)})


def _write_film(path: Path, takes: list[Take]) -> None:
    """All takes side by side, with their sound."""
    from ..media import preview

    def side_by_side() -> Iterator[np.ndarray]:
        for frame in range(*takes[0].info.frames):
            yield np.concatenate([_picture(take, frame) for take in takes], axis=1)

    preview.write_preview(path, side_by_side(), takes[0].info.fps, takes[0].sound, _provenance(takes)["Comment"])


def _provenance(takes: list[Take]) -> dict[str, str]:
    """What a picture of all takes says of itself."""
    names = " and ".join(Path(take.info.light["spec"]).name for take in takes)
    return replace(takes[0].info, light={"spec": names}).provenance()


def _picture(take: Take, frame: int) -> np.ndarray:
    """One finished frame, [H, W, 3] uint8; the demo's background is opaque."""
    from ..media import images

    return images.read_image(take.beauty_path(frame))[..., :3]
