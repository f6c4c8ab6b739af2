"""`relitalk doctor`: what this machine has and what is missing, in words."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
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
    own = [entry.head for entry in weights.REGISTRY if entry.head and entry.path().exists()]
    found.lines += [
        "",
        f"Head models: {', '.join(['anny' if head.is_file() else 'anny MISSING', *own])}.",
        "Visibility: rays (embree)" + (", pytorch3d on CUDA." if find_spec("pytorch3d") else "."),
        f"Presets: {', '.join(preset_names())}.",
    ]
    if not head.is_file():
        found.problems.append("the head prior (priors/head.safetensors)")
    found.lines += ["", f"Weights that you may add, in {weights.folder()}:"]
    for entry in weights.REGISTRY:
        found.lines += [f"  {entry.name} ({entry.licence})", f"    {_standing(entry)}"]
        if not entry.path().exists():
            named = f"{entry.file} or {entry.or_file}" if entry.or_file else entry.file
            found.lines.append(f"    From {entry.where}, as {named}.")
    found.lines += ["", "Something is missing." if found.problems else "Everything that is needed is here."]
    return found


def _standing(entry: weights.Weights) -> str:
    problem = entry.problem() or (_head_problem(entry.head) if entry.head and entry.path().exists() else "")
    if problem:
        return f"There, but {problem.rstrip('.')}. In use: {entry.replaces}."
    if not entry.path().exists():
        return f"Not there. In use: {entry.replaces}."
    if not entry.read_by:
        return f"There, and not read by this version. In use: {entry.replaces}."
    return f"There, and used by {entry.read_by}."


def _head_problem(kind: str) -> str:
    try:
        from ..face import heads
    except ImportError as error:
        return f"it cannot be looked at ({error})"
    return heads.problem(kind)
