"""Waits in a process of its own until a job's turn has come, then becomes that job. No bpy here.

The queue needs no Blender: each job that waits looks itself whether an earlier one of its lane still lives. Run as
`python -m relitalk.relitalk_addon.turn COMMAND... --job FOLDER` from the parent of the engine's copy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..relitalk_engine.errors import CANCELLED
from ..relitalk_engine.events import CANCEL_FILE, EVENTS_FILE
from . import jobs

LOOK = 0.3
"""Seconds between two looks."""


def in_the_way(folder: Path) -> jobs.Job | None:
    """The earliest job of the same lane that was ordered before this one and still lives; None: it is its turn."""
    mine = jobs.read(folder)
    if mine is None:
        return None
    earlier = [
        job for job in jobs.find_all(folder.parent)
        if job.order.lane == mine.order.lane and not job.state.ended
        and (job.order.created, job.name) < (mine.order.created, mine.name)
    ]
    return min(earlier, key=lambda job: (job.order.created, job.name), default=None)


def main(command: list[str] | None = None) -> int:
    """Wait, then run the command."""
    command = sys.argv[1:] if command is None else command
    folder = Path(command[-1])  # a job's process is told its folder last
    waited_for = ""
    while True:
        if (folder / CANCEL_FILE).exists():
            _say(folder, {"event": "error", "code": "cancelled", "message": "Cancelled before its turn came."})
            return CANCELLED
        first = in_the_way(folder)
        if first is None:
            break
        if first.order.title != waited_for:
            waited_for = first.order.title
            _say(folder, {"event": "waiting", "title": waited_for})
        time.sleep(LOOK)
    _say(folder, {"event": "turn"})
    if os.name == "nt":  # there exec would end this process and begin one of another id
        return subprocess.call(command)
    os.execv(command[0], command)


def _say(folder: Path, event: dict[str, Any]) -> None:
    with open(folder / EVENTS_FILE, "a", encoding="utf-8") as lines:
        lines.write(json.dumps(event) + "\n")


if __name__ == "__main__":
    sys.exit(main())
