"""Makes the engine's environment, as a job of its own: uv brings a Python, pip the rest. No bpy here.

Run by Blender's Python as `python -m relitalk.relitalk_addon.environment --home HOME --job DIR` from the parent of the
engine's copy.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ..relitalk_engine.errors import Cancelled, MissingPart, ReliTalkError
from ..relitalk_engine.events import Reporter
from . import engine, hardware

FETCHING = (5, 85)
"""Percent of the whole at which the first package is fetched, and the last."""
PACKAGES = 45
"""How many there are, about, with those that others need."""
OFFLINE = "Check the network and press Set up engine again; what was downloaded is kept. The job's log says more."
TAIL = 4


def make(home: Path, code: Path, reporter: Reporter, uv: str = "", backend: str = "AUTO") -> Path:
    """Make the engine's environment and return its interpreter.

    Args:
        home: folder that holds environments and copies of the code.
        code: the copy of the engine that is installed.
        reporter: told the progress; asked whether to stop.
        uv: path of uv; empty: the one on PATH, else one fetched into `home`.
        backend: what torch shall compute on, a key of `hardware.backends`.

    Raises:
        MissingPart: uv or a package cannot be had.
        Cancelled: the user asked to stop.
    """
    place, build = engine.environment_of(home, code), hardware.chosen(backend)
    no_room = hardware.lacks_room(home, build)
    if no_room:
        raise MissingPart("no_room", no_room)
    home.mkdir(parents=True, exist_ok=True)
    reporter.progress("Finding uv", 0, 100)
    uv = uv or _find_uv(home, reporter)
    reporter.progress("Making the environment", 2, 100)
    shutil.rmtree(place, ignore_errors=True)
    _call([uv, "venv", "--python", engine.PYTHON_VERSION, "--seed", str(place)], "make the environment", reporter)
    python = engine.python_in(place)
    reporter.progress("Installing packages", FETCHING[0], 100)
    if build.torch:
        _own_torch(uv, python, code, build, reporter)
    _call([str(python), "-m", "pip", "install", "--progress-bar", "off", str(code)], "install the packages", reporter)
    reporter.progress("Checking", 98, 100)
    complaint = engine.check_python(python, code)
    if complaint:
        raise MissingPart("set_up_failed", complaint, OFFLINE)
    engine.mark_ready(place, build.key)
    reporter.progress("Checking", 100, 100)
    return python


def _own_torch(uv: str, python: Path, code: Path, build: hardware.Backend, reporter: Reporter) -> None:
    """Take the build of torch that the machine wants; PyPI's serves where it cannot be had, only larger or slower."""
    torch = next(need for need in engine.requirements(code) if need.startswith("torch"))
    wanted = ["--torch-backend", build.torch]
    try:
        _call([uv, "pip", "install", "--python", str(python), *wanted, torch], "fetch torch", reporter)
    except MissingPart as error:
        reporter.warning(f"torch for {build.name} could not be had, so the common build was taken. {error.message}")


def _find_uv(home: Path, reporter: Reporter) -> str:
    tools = home / "tools"
    own = engine.python_in(tools).with_name("uv.exe" if sys.platform == "win32" else "uv")
    found = str(own) if own.is_file() else shutil.which("uv")
    if found:
        return found
    _call([sys.executable, "-m", "venv", "--clear", str(tools)], "prepare pip", reporter)
    _call([str(engine.python_in(tools)), "-m", "pip", "install", "uv"], "fetch uv", reporter)
    return str(own)


def _call(command: list[str], doing: str, reporter: Reporter) -> None:
    """Run a command to its end with its words in this process's log.

    Raises:
        MissingPart: it failed; the sentence ends with its last words.
        Cancelled: the user asked to stop.
    """
    words = Path(reporter.job or Path.cwd()) / "command.txt"
    with open(words, "w+", encoding="utf-8", errors="replace") as said:
        try:
            process = subprocess.Popen(
                command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=engine.clean_environ(Path.cwd()) | {"PYTHONPATH": ""},
            )
        except OSError as error:
            raise MissingPart("set_up_failed", f"{command[0]} cannot be started ({error}).", OFFLINE) from error
        try:
            while process.poll() is None:
                reporter.check_cancel()
                _say_package(words, reporter)
                time.sleep(0.2)
        except Cancelled:
            process.terminate()
            process.wait(10)
            raise
    lines = words.read_text(encoding="utf-8", errors="replace").splitlines()
    print("\n".join([" ".join(command), *lines]), flush=True)  # noqa: T201 -- stdout is the job's log
    if process.returncode:
        last = " ".join(line.strip() for line in lines[-TAIL:] if line.strip())
        raise MissingPart("set_up_failed", f"Set up engine could not {doing}: {last or 'it said nothing.'}", OFFLINE)


def _say_package(words: Path, reporter: Reporter) -> None:
    """Name the package that pip fetches as the stage."""
    text = words.read_text(encoding="utf-8", errors="replace")
    named = re.findall(r"^Collecting ([A-Za-z0-9._-]+)", text, re.MULTILINE)
    if "Installing collected packages" in text:
        reporter.progress("Unpacking", FETCHING[1], 100)
    elif named:
        part = min(len(set(named)) / PACKAGES, 1.0)
        reporter.progress(f"Fetching {named[-1]}", round(FETCHING[0] + part * (FETCHING[1] - FETCHING[0])), 100)


def main(arguments: list[str] | None = None) -> int:
    """The job's entry."""
    parser = argparse.ArgumentParser(description="Make the engine's environment.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--job", type=Path, required=True)
    parser.add_argument("--uv", default="")
    parser.add_argument("--backend", default="AUTO")
    options = parser.parse_args(arguments)
    reporter = Reporter(job=options.job, quiet=True)
    try:
        python = make(options.home, engine.ROOT, reporter, options.uv, options.backend)
    except Cancelled:
        reporter.error(ReliTalkError("cancelled", "Set up engine was cancelled.", exit_code=3))
        return 3
    except ReliTalkError as error:
        reporter.error(error)
        return error.exit_code
    reporter.done({"python": str(python)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
