"""`relitalk inspect`: what a file or folder is, who made it, from what."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from .. import folders
from ..errors import ReliTalkError
from ..subject import Subject
from ..take import Take

Facts = dict[str, Any]
PICTURES = (".png", ".exr", ".hdr", ".jpg", ".jpeg", ".tif", ".tiff")
FILMS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".wav", ".mp3", ".m4a", ".flac", ".ogg")
LONG = 12
"""Longer lists are told by their ends."""
TOLD = ("Software", "Comment", "ImageDescription", "DigitalSourceType")
"""Metadata that say who made a picture and from what."""


def describe(path: Path) -> Facts:
    """Facts of a file or folder, "what" first.

    Raises:
        ReliTalkError: nothing there, or nothing that is known.
    """
    if not path.exists():
        raise ReliTalkError("no_file", f"There is nothing at {path}.", "Check the path.")
    if path.is_dir():
        return _folder(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _json(path)
    if suffix in PICTURES:
        return _picture(path)
    if suffix in FILMS:
        return _film(path)
    raise ReliTalkError(
        "unknown_file",
        f"{path} is of no kind that ReliTalk knows.",
        "Name a subject, a take, a light, a picture or a film.",
    )


def lines(facts: Facts, indent: str = "") -> list[str]:
    """Facts as lines for a person."""
    found = []
    for name, value in facts.items():
        if isinstance(value, dict):
            found += [f"{indent}{name}:", *lines(value, indent + "  ")]
        elif value not in (None, "", []):
            words = _listed(value) if isinstance(value, list) else value
            found.append(f"{indent}{name}: {words}")
    return found


def _listed(values: list[Any]) -> str:
    """A list as words, a long one by its ends."""
    shown = values if len(values) <= LONG else [*values[:2], "...", values[-1]]
    return ", ".join(map(str, shown)) + (f" ({len(values)} values)" if len(values) > LONG else "")


def _rate(fps: Fraction) -> str:
    return f"{float(fps):g} fps" + (f" ({fps})" if fps.denominator != 1 else "")


def _folder(path: Path) -> Facts:
    if (path / "subject.json").is_file():
        return _building(path) if (path / folders.BUILDER_FILE).is_file() else _subject(Subject.open(path))
    if (path / "take.json").is_file():
        return _take(Take.open(path))
    raise ReliTalkError(
        "unknown_folder", f"{path} is neither a subject nor a take.", "Name a folder that ReliTalk made."
    )


def _building(path: Path) -> Facts:
    table = json.loads((path / "subject.json").read_text(encoding="utf-8"))
    return {
        "what": "a ReliTalk subject whose training is not finished",
        "made by": f"ReliTalk {table.get('engine', '?')}",
        "from": (table.get("source") or {}).get("file", "?"),
        "stages done": table.get("stages_done", []),
    }


def _subject(subject: Subject) -> Facts:
    info = subject.info
    consent = f"given, recorded {info.consent.recorded}" if info.consent.given else "not recorded"
    return {
        "what": "a ReliTalk subject",
        "name": info.name,
        "made by": f"ReliTalk {info.engine}, preset {info.preset}, seed {info.seed}, {info.device}",
        "from": info.source.file,
        "sha256 of it": info.source.sha256,
        "consent": consent,
        "size": f"{info.size[0]} x {info.size[1]} pixels, {info.frames} frames at {_rate(info.fps)}",
        "crop": f"{list(info.crop)} of {info.source_size[0]} x {info.source_size[1]}",
        "head model": info.head_model,
        "sound": "kept" if subject.audio_path.is_file() else "none",
        "metrics": info.metrics,
    }


def _take(take: Take) -> Facts:
    info = take.info
    first, last = info.frames
    return {
        "what": "a ReliTalk take: " + ("driven by a voice and lit" if info.kind == "render" else "the clip lit anew"),
        "made by": f"ReliTalk {info.engine}",
        "subject": info.subject,
        "voice": info.audio,
        "footage": info.base,
        "light": info.light,
        "background": info.background,
        "controls": info.controls,
        "frames": f"{first} to {last - 1} of {info.total}, {info.size[0]} x {info.size[1]} pixels at {_rate(info.fps)}",
        "files": "EXR, linear" if info.exr else "PNG, sRGB",
        "passes": info.passes,
    }


def _json(path: Path) -> Facts:
    if path.name == "subject.json":
        return _folder(path.parent)
    if path.name == "take.json":
        return _folder(path.parent)
    from ..lighting.light import Light

    found = Light.load(path)
    frames = len(found.frames) if found.frames else 1
    radiance = found.radiance()
    return {
        "what": "a ReliTalk light",
        "from": found.source,
        "frames": frames,
        "environment": "none, SH alone" if found.environment is None else f"{radiance.shape[1]} x {radiance.shape[0]}",
        "mean radiance": [round(float(value), 4) for value in radiance.mean(axis=(0, 1))],
        "brightest": round(float(radiance.max()), 3),
    }


def _picture(path: Path) -> Facts:
    import OpenImageIO as oiio

    from ..media import images

    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise ReliTalkError(
            "bad_picture", f"{path} is not a picture that can be read ({oiio.geterror()}).", "Name another file."
        )
    spec = file.spec()
    file.close()
    told = {name: value for name, value in images.read_metadata(path).items() if name in TOLD}
    ours = "ReliTalk" in str(told.get("Software", "")) + str(told.get("Comment", "")) + str(
        told.get("ImageDescription", "")
    )
    return {
        "what": "a picture made by ReliTalk" if ours else "a picture",
        "size": f"{spec.width} x {spec.height} pixels",
        "channels": list(spec.channelnames),
        "pixels": str(spec.format),
        **told,
    }


def _film(path: Path) -> Facts:
    import av

    try:
        with av.open(str(path)) as container:
            comment = container.metadata.get("comment", "")
            facts: Facts = {
                "what": ("a film" if container.streams.video else "a sound")
                + (" made by ReliTalk" if "ReliTalk" in comment else ""),
                "comment": comment,
                "seconds": round((container.duration or 0) / 1e6, 3),
            }
            for stream in container.streams.video[:1]:
                rate = Fraction(stream.average_rate or 0)
                facts["picture"] = f"{stream.codec_context.name}, {stream.width} x {stream.height} at {_rate(rate)}"
            for sound in container.streams.audio[:1]:
                facts["sound"] = f"{sound.codec_context.name}, {sound.rate} Hz, {sound.channels} channels"
            return facts
    except (av.error.FFmpegError, OSError) as error:
        raise ReliTalkError(
            "bad_film", f"{path} is not a film or sound that can be read ({error}).", "Name another file."
        ) from error
