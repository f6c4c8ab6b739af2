"""What a job is asked: the engine's command line from the settings and an operator's arguments."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.subject import Subject
from . import engine, jobs, preferences, settings, world_light


@dataclass(frozen=True)
class TrainOrder:
    """A subject to train."""

    video: str
    subject: str = ""
    preset: str = "draft"
    device: str = "auto"
    seed: int = 0
    start: float = 0.0
    duration: float = 0.0
    """Seconds; 0: to the end."""
    resume: bool = False
    force: bool = False
    """Whether a subject that stands there already is replaced."""
    consent: bool = False


@dataclass(frozen=True)
class TakeOrder:
    """A take to render (with audio) or to relight (without)."""

    subject: str
    audio: str = ""
    light: str = "source"
    background: str = "none"
    frames: str = ""
    take: str = ""
    place: bool = True
    video: str = ""
    """The training clip, after which a subject is named that is not."""


def train(context: bpy.types.Context, order: TrainOrder) -> jobs.Job:
    """Begin the training of a subject.

    Raises:
        ReliTalkError: what was asked for does not fit, or the engine is not ready.
    """
    if not order.video:
        raise ReliTalkError("no_video", "No video is chosen.", "Choose a clip of one person who speaks.")
    video = _existing(order.video, "video")
    if not order.consent:
        raise ReliTalkError(
            "no_consent", "A subject is trained only with the consent of the person in the video.",
            "Confirm that the person agreed, in the panel or with consent=True.",
        )
    place = settings.subject_place(order.subject, order.video)
    if (place / "subject.json").exists() and not (order.resume or order.force):
        raise ReliTalkError("exists", f"The subject {place} exists already.", "Choose another name.")
    command = ["train", str(video), "-o", str(place), "--preset", _preset(order.preset), "--device", order.device]
    command += ["--seed", str(order.seed), "--start", str(order.start), "--consent", "yes"]
    command += ["--duration", str(order.duration)] if order.duration > 0 else []
    command += ["--resume"] if order.resume else []
    command += ["--force"] if order.force else []
    return _begin(context, "train", f"Train {place.stem}", place, lambda _: command)


def take(context: bpy.types.Context, order: TakeOrder) -> jobs.Job:
    """Begin a take: driven by audio where there is some, else the clip itself under another light.

    Raises:
        ReliTalkError: what was asked for does not fit, or the engine is not ready.
    """
    chosen = settings.get(context)
    if not order.subject and not order.video:
        raise ReliTalkError("no_subject", "No subject is chosen.", "Train one, or choose one, first.")
    subject = Subject.open(settings.subject_place(order.subject, order.video))
    if not (subject.info.consent.given or chosen.consent):
        raise ReliTalkError(
            "no_consent", f"No consent is recorded for {subject.info.name}.",
            "Confirm in the panel Subject that the person agreed.",
        )
    place = settings.take_place(order.take, subject.path, order.audio)
    kind = "render" if order.audio else "relight"
    voice = _voice(chosen, _existing(order.audio, "audio")) if order.audio else []
    if order.light not in {settings.MATCHED, "source", "olat"} and not order.light.startswith("dir:"):
        _existing(order.light, "light")
    background = order.background or "none"
    if background not in {"none", "keep"} and not background.startswith("#"):
        background = str(_existing(background, "background image"))
    force = ["--force"] if place.exists() else []

    def command(folder: Path) -> list[str]:
        light = world_light.spec_for_job(context.scene, order.light, folder)
        frames = ["--frames", order.frames] if order.frames else []
        return [
            kind, str(subject.path), *voice, "--light", light, "--background", background, *frames, "--exr",
            "--device", chosen.device, "-o", str(place), *force,
        ]

    return _begin(context, kind, f"{kind.capitalize()} {place.name}", place, command, order.place)


def set_up(context: bpy.types.Context) -> jobs.Job:
    """Begin to make the engine's own environment.

    Raises:
        ReliTalkError: its place cannot be written.
    """
    home = preferences.engine_home()
    code = engine.copy_code(home)
    module = f"{code.name}.relitalk_addon.environment"
    command = [sys.executable, "-m", module, "--home", str(home)]
    made = jobs.Order("set_up", "Set up engine", str(engine.environment_of(home)), command)
    return jobs.start(preferences.jobs_folder(), made, engine.clean_environ(code.parent))


def _begin(
    context: bpy.types.Context, kind: str, title: str, place: Path, command: Callable[[Path], list[str]],
    placing: bool = False,
) -> jobs.Job:
    """Begin an engine job; `command` is given the job's folder, to lay files there."""
    ready = preferences.ready_engine()
    _writable(place)
    scene = context.scene
    order = jobs.Order(kind, title, str(place), [], placing, bpy.data.filepath, scene.name, scene.relitalk.frame_start)
    job = jobs.prepare(preferences.jobs_folder(), order)
    try:
        return jobs.launch(job, ready.command(*command(job.folder)), ready.environ())
    except ReliTalkError:
        jobs.discard(job)
        raise


def _voice(chosen: bpy.types.PropertyGroup, audio: Path) -> list[str]:
    words = ["--transcript", str(_existing(chosen.transcript, "transcript"))] if chosen.transcript else []
    return ["--audio", str(audio), "--mouth", f"{chosen.mouth:g}", "--offset", f"{chosen.offset:g}", *words]


def _existing(text: str, what: str) -> Path:
    path = settings.path(text)
    if not path.is_file():
        raise ReliTalkError("no_such_file", f"There is no {what} at {path}.", "It may have moved.")
    return path


def _preset(name: str) -> str:
    """A preset's name, or a user's own file under Blender's configuration."""
    own = Path(bpy.utils.user_resource("CONFIG", path="relitalk/presets")) / f"{name}.toml"
    return str(own) if own.is_file() else name


def _writable(place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReliTalkError(
            "unwritable", f"{place.parent} cannot be written ({error.strerror or error}).", "Choose another folder.",
        ) from error
