"""The take: frames of a subject under a light, with or without a new voice, a folder. Standard library alone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from . import folders
from .errors import ReliTalkError
from .version import __version__

SCHEMA = 1
PASSES = (
    "albedo",
    "normal",
    "shading",
    "specular",
    "specular_weight",
    "residual",
    "transfer_0",
    "transfer_1",
    "transfer_2",
    "alpha",
    "smooth_normal",
    "hair",
    "source_residual",
)
"""beauty = albedo · shading + specular + residual. The rest is what a renderer without the engine lights them anew by:
the head's transfer and its smooth normals (shadow), where hair is, and what the source's own light leaves over."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a picture made from a real one with a trained model."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Placement:
    """How large the portrait is and where its eyes are, so that a scene can hold it at true scale."""

    eye_centre: tuple[float, float]
    """Between the eyes, u and v in pixels of the take's frames, median over the take."""
    metres_per_pixel: float
    """At the depth of the eyes."""


@dataclass
class TakeInfo:
    """What take.json says."""

    kind: str
    """"render" (a new voice) or "relight" (the clip itself)."""
    fps: Fraction
    size: tuple[int, int]
    """Width and height of the take's frames, in pixels."""
    crop: tuple[int, int, int, int]
    """x, y, width, height of the portrait in source pixels."""
    frames: tuple[int, int]
    """First frame and the one after the last, in the whole take's numbering; files carry these numbers."""
    total: int
    """Frames of the whole take."""
    subject: dict[str, Any] = field(default_factory=dict)
    """name, path, sha256 of the source clip, consent."""
    light: dict[str, Any] = field(default_factory=dict)
    """spec, rotation, strength as asked for."""
    audio: dict[str, Any] = field(default_factory=dict)
    """file and seconds; empty where there is no sound."""
    base: dict[str, Any] = field(default_factory=dict)
    """file and start of the footage that gives head, gaze and background; empty: the training clip."""
    controls: dict[str, Any] = field(default_factory=dict)
    """The options of the call that shaped the take."""
    background: str = "none"
    exr: bool = False
    passes: list[str] = field(default_factory=list)
    driven: list[Box] = field(default_factory=list)
    """x, y, w, h per frame of `frames`, in pixels of the take's frames: what was synthesised."""
    removed: list[Box] = field(default_factory=list)
    """x, y, w, h per frame likewise: outside of it nothing was synthesised."""
    lights: list[str] = field(default_factory=list)
    """Names of the lights of an olat take; each has a folder of its own under beauty."""
    placement: Placement | None = None
    specular_exponent: float | None = None
    """Of the subject's highlights, Blinn-Phong."""
    engine: str = __version__

    def to_json(self) -> dict[str, Any]:
        """The table of take.json."""
        place = self.placement
        return {
            "schema": SCHEMA,
            "engine": self.engine,
            "kind": self.kind,
            "fps": [self.fps.numerator, self.fps.denominator],
            "size": list(self.size),
            "crop": list(self.crop),
            "frames": list(self.frames),
            "total": self.total,
            "subject": self.subject,
            "light": self.light,
            "audio": self.audio,
            "base": self.base,
            "controls": self.controls,
            "background": self.background,
            "exr": self.exr,
            "passes": self.passes,
            "lights": self.lights,
            "eye_centre": None if place is None else list(place.eye_centre),
            "metres_per_pixel": None if place is None else place.metres_per_pixel,
            "specular_exponent": self.specular_exponent,
            "driven": [list(box) for box in self.driven],
            "removed": [list(box) for box in self.removed],
        }

    @classmethod
    def from_json(cls, table: folders.Fields) -> TakeInfo:
        """Read the fields of take.json, each checked.

        Raises:
            ReliTalkError: a field is missing or does not fit.
        """
        width, height = table.integers("size", 2, least=1)
        x, y, w, h = table.integers("crop", 4)
        first, last = table.integers("frames", 2, least=0)
        if last <= first:
            raise table.wrong("frames", "must be a first frame and one after the last")
        return cls(
            kind=table.text("kind"),
            fps=table.rate("fps"),
            size=(width, height),
            crop=(x, y, w, h),
            frames=(first, last),
            total=table.count("total", least=1),
            subject=table.part("subject"),
            light=table.part("light"),
            audio=table.part("audio"),
            base=table.part("base"),
            controls=table.part("controls"),
            background=table.text("background"),
            exr=table.flag("exr"),
            passes=table.texts("passes"),
            lights=table.texts("lights"),
            driven=table.boxes("driven", last - first),
            removed=table.boxes("removed", last - first),
            placement=_placement(table),
            specular_exponent=_exponent(table),
            engine=table.text("engine"),
        )

    def provenance(self) -> dict[str, str]:
        """What every picture and film of the take carries in its metadata: what it is, who made it, from what."""
        parts = [f'subject "{self.subject.get("name", "?")}"']
        if self.audio.get("file"):
            parts.append(f"voice {Path(str(self.audio['file'])).name}")
        if self.base.get("file"):
            parts.append(f"footage {Path(str(self.base['file'])).name}")
        parts.append(f"light {Path(str(self.light.get('spec', '?'))).name}")
        agreed = "given" if (self.subject.get("consent") or {}).get("given") else "not recorded"
        made = "a synthetic portrait with a driven mouth" if self.kind == "render" else "a relit portrait"
        return {
            "Software": f"ReliTalk {self.engine}",
            "Comment": f"Made with ReliTalk {self.engine}: {made}; {', '.join(parts)}; consent {agreed}.",
            "DigitalSourceType": SOURCE_TYPE,
        }


