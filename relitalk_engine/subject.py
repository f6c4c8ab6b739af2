"""The subject: one person learnt from one clip, a folder NAME.relitalk. Numpy alone at import."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from . import folders
from .errors import ReliTalkError
from .tensors import read_tensors, tensor_shapes
from .version import __version__

__all__ = ["SCHEMA", "SUFFIX", "Consent", "Source", "Subject", "SubjectInfo", "read_tensors", "tensor_shapes"]

SCHEMA = 1
SUFFIX = ".relitalk"
HINT = "Train the subject again."


@dataclass(frozen=True)
class Source:
    """The clip that a subject was trained on."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Consent:
    """Whether the person in the clip agreed, and when that was said."""

    given: bool = False
    recorded: str = ""

    @classmethod
    def now(cls, given: bool) -> Consent:
        """Consent recorded now, in UTC."""
        return cls(given, datetime.now(UTC).isoformat(timespec="seconds"))


@dataclass
class SubjectInfo:
    """What subject.json says."""

    name: str
    source: Source
    fps: Fraction
    frames: int
    size: tuple[int, int]
    """Width and height of the crop, in pixels."""
    source_size: tuple[int, int]
    """Width and height of the clip, in pixels."""
    crop: tuple[int, int, int, int]
    """x, y, width, height of the crop in clip pixels."""
    start: float = 0.0
    """Where in the clip the subject begins, in seconds."""
    head_model: str = "anny"
    preset: str = "draft"
    seed: int = 0
    device: str = "cpu"
    consent: Consent = field(default_factory=Consent)
    metrics: dict[str, Any] = field(default_factory=dict)
    stages_done: list[str] = field(default_factory=list)
    engine: str = __version__

    def to_json(self) -> dict[str, Any]:
        """The table of subject.json."""
        return {
            "schema": SCHEMA,
            "engine": self.engine,
            "name": self.name,
            "source": {"file": self.source.file, "sha256": self.source.sha256},
            "fps": [self.fps.numerator, self.fps.denominator],
            "frames": self.frames,
            "size": list(self.size),
            "source_size": list(self.source_size),
            "crop": list(self.crop),
            "start": self.start,
            "head_model": self.head_model,
            "preset": self.preset,
            "seed": self.seed,
            "device": self.device,
            "consent": {"given": self.consent.given, "recorded": self.consent.recorded},
            "metrics": self.metrics,
            "stages_done": self.stages_done,
        }

    @classmethod
    def from_json(cls, table: folders.Fields) -> SubjectInfo:
        """Read the fields of subject.json, each checked.

        Raises:
            ReliTalkError: a field is missing or does not fit.
        """
        source, consent = table.part("source"), table.part("consent")
        width, height = table.integers("size", 2, least=1)
        source_width, source_height = table.integers("source_size", 2, least=1)
        x, y, w, h = table.integers("crop", 4)
        return cls(
            name=table.text("name"),
            source=Source(str(source.get("file", "")), str(source.get("sha256", ""))),
            fps=table.rate("fps"),
            frames=table.count("frames", least=1),
            size=(width, height),
            source_size=(source_width, source_height),
            crop=(x, y, w, h),
            start=table.number("start", 0.0),
            head_model=table.text("head_model"),
            preset=table.text("preset"),
            seed=table.count("seed"),
            device=table.text("device"),
            consent=Consent(consent.get("given") is True, str(consent.get("recorded", ""))),
            metrics=dict(table.part("metrics")),
            stages_done=table.texts("stages_done"),
            engine=table.text("engine"),
        )


