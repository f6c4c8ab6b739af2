"""`relitalk doctor`: what this machine has and what is missing, in words."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from .. import machine, weights
from ..config import preset_names
from ..version import __version__


@dataclass
class Diagnosis:
    """What was found."""

    lines: list[str]
    """For a person to read."""
    problems: list[str]
    """What keeps the engine from working; empty: nothing."""


def look() -> Diagnosis:
    """Import every part, look at every file, and say it."""
    found = Diagnosis(
        [f"ReliTalk {__version__}", machine.python_words(), machine.device_words(), "", "Needed parts:"], []
    )
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        found.problems.append("Python 3.11 or 3.12 (mediapipe has no other)")
    for part in machine.parts():
        state = f"MISSING: {part.problem}" if part.problem else "ok"
        found.lines.append(f"  {part.name:<24} {part.version:<14} {state:<4} {part.purpose}")
        if part.problem:
            found.problems.append(f"{part.name} ({part.problem})")
    head = Path(__file__).resolve().parent.parent / "priors" / "head.safetensors"
    found.lines += [
        "",
        f"Head prior: {'in place' if head.is_file() else 'MISSING'}.",
        f"Presets: {', '.join(preset_names())}.",
    ]
    if not head.is_file():
        found.problems.append("the head prior (priors/head.safetensors)")
    found.lines += ["", f"Weights that you may add, in {weights.folder()}:"]
    for entry in weights.REGISTRY:
        found.lines += [f"  {entry.name} ({entry.licence})", f"    {_standing(entry)}"]
        if not entry.path().is_file():
            found.lines.append(f"    From {entry.where}, as {entry.file}.")
    found.lines += ["", "Something is missing." if found.problems else "Everything that is needed is here."]
    return found


def _standing(entry: weights.Weights) -> str:
    problem = entry.problem()
    if problem:
        return f"There, but {problem}. In use: {entry.replaces}."
    if not entry.path().is_file():
        return f"Not there. In use: {entry.replaces}."
    if not entry.read_by:
        return f"There, and not read by this version. In use: {entry.replaces}."
    return f"There, and used by {entry.read_by}."
