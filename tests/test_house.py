"""Rules of the house that a machine can check."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"relitalk_engine", "relitalk_addon", "operators", "panels", "presets"}
BLENDER = {"bpy", "mathutils", "bpy_extras", "gpu", "blf", "aud"}
CODE = sorted(path for room in OURS for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> list[tuple[int, str]]:
    """(level, first name) of every import in a file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, (node.module or "").split(".")[0]))
    return found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_of_our_own_are_relative_and_the_engine_knows_no_blender(path):
    absolute = {name for level, name in imports(path) if level == 0}
    assert not absolute & OURS
    if path.is_relative_to(ROOT / "relitalk_engine") and path.name != "synthetic.py":
        assert not absolute & BLENDER


def test_the_wheel_holds_every_room():
    packages = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    rooms = {path.parent.relative_to(ROOT) for path in (ROOT / "relitalk_engine").rglob("*.py")}
    assert packages == {".".join(room.parts) for room in rooms} | {"relitalk_engine.presets"}


def test_one_version_everywhere():
    from relitalk_engine.version import __version__

    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    assert manifest["version"] == __version__
