"""ReliTalk as an add-on of the old kind, for the test's Blender alone."""

import os
from pathlib import Path

bl_info = {"name": "ReliTalk", "blender": (3, 4, 0), "version": (0, 1, 0), "category": "Animation"}

_root = Path(os.environ["RELITALK_ROOT"])
__path__ = [str(_root)]
exec(compile((_root / "__init__.py").read_text(encoding="utf-8"), str(_root / "__init__.py"), "exec"))
