#!/usr/bin/env python3
"""Pack the extension: what git tracks, less what only the workshop needs, then Blender's own check of the zip.

python scripts/pack.py [-o FOLDER]      prints the path of the zip; exit status 1 where Blender refuses it
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKSHOP = ("tests/", "benchmarks/", "scripts/", "docs/", ".ci/", ".git")
EPOCH = (2024, 1, 1, 0, 0, 0)  # the same sources give the same zip


def tracked(root: Path) -> list[str]:
    """Paths that git tracks and that belong into the zip, sorted.

    Raises:
        SystemExit: git does not answer, or a tracked file is gone.
    """
    call = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False)
    if call.returncode:
        sys.exit(f"git cannot list the files of {root}: {call.stderr.decode(errors='replace').strip()}")
    names = sorted(name for name in call.stdout.decode().split("\0") if name and not name.startswith(WORKSHOP))
    gone = [name for name in names if not (root / name).is_file()]
    if gone:
        sys.exit(f"git tracks {', '.join(gone)}, which is not there: commit its removal, or bring it back.")
    return names


def pack(root: Path, folder: Path) -> Path:
    """Write FOLDER/relitalk-VERSION.zip and return its path."""
    manifest = tomllib.loads((root / "blender_manifest.toml").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{manifest['id']}-{manifest['version']}.zip"
    beside = path.with_suffix(".zip.new")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in tracked(root):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, (root / name).read_bytes())
    beside.replace(path)
    return path


def blenders_own_check(path: Path) -> str:
    """What Blender's extension tool says against the zip; empty where it finds nothing or is not there."""
    found = importlib.util.find_spec("bpy")
    if found is None or found.origin is None:
        print("bpy is not installed: the zip was not checked by Blender's own validate.", file=sys.stderr)
        return ""
    tools = sorted(Path(found.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if not tools:
        print("This bpy brings no extension tool: the zip was not checked.", file=sys.stderr)
        return ""
    call = subprocess.run(
        [sys.executable, str(tools[-1]), "validate", str(path)], capture_output=True, text=True, check=False,
    )
    return "" if call.returncode == 0 else (call.stdout + call.stderr).strip()


def main() -> int:
    """Pack, check, say where."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist", help="folder of the zip")
    path = pack(ROOT, parser.parse_args().output)
    complaint = blenders_own_check(path)
    if complaint:
        print(complaint, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
