"""The worlds that come with Blender, where its module is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def worlds() -> dict[str, Path]:
    """Panorama files by name, such as "courtyard"."""
    found = importlib.util.find_spec("bpy")
    folder = Path(found.origin).parent if found and found.origin else Path()
    files = sorted(folder.glob("*/datafiles/studiolights/world/*.exr"))
    if not files:
        pytest.skip("Blender's worlds are not here")
    return {file.stem: file for file in files}
