"""Checks that need no heavy work, so that a wrong call is answered at once and nothing is half-written."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

import numpy as np

from .. import folders
from ..config import load_preset
from ..errors import ReliTalkError
from ..machine import choose_device
from ..media.files import existing
from ..pipeline.options import (
    Background,
    LightOptions,
    OutOptions,
    RelightOptions,
    RenderOptions,
    TrainOptions,
    VoiceOptions,
)
from ..subject import SUFFIX, Subject


def in_range(value: float, name: str, least: float, most: float = math.inf) -> float:
    """A finite number within its bounds.

    Raises:
        ReliTalkError: it is not.
    """
    if not (math.isfinite(value) and least <= value <= most):
        bounds = f"from {least:g} to {most:g}" if math.isfinite(most) else f"{least:g} or more"
        raise ReliTalkError("bad_call", f"{name} is {value:g}.", f"Give a number, {bounds}.")
    return value


def frame_range(text: str | None) -> tuple[int | None, int | None] | None:
    """--frames A:B, half-open; an end left out is the take's own.

    Raises:
        ReliTalkError: not a range, or an empty one.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d*):(\d*)", text.strip())
    if match is None:
        raise ReliTalkError("bad_frames", f'--frames is "{text}".', "Give A:B, such as 0:50 for frames 0 to 49.")
    first, last = (int(end) if end else None for end in match.groups())
    if last is not None and last <= (first or 0):
        raise ReliTalkError(
            "bad_frames", f"--frames {text} holds no frame.", "B must be larger than A; frame B is not included."
        )
    return first, last


def background(text: str) -> Background:
    """--background none, keep, #rrggbb or an image.

    Raises:
        ReliTalkError: not a colour, or no such image.
    """
    if text in ("none", "keep"):
        return Background(text)
    if text.startswith("#"):
        match = re.fullmatch(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", text)
        if match is None:
            raise ReliTalkError(
                "bad_colour", f'The background "{text}" is not a colour.', "Give #rrggbb, such as #204060."
            )
        red, green, blue = (int(part, 16) for part in match.groups())
        return Background("colour", (red, green, blue))
    return Background("image", image=existing(text, "background image"))


def light(arguments: argparse.Namespace) -> LightOptions:
    """LIGHT, read once so that a light that is none is refused before any work.

    Raises:
        ReliTalkError: not a light.
    """
    from ..lighting import rigs

    spec, rotation, strength = arguments.light, arguments.light_rotation, arguments.light_strength
    in_range(rotation, "--light-rotation", -1e6, 1e6)
    in_range(strength, "--light-strength", 0.0, 1e6)
    if spec not in ("source", "olat"):
        rigs.load_light(spec, rotation, strength)
    return LightOptions(spec, rotation, strength)


def subject(path: str) -> Subject:
    """A trained subject.

    Raises:
        ReliTalkError: not one; it says whether its training was left unfinished.
    """
    folder = Path(path)
    if not folder.exists():
        if folders.building_place(folder).exists():
            raise ReliTalkError(
                "unfinished", f"The training of {path} is not finished.", "Finish it with relitalk train ... --resume."
            )
        named = folder.with_name(folder.name + SUFFIX)
        if named.is_dir():
            raise ReliTalkError("no_subject", f"There is no subject at {path}.", f"Did you mean {named}?")
    return Subject.open(folder)


def voice_sound(path: str) -> Path:
    """Sound long and loud enough to be said.

    Raises:
        ReliTalkError: no such file, no sound in it, too short, or silent.
    """
    from ..media import audio

    heard, peak = 0, 0.0
    for block in audio.read_blocks(path):
        heard, peak = heard + len(block), max(peak, float(np.abs(block).max()))
        if heard > audio.SHORTEST * audio.SPEECH_RATE and peak > audio.QUIETEST:
            return Path(path)
    audio.check_voice(np.full(heard, peak, np.float32), audio.SPEECH_RATE, path)
    return Path(path)


def out(arguments: argparse.Namespace, person: Subject) -> OutOptions:
    """OUT, its place free to write.

    Args:
        arguments: what the parser found.
        person: whose clip is the footage where no other is named.

    Raises:
        ReliTalkError: an option does not fit or the place is taken.
    """
    if arguments.freeze is not None and arguments.freeze < 0:
        raise ReliTalkError("bad_call", f"--freeze is {arguments.freeze}.", "Give a frame number, 0 or more.")
    there = person.info.frames
    if arguments.freeze is not None and not arguments.video and arguments.freeze >= there:
        raise ReliTalkError(
            "bad_freeze", f"The clip has frames 0 to {there - 1}, no {arguments.freeze}.", "Give one of them."
        )
    options = OutOptions(
        background=background(arguments.background),
        frames=frame_range(arguments.frames),
        freeze=arguments.freeze,
        full_frame=arguments.full_frame,
        exr=arguments.exr,
        passes=arguments.passes,
        force=arguments.force,
    )
    folders.check_place(Path(arguments.output), arguments.force, "take")
    return options


def train_options(arguments: argparse.Namespace) -> TrainOptions:
    """`relitalk train`, checked.

    Raises:
        ReliTalkError: an option does not fit.
    """
    video = existing(arguments.video, "video")
    output = Path(arguments.output)
    if output.suffix != SUFFIX:
        raise ReliTalkError("bad_call", f"The subject's name is {arguments.output}.", f"It must end in {SUFFIX}.")
    in_range(arguments.seed, "--seed", 0, 2**63 - 1)
    in_range(arguments.start, "--start", 0.0)
    if arguments.duration is not None:
        in_range(arguments.duration, "--duration", 0.04)
    preset = load_preset(arguments.preset)
    if not (arguments.resume and Path(output, "subject.json").is_file()):
        folders.check_place(output, arguments.force, "subject")
    return TrainOptions(
        video,
        output,
        preset,
        choose_device(arguments.device),
        arguments.seed,
        arguments.resume,
        arguments.force,
        arguments.start,
        arguments.duration,
        arguments.consent == "yes",
    )


def render_options(arguments: argparse.Namespace) -> RenderOptions:
    """`relitalk render`, checked.

    Raises:
        ReliTalkError: an option does not fit.
    """
    person = subject(arguments.subject)
    in_range(arguments.start, "--start", 0.0)
    transcript = existing(arguments.transcript, "transcript") if arguments.transcript else None
    voice = VoiceOptions(
        transcript=transcript,
        motion=existing(arguments.motion, "motion") if arguments.motion else None,
        mouth=in_range(arguments.mouth, "--mouth", 0.5, 1.5),
        smooth=in_range(arguments.smooth, "--smooth", 0.0, 20.0),
        offset_ms=in_range(arguments.offset, "--offset", -5000, 5000),
        motion_only=arguments.motion_only,
    )
    shine, files = light(arguments), out(arguments, person)
    video = existing(arguments.video, "video") if arguments.video else None
    sound = voice_sound(arguments.audio)
    return RenderOptions(
        person.path,
        sound,
        Path(arguments.output),
        shine,
        voice,
        files,
        video,
        arguments.start,
        choose_device(arguments.device),
    )


def relight_options(arguments: argparse.Namespace) -> RelightOptions:
    """`relitalk relight`, checked.

    Raises:
        ReliTalkError: an option does not fit.
    """
    person = subject(arguments.subject)
    in_range(arguments.start, "--start", 0.0)
    shine, files = light(arguments), out(arguments, person)
    video = existing(arguments.video, "video") if arguments.video else None
    return RelightOptions(
        person.path, Path(arguments.output), shine, files, video, arguments.start, choose_device(arguments.device)
    )
