"""What a call of train, render or relight asks for: the command line as dataclasses, each value already checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import Preset


@dataclass(frozen=True)
class TrainOptions:
    """`relitalk train`."""

    video: Path
    output: Path
    preset: Preset
    device: str = "cpu"
    """"cpu" or "cuda": already chosen and there."""
    seed: int = 0
    resume: bool = False
    """Go on with what an earlier run left; from the beginning where it left nothing."""
    force: bool = False
    start: float = 0.0
    """Seconds into the video."""
    duration: float | None = None
    """Seconds; None: to the end."""
    consent: bool = False


@dataclass(frozen=True)
class LightOptions:
    """LIGHT: --light, --light-rotation, --light-strength."""

    spec: str = "source"
    """"source", "olat", "dir:AZIMUTH,ELEVATION[,INTENSITY]" or the path of a .hdr, .exr or .json that exists."""
    rotation: float = 0.0
    """Degrees about the vertical axis."""
    strength: float = 1.0
    """Factor on the linear radiance."""


@dataclass(frozen=True)
class VoiceOptions:
    """VOICE: how the mouth follows the sound."""

    transcript: Path | None = None
    mouth: float = 1.0
    """Factor on the mouth's movement."""
    smooth: float = 1.0
    """Factor on the motion's smoothing."""
    offset_ms: float = 0.0
    """Milliseconds by which the mouth comes later than the sound."""
    motion: Path | None = None
    """The curves of an earlier take, perhaps edited, instead of the voice's."""
    motion_only: bool = False
    """Write the motion and no frames."""

    def record(self) -> dict[str, Any]:
        """What a take keeps of it, so that it can be made again."""
        return {
            "mouth": self.mouth,
            "smooth": self.smooth,
            "offset_ms": self.offset_ms,
            "transcript": str(self.transcript or ""),
            "motion": str(self.motion or ""),
        }


@dataclass(frozen=True)
class Background:
    """--background: what stands behind the portrait."""

    kind: str = "none"
    """"none" (alpha is the matte), "keep" (the clip's own), "colour" or "image"."""
    colour: tuple[int, int, int] = (0, 0, 0)
    """8-bit sRGB."""
    image: Path | None = None

    def __str__(self) -> str:
        if self.kind == "colour":
            return "#{:02x}{:02x}{:02x}".format(*self.colour)
        return str(self.image) if self.kind == "image" else self.kind


@dataclass(frozen=True)
class OutOptions:
    """OUT: which frames, behind what, in which files."""

    background: Background = field(default_factory=Background)
    frames: tuple[int | None, int | None] | None = None
    """Half-open range in the whole take's numbering; None at an end: from the first, to the last."""
    freeze: int | None = None
    """The one frame of the base footage that stands still for all."""
    full_frame: bool = False
    exr: bool = False
    passes: bool = False
    force: bool = False


@dataclass(frozen=True)
class RenderOptions:
    """`relitalk render`: drive and relight."""

    subject: Path
    audio: Path
    output: Path
    light: LightOptions = field(default_factory=LightOptions)
    voice: VoiceOptions = field(default_factory=VoiceOptions)
    out: OutOptions = field(default_factory=OutOptions)
    video: Path | None = None
    """Base footage: head, gaze, upper face, background; None: the training clip."""
    start: float = 0.0
    """Seconds into the base footage."""
    device: str = "cpu"
    seed: int = 0


@dataclass(frozen=True)
class RelightOptions:
    """`relitalk relight`: the clip itself, or another clip of the same person, no new voice."""

    subject: Path
    output: Path
    light: LightOptions = field(default_factory=LightOptions)
    out: OutOptions = field(default_factory=OutOptions)
    video: Path | None = None
    """Another clip of the same person; None: the training clip."""
    start: float = 0.0
    """Seconds into that clip."""
    device: str = "cpu"


Result = dict[str, Any]
"""What a stage reports as done: paths as strings, figures as numbers."""
