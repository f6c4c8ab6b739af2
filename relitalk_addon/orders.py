"""What a job is asked: the engine's command line from the settings and an operator's arguments."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.subject import Subject
from . import engine, hardware, jobs, launch, preferences, presets, settings, watch, world_light


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
    awaited: bool = False
    """Whether the subject is still made by a job that goes before."""


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
    if place in watch.coming():
        raise ReliTalkError("busy", f"{place.stem} is being trained already.", "Choose another name, or wait.")
    command = ["train", str(video), "-o", str(place), "--preset", presets.quality_for_engine(order.preset)]
    command += ["--device", order.device]
    command += ["--seed", str(order.seed), "--start", str(order.start), "--consent", "yes"]
    command += ["--duration", str(order.duration)] if order.duration > 0 else []
    command += ["--resume"] if order.resume else []
    command += ["--force"] if order.force else []
    made = jobs.Order(
        "train", f"Train {place.stem}", str(place), lane=_lane(order.device), source=str(video), **_home(context),
    )
    return _begin(made, lambda _: command)


def take(context: bpy.types.Context, order: TakeOrder) -> jobs.Job:
    """Begin a take: driven by audio where there is some, else the clip itself under another light.

    Raises:
        ReliTalkError: what was asked for does not fit, or the engine is not ready.
    """
    chosen = settings.get(context)
    if not order.subject and not order.video:
        raise ReliTalkError("no_subject", "No subject is chosen.", "Train one, or choose one, first.")
    folder = settings.subject_place(order.subject, order.video)
    if not order.awaited:
        subject = Subject.open(folder)
        if not (subject.info.consent.given or chosen.consent):
            raise ReliTalkError(
                "no_consent", f"No consent is recorded for {subject.info.name}.",
                "Confirm in the panel Subject that the person agreed.",
            )
    coming = watch.coming()
    place = settings.take_place(order.take, folder, order.audio, coming)
    if place in coming:
        raise ReliTalkError("busy", f"{place.name} is being made already.", "Choose another name, or wait.")
    kind = "render" if order.audio else "relight"
    voice = _voice(chosen, _existing(order.audio, "audio")) if order.audio else []
    if order.light not in {settings.MATCHED, "source", "olat"} and not order.light.startswith("dir:"):
        _existing(order.light, "light")
    background = order.background or "none"
    if background not in {"none", "keep"} and not background.startswith("#"):
        background = str(_existing(background, "background image"))
    force = ["--force"] if place.exists() else []

    def command(job: Path) -> list[str]:
        light = world_light.spec_for_job(context.scene, order.light, job)
        frames = ["--frames", order.frames] if order.frames else []
        extra = [word for word, asked in (("--passes", chosen.live), ("--full-frame", chosen.full_frame)) if asked]
        return [
            kind, str(folder), *voice, "--light", light, "--background", background, *frames, "--exr", *extra,
            "--device", chosen.device, "-o", str(place), *force,
        ]

    made = jobs.Order(
        kind, f"{kind.capitalize()} {place.name}", str(place), lane=_lane(chosen.device), place=order.place,
        source=str(folder / "frames.mkv"), **_home(context),
    )
    return _begin(made, command)


def again(context: bpy.types.Context, job: jobs.Job) -> jobs.Job:
    """Take a job up once more that was cancelled or failed, with the engine of now.

    Raises:
        ReliTalkError: there is nothing to take up, or the engine is not ready.
    """
    order = replace(launch.again(job), **_home(context))
    return _begin(order, lambda folder: launch.carry_over(job.folder, folder, order.words))


def set_up(backend: str = "AUTO") -> jobs.Job:
    """Begin to make the engine's own environment.

    Args:
        backend: what it shall compute on, a key of `hardware.backends`.

    Raises:
        ReliTalkError: its place cannot be written, or has no room.
    """
    home = preferences.engine_home()
    build = hardware.chosen(backend)
    no_room = hardware.lacks_room(home, build)
    if no_room:
        raise ReliTalkError("no_room", no_room)
    code = engine.copy_code(home)
    module = f"{code.name}.relitalk_addon.environment"
    command = [sys.executable, "-m", module, "--home", str(home), "--backend", build.key]
    made = jobs.Order("set_up", "Set up engine", str(engine.environment_of(home)), command)
    return launch.start(preferences.jobs_folder(), made, engine.clean_environ(code.parent))


def _begin(order: jobs.Order, words: Callable[[Path], list[str]]) -> jobs.Job:
    """Begin an engine job; `words`, what the engine is told, is given the job's folder, to lay files there."""
    ready = preferences.ready_engine()
    _writable(Path(order.result))
    job = launch.prepare(preferences.jobs_folder(), order)
    try:
        told = words(job.folder)
        job.order = replace(job.order, words=told)
        return launch.launch(job, ready.queued(*told), ready.environ())
    except ReliTalkError:
        launch.discard(job)
        raise


def _home(context: bpy.types.Context) -> dict[str, str | int]:
    """The scene that orders a job, where its result is wanted."""
    scene = context.scene
    return {"blend": bpy.data.filepath, "scene": scene.name, "frame_start": scene.relitalk.frame_start}


def _lane(device: str) -> str:
    """The queue in which a job waits: one for the GPU, one for the processor."""
    return "cpu" if device == "cpu" else "gpu"


def _voice(chosen: bpy.types.PropertyGroup, audio: Path) -> list[str]:
    words = ["--transcript", str(_existing(chosen.transcript, "transcript"))] if chosen.transcript else []
    return ["--audio", str(audio), "--mouth", f"{chosen.mouth:g}", "--offset", f"{chosen.offset:g}", *words]


def _existing(text: str, what: str) -> Path:
    path = settings.path(text)
    if not path.is_file():
        raise ReliTalkError("no_such_file", f"There is no {what} at {path}.", "It may have moved.")
    return path


def _writable(place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReliTalkError(
            "unwritable", f"{place.parent} cannot be written ({error.strerror or error}).", "Choose another folder.",
        ) from error