class Subject:
    """A subject's folder: where its files lie and what subject.json says of them.

    While it is trained it lies in NAME.relitalk.building; `finish` moves it to its place in one step.
    """

    def __init__(self, path: Path, info: SubjectInfo) -> None:
        self.path = path
        self.info = info

    @classmethod
    def create(cls, folder: Path | str, info: SubjectInfo) -> Subject:
        """Begin a subject beside its place; an earlier unfinished one is thrown away.

        Raises:
            ReliTalkError: another process trains it now, or the place cannot be written.
        """
        subject = cls(folders.begin(Path(folder), "subject"), info)
        subject.passes_dir.mkdir(exist_ok=True)
        subject.save()
        return subject

    @classmethod
    def resume(cls, folder: Path | str) -> Subject | None:
        """The unfinished subject that an earlier run left for this place, or None.

        Raises:
            ReliTalkError: another process trains it now, or its subject.json does not fit.
        """
        building = folders.building_place(Path(folder))
        if not (building / "subject.json").is_file():
            return None
        info = SubjectInfo.from_json(folders.read_json(building / "subject.json", SCHEMA, "subject"))
        subject = cls(folders.begin(Path(folder), "subject", keep=True), info)
        subject.passes_dir.mkdir(exist_ok=True)
        return subject

    @classmethod
    def open(cls, folder: Path | str) -> Subject:
        """Open a finished subject and check that its files fit together.

        Raises:
            ReliTalkError: not a subject, of a newer schema, or a file is missing or of another size; it names the file.
        """
        path = Path(folder)
        if not path.exists():
            raise ReliTalkError("no_subject", f"There is no subject at {path}.", "Check the path, or train one first.")
        info = SubjectInfo.from_json(folders.read_json(path / "subject.json", SCHEMA, "subject"))
        subject = cls(path, info)
        subject._check()
        return subject

    def save(self) -> None:
        """Write subject.json."""
        folders.write_json(self.path / "subject.json", self.info.to_json())

    def stage_done(self, stage: str) -> bool:
        """Whether a stage of the training is done."""
        return stage in self.info.stages_done

    def mark_done(self, stage: str) -> None:
        """Say that a stage is done and its files are on disk; `--resume` goes on after it."""
        if stage not in self.info.stages_done:
            self.info.stages_done.append(stage)
        self.save()

    def finish(self, folder: Path | str) -> Subject:
        """Check the subject, move it to its place and return it from there.

        Raises:
            ReliTalkError: a file is missing or does not fit.
        """
        self._check()
        self.checkpoint_path.unlink(missing_ok=True)
        folders.finish(self.path, Path(folder))
        return Subject.open(folder)

    @property
    def head_path(self) -> Path:
        """The head fit, safetensors."""
        return self.path / "head.safetensors"

    @property
    def weights_path(self) -> Path:
        """All networks of the subject, safetensors."""
        return self.path / "weights.safetensors"

    @property
    def light_path(self) -> Path:
        """The clip's own light, JSON."""
        return self.path / "light.json"

    @property
    def passes_dir(self) -> Path:
        """Normal, specular weight and alpha of every frame, 16-bit PNG."""
        return self.path / "passes"

    def pass_path(self, frame: int) -> Path:
        """The passes of one frame."""
        return self.passes_dir / f"{frame:05d}.png"

    @property
    def frames_path(self) -> Path:
        """The crop's frames, FFV1, RGB lossless."""
        return self.path / "frames.mkv"

    @property
    def audio_path(self) -> Path:
        """The clip's sound; absent where the clip has none."""
        return self.path / "audio.wav"

    @property
    def backdrop_path(self) -> Path:
        """What the camera sees where the person is not, RGBA PNG; alpha says how surely."""
        return self.path / "backdrop.png"

    @property
    def albedo_path(self) -> Path:
        """The clip's albedo in the head's UV, an sRGB PNG."""
        return self.path / "albedo.png"

    @property
    def report_path(self) -> Path:
        """What training saw and measured, for a person to read."""
        return self.path / "report.html"

    @property
    def checkpoint_path(self) -> Path:
        """Where an interrupted stage left its state, safetensors; gone once training is done."""
        return self.path / "checkpoint.safetensors"

    def _check(self) -> None:
        for path in (self.head_path, self.weights_path, self.light_path, self.frames_path):
            if not path.is_file() or path.stat().st_size == 0:
                raise ReliTalkError("bad_subject", f"The subject's {path} is missing or empty.", HINT)
        shapes = tensor_shapes(self.head_path)
        for name in ("psi", "rotation", "translation"):
            if name not in shapes or not shapes[name] or shapes[name][0] != self.info.frames:
                raise ReliTalkError(
                    "bad_subject",
                    f'{self.head_path}: "{name}" must hold one row for each of {self.info.frames} frames.',
                    HINT,
                )
        tensor_shapes(self.weights_path)
        there = {path.name for path in self.passes_dir.glob("*.png")}
        have = sum(self.pass_path(frame).name in there for frame in range(self.info.frames))
        if have < self.info.frames:
            raise ReliTalkError(
                "bad_subject",
                f"{self.passes_dir} holds the passes of {have} frames out of {self.info.frames}.",
                HINT,
            )
