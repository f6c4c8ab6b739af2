"""The engine as the add-on sees it: which Python runs it, from which copy of the code, what it lacks. No bpy here."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.version import __version__

ROOT = Path(__file__).resolve().parent.parent
PYTHON_VARIABLE = "RELITALK_ENGINE_PYTHON"
PYTHON_VERSION = "3.11"
MARKER = "relitalk.json"
CODE = (
    "__init__.py", "pyproject.toml", "README.md", "LICENSE", "CREDITS.md",
    "relitalk_addon", "relitalk_engine", "presets",
)
SET_UP = "Press Set up engine, or name a Python of your own in the add-on's preferences."


@dataclass(frozen=True)
class Engine:
    """A Python that can run the engine, and the copy of the code that it runs."""

    python: Path
    code: Path
    """Folder that holds `relitalk_engine` and `presets`."""

    def command(self, *arguments: str) -> list[str]:
        """The command line of one engine call."""
        return [str(self.python), "-m", "relitalk_engine", *arguments]

    def queued(self, *arguments: str) -> list[str]:
        """The command line of one engine call that waits for its turn first."""
        waiting = f"{self.code.name}.relitalk_addon.turn"
        return [str(self.python), "-m", waiting, *self.command(*arguments)]

    def environ(self) -> dict[str, str]:
        """The process environment of an engine call: nothing of Blender's own Python gets in."""
        return clean_environ(self.code, self.code.parent)


@dataclass(frozen=True)
class Found:
    """Where the engine's Python was looked for, and why it cannot be used, if so."""

    python: Path | None
    origin: str
    """In words: whose Python it is."""
    complaint: str = ""
    """A sentence; empty where nothing is known against it."""


def clean_environ(*code: Path) -> dict[str, str]:
    """This process's environment without what would mislead another Python, with `code` to import from."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return environ | {
        "PYTHONPATH": os.pathsep.join(map(str, code)), "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }


def python_in(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@lru_cache(maxsize=4)
def requirements(root: Path = ROOT) -> tuple[str, ...]:
    """What the engine needs, as pyproject.toml says it."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return tuple(table["project"]["dependencies"])


def environment_of(home: Path, root: Path = ROOT) -> Path:
    """The place of the engine's own environment; it changes when what the engine needs changes."""
    digest = hashlib.sha256("\n".join((PYTHON_VERSION, *requirements(root))).encode()).hexdigest()[:10]
    return home / f"env-{digest}"


def mark_ready(environment: Path, backend: str = "CPU") -> None:
    """Say that an environment is whole; written last, so that a set-up that was killed does not count."""
    beside = environment / (MARKER + ".new")
    beside.write_text(json.dumps({"engine": __version__, "backend": backend}), encoding="utf-8")
    os.replace(beside, environment / MARKER)


def remove(home: Path) -> None:
    """Take the engine off the disk: its environments, the copies of its code, its tools. Subjects and takes stay.

    Raises:
        ReliTalkError: something of it cannot be removed.
    """
    for path in [*home.glob("env-*"), *home.glob("tools"), *home.glob("*/relitalk")]:
        shutil.rmtree(path.parent if path.name == "relitalk" else path, ignore_errors=True)
    if any(home.glob("env-*")):
        raise ReliTalkError("unwritable", f"{home} cannot be emptied.", "Check who may write to it, or delete it.")


@dataclass(frozen=True)
class _Checked:
    """What a Python said of itself when it was last asked, for those who may not ask."""

    stamp: int
    complaint: str


_checked: dict[Path, _Checked] = {}


def find_python(preferred: str, home: Path, root: Path = ROOT) -> Found:
    """The Python that shall run the engine; looks at files only, so that a panel may ask.

    Args:
        preferred: the path in the preferences; empty: the variable RELITALK_ENGINE_PYTHON, else the own environment.
        home: the folder that *Set up engine* fills.
        root: the extension's folder.
    """
    named = preferred or os.environ.get(PYTHON_VARIABLE, "")
    if named:
        python = Path(named).expanduser()
        origin = "the Python named in the preferences" if preferred else f"the Python that {PYTHON_VARIABLE} names"
        if python.is_dir():
            python = python_in(python)
        if not python.is_file():
            return Found(None, origin, f"There is no Python at {python}. Correct the path in the preferences.")
        said = _checked.get(python)
        if said is not None and said.stamp == python.stat().st_mtime_ns:
            return Found(python, origin, said.complaint)
        return Found(python, origin)
    own = environment_of(home, root)
    if (own / MARKER).is_file() and python_in(own).is_file():
        return Found(python_in(own), "the engine's own environment")
    if any(home.glob(f"env-*/{MARKER}")):
        return Found(None, "none", "The engine's environment is of another version. Press Set up engine.")
    return Found(None, "none", f"The engine is not set up yet. {SET_UP}")


