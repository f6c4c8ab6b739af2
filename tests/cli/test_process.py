"""The command as a process: quick help, pure event lines, and out within five seconds when asked to stop."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from relitalk_engine.version import __version__

STUCK = """
import hashlib, sys
from pathlib import Path
from relitalk_engine.cli import commands, main

half = Path(sys.argv.pop(1))

def stuck(arguments, reporter, stop):
    stop.scratch.append(half)
    half.mkdir()
    reporter.progress("stuck", 0, 2)
    print("a library's chatter", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 10**9)  # minutes in native code, where no signal handler of Python runs

commands.COMMANDS["doctor"] = stuck
sys.exit(main())
"""


def test_help_answers_without_loading_the_engine():
    code = (
        "import sys, relitalk_engine.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'mediapipe', 'av'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "render" in done.stdout


def test_version():
    call = [sys.executable, "-m", "relitalk_engine", "--version"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == f"relitalk {__version__}"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "cancel file"])
def test_work_that_does_not_hear_is_left_within_five_seconds(tmp_path, how):
    job = tmp_path / "job"
    call = [sys.executable, "-c", STUCK, str(tmp_path / "half"), "doctor", "--events", "--job", str(job)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert json.loads(process.stdout.readline())["stage"] == "stuck"
    asked = time.monotonic()
    if how == "cancel file":
        (job / "cancel").touch()
    else:
        process.send_signal(getattr(signal, how))
    out, err = process.communicate(timeout=20)
    assert process.returncode == 3
    assert time.monotonic() - asked < 5.5
    events = [json.loads(line) for line in out.splitlines()]  # the chatter is not among them
    assert events[-1]["code"] == "cancelled"
    assert json.loads((job / "events.jsonl").read_text().splitlines()[-1])["code"] == "cancelled"
    assert not (tmp_path / "half").exists()
    assert "chatter" in (job / "log.txt").read_text() and not err
