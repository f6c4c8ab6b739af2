"""Peak memory of finding and fitting a head, against the length of the clip."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from . import runs

SECONDS = (8, 20, 60)
CHILD = """
import sys
from pathlib import Path
from relitalk_engine.config import load_preset
from relitalk_engine.events import Reporter
from relitalk_engine.face.heads import load_head
from relitalk_engine.pipeline.footage import fit_footage, ingest

quiet, (clip, stored, seconds) = Reporter(quiet=True), sys.argv[1:]
footage = ingest(Path(clip), 0.0, float(seconds), Path(stored), quiet)
fit_footage(footage, load_head("anny"), load_preset("draft").fit, "cpu", quiet)
"""


def memory(again: bool) -> Iterator[str]:
    """`kitchen.mp4`, looped: following, storing and fitting 8, 20 and 60 seconds of it."""
    with tempfile.TemporaryDirectory() as folder:
        clip = looped(runs.data("real/kitchen.mp4"), max(SECONDS), Path(folder))
        for seconds in SECONDS:
            began = time.monotonic()
            peak = _peak([sys.executable, "-c", CHILD, str(clip), str(Path(folder) / "frames.mkv"), str(seconds)])
            yield f"{seconds:3} s of film: peak {peak:.2f} GB, {time.monotonic() - began:.0f} s"


def looped(clip: Path, seconds: float, folder: Path) -> Path:
    """The clip again and again, its packets copied, until it is `seconds` long."""
    import av

    place = folder / clip.name
    with av.open(str(clip)) as source, av.open(str(place), "w") as target:
        film = source.streams.video[0]
        out = target.add_stream_from_template(film)
        packets = [packet for packet in source.demux(film) if packet.dts is not None]
        length = max(packet.pts + packet.duration for packet in packets)
        for turn in range(int(seconds / float(length * film.time_base)) + 1):
            source.seek(0, stream=film)
            for packet in islice(source.demux(film), len(packets)):
                if packet.dts is None:
                    continue
                packet.pts, packet.dts, packet.stream = packet.pts + turn * length, packet.dts + turn * length, out
                target.mux(packet)
    return place


def _peak(call: list[str]) -> float:
    with subprocess.Popen(call, cwd=runs.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the fit ended with {process.returncode}")
    return usage.ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