_LACKS = """
import json, sys
from importlib import metadata
def there(name):
    try: metadata.version(name)
    except metadata.PackageNotFoundError: return False
    return True
print(json.dumps({"version": list(sys.version_info[:2]), "lacks": [n for n in sys.argv[1:] if not there(n)]}))
"""


@lru_cache(maxsize=16)
def _lacks(python: Path, stamp: int, names: tuple[str, ...]) -> tuple[tuple[int, int], tuple[str, ...]]:
    call = subprocess.run(
        [str(python), "-c", _LACKS, *names], capture_output=True, text=True, timeout=60, check=True,
        env=clean_environ(python.parent), stdin=subprocess.DEVNULL,
    )
    said = json.loads(call.stdout)
    return (said["version"][0], said["version"][1]), tuple(said["lacks"])


def check_python(python: Path, root: Path = ROOT) -> str:
    """Ask a Python whether it can run the engine; remembered until the file changes.

    Returns:
        A sentence that says what it lacks; empty where it lacks nothing.
    """
    complaint = _ask(python, root)
    with contextlib.suppress(OSError):
        _checked[python] = _Checked(python.stat().st_mtime_ns, complaint)
    return complaint


def _ask(python: Path, root: Path) -> str:
    needs = tuple(name for name in map(_applies, requirements(root)) if name)
    try:
        version, lacks = _lacks(python, python.stat().st_mtime_ns, needs)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return f"{python} does not answer as a Python ({error.__class__.__name__})."
    if not (3, 11) <= version <= (3, 12):
        return f"{python} is Python {version[0]}.{version[1]}; the engine runs on 3.11 and 3.12."
    if lacks:
        _lacks.cache_clear()  # they may be installed any moment
        return f"{python} lacks {', '.join(lacks)}. Install them there with pip, or press Set up engine."
    return ""


def _applies(requirement: str) -> str:
    """The distribution's name; empty where a marker makes it depend on the machine."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return name.group() if name and ";" not in requirement else ""


def ready(preferred: str, home: Path, root: Path = ROOT) -> Engine:
    """The engine, with its code copied by version, ready to be called.

    Raises:
        ReliTalkError: there is no Python for it, or the Python lacks something.
    """
    found = find_python(preferred, home, root)
    if found.python is None:
        raise ReliTalkError("no_engine", found.complaint)
    complaint = check_python(found.python, root)
    if complaint:
        raise ReliTalkError("engine_lacks", complaint)
    return Engine(found.python, copy_code(home, root))


def copy_code(home: Path, root: Path = ROOT) -> Path:
    """Keep a copy of this version's code, so that an update of the extension pulls nothing from under a running job.

    Returns:
        The folder of the copy; it is named `relitalk` and can be imported as a package from its parent.

    Raises:
        ReliTalkError: the place cannot be written.
    """
    files = _code_files(root)
    place = home / f"{__version__}-{_digest(root, tuple(files))}"
    if not place.is_dir():
        beside = home / f".{place.name}.{os.getpid()}"
        try:
            for path in files:
                target = beside / "relitalk" / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            os.replace(beside, place)
        except OSError as error:
            shutil.rmtree(beside, ignore_errors=True)
            if not place.is_dir():  # else another Blender was quicker
                raise ReliTalkError(
                    "unwritable", f"The engine cannot be copied to {home} ({error.strerror or error}).",
                    "Make room there, or check who may write to it.",
                ) from error
    return place / "relitalk"


def _code_files(root: Path) -> list[Path]:
    found: list[Path] = []
    for name in CODE:
        path = root / name
        if path.is_file():
            found.append(path)
        elif path.is_dir():
            found += [p for p in sorted(path.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    return found


def _digest(root: Path, files: tuple[Path, ...]) -> str:
    stamps = [(str(path.relative_to(root)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()[:8]
