"""What this machine can compute on, and what the engine weighs for it. Looks, installs nothing. No bpy here."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

SECONDS = 10
"""How long a driver's tool may take to answer."""


@dataclass(frozen=True)
class Backend:
    """One build of torch: what it computes on, whether that was found, and its size."""

    key: str
    """CPU, CUDA, ROCM or MPS."""
    name: str
    found: str
    """What was found, in words; empty: nothing that it could compute on."""
    download: float
    """Gigabytes, about, of the whole engine."""
    disk: float
    torch: str = ""
    """uv's --torch-backend where PyPI's own build is another one; empty: PyPI's."""

    @property
    def words(self) -> str:
        """For the person who chooses."""
        size = f"about {self.download:g} GB to download, {self.disk:g} GB on disk"
        return f"{self.found or 'not found on this machine'}; {size}"


@lru_cache(maxsize=1)
def backends() -> tuple[Backend, ...]:
    """The builds that there are for this system, the best of the found ones first."""
    system = sys.platform
    processor = Backend(
        "CPU", "Processor", "runs on every machine", 0.8, 2.2, "cpu" if system.startswith("linux") else "",
    )
    if system == "darwin":
        silicon = platform.machine() == "arm64"
        mps = Backend("MPS", "Apple GPU", "Apple silicon; the engine computes on its processor yet", 0.7, 2.0)
        return (mps, processor) if silicon else (processor,)
    cuda = Backend("CUDA", "NVIDIA GPU", _nvidia(), 3.5, 8.0, "auto" if system == "win32" else "")
    rocm = (Backend("ROCM", "AMD GPU", _amd(), 5.0, 16.0, "auto"),) if system.startswith("linux") else ()
    found = [backend for backend in (cuda, *rocm) if backend.found]
    return (*found, processor, *(backend for backend in (cuda, *rocm) if not backend.found))


def chosen(key: str) -> Backend:
    """A build by its key; AUTO and an unknown key mean the best that was found."""
    return next((backend for backend in backends() if backend.key == key), backends()[0])


def lacks_room(home: Path, backend: Backend) -> str:
    """A sentence where the disk has no room for a build; empty where it has."""
    there = home
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free / 1e9
    if free > backend.disk:
        return ""
    return f"The engine takes about {backend.disk:g} GB, and {there} has {free:.1f} GB free. Make room first."


def _nvidia() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    ask = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.strip().splitlines()[0].strip() if said.strip() else ""


def _amd() -> str:
    """An AMD GPU whose kernel driver computes: a node with shader units."""
    for node in sorted(Path("/sys/class/kfd/kfd/topology/nodes").glob("*/properties")):
        try:
            facts = dict(line.split(maxsplit=1) for line in node.read_text().splitlines() if " " in line)
        except (OSError, ValueError):
            continue
        if int(facts.get("simd_count", "0")) > 0:
            return "an AMD GPU with its compute driver"
    return ""
