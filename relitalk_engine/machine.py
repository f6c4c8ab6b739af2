"""What this machine has: the device to compute on, and every part that the engine needs."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import MissingPart

NEEDED = {
    "torch": "networks and their training",
    "numpy": "arrays",
    "scipy": "filters and solvers",
    "av": "video in and out (PyAV)",
    "soundfile": "sound files",
    "OpenImageIO": "EXR, HDR and PNG files",
    "cv2": "resampling and filters (OpenCV)",
    "mediapipe": "face landmarks and the person mask",
    "embreex": "rays, for shadows and normals",
    "pocketsphinx": "phones of speech",
    "silero_vad": "speech or silence (weights alone)",
    "face_recognition_models": "identity and perceptual features (weights alone)",
    "safetensors": "weight files",
}
"""Modules to import, and what each is for."""
DATA_ONLY = {"face_recognition_models", "silero_vad"}
"""Packages read for their files and never imported."""


@dataclass(frozen=True)
class Part:
    """One needed part and how it stands."""

    name: str
    purpose: str
    version: str
    problem: str = ""
    """Empty: it works."""


def choose_device(name: str) -> str:
    """The device to compute on.

    Args:
        name: "auto", "cpu" or "cuda".

    Returns:
        "cpu" or "cuda".

    Raises:
        MissingPart: cuda is asked for and there is none, or torch is missing.
    """
    if name == "cpu":
        return "cpu"
    try:
        import torch
    except ImportError as error:
        raise MissingPart("no_torch", f"torch cannot be imported ({error}).", "Install the engine again.") from error
    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        built = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise MissingPart("no_cuda", f"cuda was asked for, and {built}.", "Use --device cpu, or auto.")
    return "cpu"


def parts() -> list[Part]:
    """Every needed part, imported, with its version and what is wrong with it."""
    return [_part(name, purpose) for name, purpose in NEEDED.items()]


def _part(name: str, purpose: str) -> Part:
    package = {"cv2": "opencv-contrib-python", "silero_vad": "silero-vad"}.get(name, name)
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        version = "?"
    try:
        if name in DATA_ONLY:
            found = importlib.util.find_spec(name) is not None
            return Part(name, purpose, version, "" if found else "it is not installed")
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - whatever its import says is what the user has to know
        return Part(name, purpose, version, f"{type(error).__name__}: {error}")
    return Part(name, purpose, version)


def memory_gb() -> float | None:
    """Main memory in GB, or None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return None


def python_words() -> str:
    """Python, system and processors in a sentence."""
    version = ".".join(map(str, sys.version_info[:3]))
    memory = memory_gb()
    have = f", {memory:.0f} GB memory" if memory else ""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{have}, {free:.0f} GB free here"
    return f"Python {version} on {system}"


def device_words() -> str:
    """Torch and its device in a sentence."""
    try:
        import torch
    except ImportError:
        return "no torch"
    if torch.cuda.is_available():
        facts = torch.cuda.get_device_properties(0)
        return f"torch {torch.__version__} on {facts.name}, {facts.total_memory / 1e9:.0f} GB"
    return f"torch {torch.__version__} on the processor, {torch.get_num_threads()} threads; no CUDA device"
