"""Footage whose lower face is covered: how far from the pose that the whole face gives its head is placed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np

from relitalk_engine.events import Reporter
from relitalk_engine.face.fitting import HeadFit
from relitalk_engine.pipeline import base
from relitalk_engine.pipeline.person import Person
from relitalk_engine.subject import Subject
from relitalk_engine.synthesis.motion import Motion

from .held_out import CLIPS, Held, held


def covered(again: bool, preset: str, clips: list[str]) -> Iterator[str]:
    """The last fifth of each clip, placed by the upper face alone and by nose and cheeks too."""
    yield f"{'% of the eyes distance, degrees':32s}  points  shift across, down  turned by"
    for name in clips or CLIPS:
        who = held(name, preset, again)
        person = Person(Subject.open(who.place))
        true = _placed(who, person, whole=True)
        with mock.patch.object(base, "_down_to_the_mouth", lambda person, fitted, *_: fitted):
            alone = _placed(who, person)
        for way, found in {"upper face alone": alone, "nose and cheeks too": _placed(who, person)}.items():
            yield f"{name:10s} {way:21s}  {_apart(person, found, true)}"


def _placed(who: Held, person: Person, whole: bool = False) -> HeadFit:
    with tempfile.TemporaryDirectory() as scratch:
        found = base.open_video(
            person, who.clip, who.start, Path(scratch) / "base.mkv", Reporter(quiet=True), mouth_matters=whole
        )
        found.close()
    return found.fit


def _apart(person: Person, found: HeadFit, true: HeadFit) -> str:
    """Landmarks and outline under one mouth, as both poses have them."""
    mouth = np.isin(np.arange(true.psi.shape[1]), person.head.mouth_actions)
    mine, theirs = Motion.of(person.head, found, np.where(mouth, true.psi, found.psi)), Motion.of(person.head, true)
    off = 100 * (mine.knots - theirs.knots) / theirs.unit[:, None, None]
    trace = np.einsum("tij,tij->t", mine.rotation, theirs.rotation)
    turned = np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).mean()
    across, down = off.mean((0, 1))
    return f"{np.sqrt((off**2).sum(-1).mean()):6.2f}  {across:12.2f}, {down:4.2f}  {turned:9.2f}"
