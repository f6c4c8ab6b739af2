"""Presets of quality and of light: those that ship, and the user's own, TOML files in Blender's configuration.

Blender's own preset operators write Python; the engine reads TOML, and so does this.
"""

from __future__ import annotations

import json
import re
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..relitalk_engine.errors import ReliTalkError

SHIPPED = Path(__file__).resolve().parent.parent / "presets"
QUALITY = ("draft", "standard", "high", "paper")
"""The quality presets that ship, the quickest first."""
LIGHTS = {
    "As filmed": "source",
    "From the camera": "dir:0,0,1",
    "Key from the left": "dir:-45,30,1",
    "Key from the right": "dir:45,30,1",
    "From above": "dir:0,75,1",
    "Rim from behind": "dir:150,20,2",
    "Window": "window.exr",
    "Evening": "evening.exr",
}
"""Lights that ship: the setting `light` of each; a file's name is one of the folder presets/lights."""


_items: tuple[tuple[str, int] | None, list[tuple[str, str, str, int]]] = (None, [])


@dataclass(frozen=True)
class LightPreset:
    """A light and how bright the portrait is shown in it."""

    light: str
    exposure: float = 0.0


def own_folder(kind: str = "quality") -> Path:
    """Where the user's own lie: quality presets in the folder itself, lights in one inside."""
    folder = Path(bpy.utils.user_resource("CONFIG", path="relitalk/presets"))
    return folder if kind == "quality" else folder / kind


def own_names(kind: str = "quality") -> list[str]:
    """Names of the user's own presets."""
    return sorted(path.stem for path in own_folder(kind).glob("*.toml"))


def quality_items() -> list[tuple[str, str, str, int]]:
    """All quality presets as Blender's enum items; the number of each stays when others come and go."""
    global _items
    try:
        stamp = (str(own_folder()), own_folder().stat().st_mtime_ns)
    except OSError:
        stamp = (str(own_folder()), 0)
    if _items[0] != stamp:  # Blender asks at every drawing, and keeps no copy of the words
        shipped = [(name, name.capitalize(), _description(name), number) for number, name in enumerate(QUALITY)]
        own = [
            (name, name, _description(name) or "A preset of your own", 100 + zlib.crc32(name.encode()) % 2**30)
            for name in own_names() if name not in QUALITY
        ]
        _items = (stamp, shipped + own)
    return _items[1]


def quality_file(name: str) -> Path:
    """The TOML file of a quality preset; the user's own goes before one that ships."""
    own = own_folder() / f"{name}.toml"
    return own if own.is_file() else SHIPPED / "quality" / f"{name}.toml"


def quality_for_engine(name: str) -> str:
    """What the engine's --preset is told: a name, or the user's own file."""
    own = own_folder() / f"{name}.toml"
    return str(own) if own.is_file() else name


def keep_quality(name: str, like: str) -> Path:
    """Keep a quality preset as one of the user's own, to be changed in a text editor.

    Raises:
        ReliTalkError: the name is none, it is taken, or the file cannot be written.
    """
    path = _new(name, "quality")
    return _write(path, quality_file(like).read_text(encoding="utf-8"))


def keep_light(name: str, preset: LightPreset) -> Path:
    """Keep a light as one of the user's own; one of that name is replaced.

    Raises:
        ReliTalkError: the name is none, or the file cannot be written.
    """
    path = light_place(name)
    return _write(path, f"light = {json.dumps(preset.light)}\nexposure = {preset.exposure:.4f}\n")


def light_place(name: str) -> Path:
    """Where the user's own light of a name lies.

    Raises:
        ReliTalkError: the name is none.
    """
    return own_folder("light") / f"{_checked(name)}.toml"


def light(name: str) -> LightPreset:
    """A light preset by its name; the user's own goes before one that ships.

    Raises:
        ReliTalkError: there is none, or its file cannot be read.
    """
    path = own_folder("light") / f"{name}.toml"
    if path.is_file():
        table = _table(path)
        exposure = table.get("exposure", 0.0)
        if not isinstance(table.get("light"), str) or not isinstance(exposure, (int, float)):
            raise ReliTalkError("bad_preset", f"{path} is no light: it wants light and exposure.", "Keep it again.")
        return LightPreset(table["light"], float(exposure))
    if name not in LIGHTS:
        raise ReliTalkError("no_preset", f"There is no light named {name}.", "Choose another.")
    file = SHIPPED / "lights" / LIGHTS[name]
    return LightPreset(str(file) if file.is_file() else LIGHTS[name])


def remove(kind: str, name: str) -> None:
    """Delete one of the user's own presets.

    Raises:
        ReliTalkError: it is none of the user's own, or cannot be removed.
    """
    path = own_folder(kind) / f"{name}.toml"
    if not path.is_file():
        raise ReliTalkError("no_preset", f"{name} is no preset of your own.", "Those that ship stay.")
    try:
        for beside in [path, *path.parent.glob(f"{path.stem}.*")]:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ReliTalkError("unwritable", f"{path} cannot be removed ({error.strerror or error}).") from error


def _description(name: str) -> str:
    try:
        return str(_table(quality_file(name)).get("description", ""))
    except ReliTalkError as error:
        return str(error)


def _table(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReliTalkError("bad_preset", f"The preset {path} cannot be read: {error}.", "Mend it.") from error


def _checked(name: str) -> str:
    if not name.strip() or re.search(r'[<>:"/\\|?*\x00-\x1f]', name) or name.strip().startswith("."):
        raise ReliTalkError("bad_name", f'"{name}" cannot be a name.', "Use letters, digits and spaces.")
    return name.strip()


def _new(name: str, kind: str) -> Path:
    path = own_folder(kind) / f"{_checked(name)}.toml"
    if path.exists() or path.stem in QUALITY:
        raise ReliTalkError("exists", f"There is a preset {path.stem} already.", "Choose another name.")
    return path


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReliTalkError("unwritable", f"{path} cannot be written ({error.strerror or error}).") from error
    return path
