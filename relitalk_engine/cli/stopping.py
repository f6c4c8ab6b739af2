"""Stopping when asked: SIGINT, SIGTERM, CTRL_BREAK or the job's cancel file, and out within five seconds.

The work looks for the request between its steps and checkpoints. A step that takes longer must not keep the user
waiting: a watching thread then leaves for it. What stands on disk is whole at any moment, so only that step is lost.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import CANCELLED, ReliTalkError
from ..events import Reporter

PATIENCE = 3.0
"""Seconds that the work has for its checkpoint."""
LOOK = 0.1
"""Seconds between two looks at the job's cancel file."""


class Stop:
    """What is thrown away when the work is left in the middle of a step."""

    def __init__(self) -> None:
        self.scratch: list[Path] = []

    def throw_away(self) -> None:
        """Remove what was half-written."""
        for path in self.scratch:
            shutil.rmtree(path, ignore_errors=True)


def cancelled_error() -> ReliTalkError:
    """The sentence for a cancelled job."""
    return ReliTalkError("cancelled", "Cancelled.", "A training can go on with --resume.", CANCELLED)


@contextmanager
def on_request(reporter: Reporter) -> Iterator[Stop]:
    """Pass a request to stop on to the reporter, and leave by force if the work does not hear it in time.

    Args:
        reporter: its `cancelled` is what the work asks.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    heard, told = socket.socketpair()
    heard.settimeout(LOOK)
    told.setblocking(False)
    over = threading.Event()
    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: reporter.cancel()) for number in wanted}
    # The C handler writes to this socket even while the main thread is inside a long native call.
    waker = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(heard, over, reporter, stop), daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        over.set()
        signal.set_wakeup_fd(waker)
        for number, handler in before.items():
            signal.signal(number, handler)
        watcher.join(1.0)
        heard.close()
        told.close()


def _watch(heard: socket.socket, over: threading.Event, reporter: Reporter, stop: Stop) -> None:
    asked: float | None = None
    while not over.is_set():
        with suppress(TimeoutError):
            if any(number in (2, 15, 21) for number in heard.recv(16)):
                reporter.cancel()
        if asked is None and reporter.cancelled():
            asked = time.monotonic()
        if asked is not None and time.monotonic() - asked > PATIENCE and not over.is_set():
            reporter.error(cancelled_error())
            reporter.close()
            stop.throw_away()
            os._exit(CANCELLED)