def _placement(table: folders.Fields) -> Placement | None:
    if table.table.get("eye_centre") is None:
        return None
    centre = table.table["eye_centre"]
    if not isinstance(centre, list) or len(centre) != 2 or not all(isinstance(part, (int, float)) for part in centre):
        raise table.wrong("eye_centre", "must be two numbers")
    scale = table.number("metres_per_pixel")
    if not 0 < scale < 1:
        raise table.wrong("metres_per_pixel", "must be a size that a head can have")
    return Placement((float(centre[0]), float(centre[1])), scale)


def _exponent(table: folders.Fields) -> float | None:
    if table.table.get("specular_exponent") is None:
        return None
    exponent = table.number("specular_exponent")
    if not exponent > 0:
        raise table.wrong("specular_exponent", "must be above 0")
    return exponent


class Take:
    """A take's folder; it is built beside its place, and `finish` moves it there in one step."""

    def __init__(self, path: Path, info: TakeInfo) -> None:
        self.path = path
        self.info = info

    @classmethod
    def create(cls, folder: Path | str, info: TakeInfo) -> Take:
        """Begin a take beside its place.

        Raises:
            ReliTalkError: another process makes it now, or the place cannot be written.
        """
        take = cls(folders.begin(Path(folder), "take"), info)
        for place in ("beauty", *info.passes):
            (take.path / place).mkdir(exist_ok=True)
        return take

    @classmethod
    def open(cls, folder: Path | str) -> Take:
        """Open a finished take and check that every frame is there.

        Raises:
            ReliTalkError: not a take, of a newer schema, or a frame is missing; it names the file.
        """
        path = Path(folder)
        if not path.exists():
            raise ReliTalkError("no_take", f"There is no take at {path}.", "Check the path, or render one first.")
        take = cls(path, TakeInfo.from_json(folders.read_json(path / "take.json", SCHEMA, "take")))
        take._check()
        return take

    def save(self) -> None:
        """Write take.json."""
        folders.write_json(self.path / "take.json", self.info.to_json())

    def finish(self, folder: Path | str) -> Take:
        """Write take.json, check the take, move it to its place and return it from there."""
        self.save()
        self._check()
        folders.finish(self.path, Path(folder))
        return Take.open(folder)

    def discard(self) -> None:
        """Throw an unfinished take away; nothing half-written stays."""
        shutil.rmtree(self.path, ignore_errors=True)

    def beauty_path(self, frame: int, light: str = "") -> Path:
        """The finished picture of one frame, PNG or, with exr, EXR; of an olat take, under one of its lights."""
        folder = self.beauty_dir / light if light else self.beauty_dir
        return folder / f"{frame:05d}.{'exr' if self.info.exr else 'png'}"

    def pass_path(self, name: str, frame: int) -> Path:
        """One pass of one frame, EXR."""
        return self.path / name / f"{frame:05d}.exr"

    @property
    def beauty_dir(self) -> Path:
        """Where the finished pictures lie."""
        return self.path / "beauty"

    @property
    def audio_path(self) -> Path:
        """The take's sound; absent where there is none."""
        return self.path / "audio.wav"

    @property
    def sound(self) -> Path | None:
        """The take's sound, or None where there is none."""
        return self.audio_path if self.audio_path.is_file() else None

    @property
    def preview_path(self) -> Path:
        """The take as a film to look at."""
        return self.path / "preview.mp4"

    @property
    def light_path(self) -> Path:
        """The light of the finished frames, JSON."""
        return self.path / "lights" / "light.json"

    @property
    def source_light_path(self) -> Path:
        """The light that the clip was filmed in, JSON."""
        return self.path / "lights" / "source.json"

    @property
    def motion_path(self) -> Path:
        """The head's actions and pose in every frame of the whole take, npz."""
        return self.path / "motion.npz"

    @property
    def head_path(self) -> Path:
        """The fitted head, its actions as shapes, its UV and the camera, npz."""
        return self.path / "head.npz"

    @property
    def texture_path(self) -> Path:
        """The clip's albedo in the head's UV; there with passes."""
        return self.path / "head.png"

    def _check(self) -> None:
        for light in self.info.lights or [""]:
            for frame in range(*self.info.frames):
                path = self.beauty_path(frame, light)
                if not path.is_file():
                    raise ReliTalkError("bad_take", f"The take's {path} is missing.", "Render the take again.")
