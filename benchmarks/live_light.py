"""Live light beside baked frames, and worlds beside what they analytically are, in Blender's module."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import runs

WORLDS = {"sunset": 60.0, "forest": 200.0, "studio": 0.0}
"""World HDRIs that come with Blender, and how they are turned."""
ENGINES = ("CYCLES", "EEVEE")


def live_light(again: bool) -> Iterator[str]:
    """Two frames of a subject under some worlds, baked and live, in both of Blender's renderers."""
    subject = runs.subject(runs.data("real/talk_a.mp4"), "talk_a_11s", again, "--duration", 11)
    with tempfile.TemporaryDirectory(prefix="relitalk-") as folder:
        pack = [sys.executable, runs.ROOT / "scripts" / "pack.py", "-o", folder]
        zip_file = subprocess.run(pack, capture_output=True, text=True, check=True).stdout.split()[-1]
        found = _blender(zip_file, "worlds")
        yield "world against the analytic light: " + ", ".join(
            f"{name} {100 * away:.3f} %" for name, away in found["away"].items()
        )
        yield f"Match Light from an 8k world: {found['match_8k_s']:.1f} s"
        for name, degrees in WORLDS.items():
            hdri = runs.world_hdri(name)
            take = Path(folder) / name
            light = ("--light", hdri, "--light-rotation", degrees)
            runs.relitalk("relight", subject, *light, "--frames", "0:2", "--exr", "--passes", "-o", take)
            for engine in ENGINES:
                seen = _blender(zip_file, "live", take, hdri, degrees, engine)
                if "mean" not in seen:
                    yield f"{name}, {engine}: skipped: it does not render here"
                    continue
                yield (
                    f"{name}, {engine}: live against baked {seen['mean']:.2f}/255 mean, {seen['most']:.2f}/255 at the "
                    f"99.9th percentile; lit after {seen['first_s']:.2f} s, again after {1000 * seen['again_s']:.0f} ms"
                )


def _blender(zip_file: str, *words: object) -> dict:
    """What Blender's module says, in a process of its own; nothing where it could not."""
    script = Path(__file__).with_name("live_light_blender.py")
    call = subprocess.run(
        [sys.executable, script, zip_file, *map(str, words)], capture_output=True, text=True, check=False,
    )
    lines = [line for line in call.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}
