"""What the panels edit: `scene.relitalk`, the next action's settings, and the sentences that say what is missing."""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..relitalk_engine.errors import ReliTalkError
from . import compat, preferences, presets

DEVICES = [
    ("auto", "Auto", "The GPU where there is one"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA GPU"),
]
OUTSIDE = [
    ("HOLD", "Hold", "Before and after the take its first and last frame stand still"),
    ("LOOP", "Loop", "The take begins again"),
    ("HIDE", "Hide", "Before and after the take the portrait is not seen"),
]
STANDS = [
    ("GROUND", "On the Ground", "Its lower edge on the 3D cursor"),
    ("EYES", "At Eye Height", "Its eyes above the 3D cursor"),
    ("CAMERA", "In the Camera", "Of true size, so far away that it fills the camera's frame"),
]
LOOKS = [
    ("SCENE_LINEAR", "With the scene", "The portrait is seen by the same film as the scene"),
    ("AS_FILMED", "As filmed", "The scene's view becomes Standard, and the display equals the take"),
]
MATCHED = "matched"
"""The setting `light` after Match Light: what `light_sh` says."""


def _qualities(_: bpy.types.PropertyGroup, __: bpy.types.Context | None) -> list[tuple[str, str, str, int]]:
    return presets.quality_items()


class RELITALK_Settings(bpy.types.PropertyGroup):
    """The next action's settings; several portraits may stand in a scene."""

    video: StringProperty(
        name="Video", subtype="FILE_PATH", options=compat.RELATIVE,
        description="A clip of one person who speaks, eight seconds or more",
    )
    subject: StringProperty(
        name="Subject", subtype="DIR_PATH", options=compat.RELATIVE,
        description="The subject's folder, NAME.relitalk, or a name in the library; empty: named after the video",
    )
    preset: EnumProperty(
        name="Quality", items=_qualities, description="How carefully it is learnt; your own come after those that ship",
    )
    device: EnumProperty(name="Device", items=DEVICES, default="auto", description="What the engine computes on")
    seed: IntProperty(name="Seed", min=0, description="The same seed learns the same subject")
    consent: BoolProperty(
        name="The person agreed", description="The person in the clip agreed to be portrayed; the subject records it",
    )
    audio: StringProperty(
        name="Audio", subtype="FILE_PATH", options=compat.RELATIVE, description="What is said: a sound file or a film",
    )
    transcript: StringProperty(
        name="Transcript", subtype="FILE_PATH", options=compat.RELATIVE,
        description="The spoken words, a text file; it makes the mouth surer",
    )
    mouth: FloatProperty(
        name="Mouth", default=1.0, min=0.5, max=1.5, description="How far the mouth opens; 1 as learnt",
    )
    offset: FloatProperty(
        name="Offset (ms)", default=0.0, min=-5000.0, max=5000.0, soft_min=-500.0, soft_max=500.0,
        description="Milliseconds by which the mouth comes later than the sound",
    )
    light: StringProperty(
        name="Light", default="source",
        description="source: as filmed; matched: as Match Light found it; an .hdr, .exr or .json file; dir:AZ,EL",
    )
    light_sh: FloatVectorProperty(
        name="Light's coefficients", size=27, default=(0.0,) * 27, options={"HIDDEN"},
        description="Matched radiance, spherical harmonics [9, 3] row by row, in the portrait's axes",
    )
    exposure: FloatProperty(
        name="Exposure", default=0.0, soft_min=-5.0, soft_max=5.0, description="Stops by which it is shown brighter",
    )
    background: StringProperty(
        name="Background", default="none", description="none: transparent; keep: the clip's own; an image; or #rrggbb",
    )
    frame_start: IntProperty(name="Start Frame", default=1, description="Scene frame at which the take begins")
    take: StringProperty(
        name="Take", subtype="DIR_PATH", options=compat.RELATIVE,
        description="The take's folder, or a name in the library; empty: named after subject and audio",
    )
    outside: EnumProperty(name="Outside", items=OUTSIDE, default="HOLD", description="Before and after the take")
    look: EnumProperty(name="Look", items=LOOKS, default="SCENE_LINEAR", description="How the portrait is shown")
    stand: EnumProperty(name="Stands", items=STANDS, default="GROUND", description="Where a new portrait stands")
    eye_height: FloatProperty(
        name="Eye Height", default=1.6, min=0.0, soft_max=3.0, subtype="DISTANCE", unit="LENGTH",
        description="Of a new portrait's eyes above the 3D cursor",
    )
    faces_camera: BoolProperty(
        name="Face Camera", description="A new portrait turns to the scene's camera, about its own upright axis",
    )
    relief: BoolProperty(
        name="Relief", description="A new portrait stands out of its plane as the fitted head does",
    )
    live: BoolProperty(
        name="Live Light", default=True,
        description="Takes are rendered with their passes, so that a placed portrait can be lit in Blender",
    )
    full_frame: BoolProperty(
        name="Full Frame", description="The portrait is put back into the clip's whole picture",
    )
    shadow: BoolProperty(name="Casts Shadow", default=False, description="Its outline throws a shadow into the scene")


def get(context: bpy.types.Context) -> RELITALK_Settings:
    """The settings of the context's scene."""
    return context.scene.relitalk


def path(text: str) -> Path:
    """A path as the user gave it, made absolute: `//` is the .blend file's folder, `~` the home."""
    return Path(bpy.path.abspath(text)).expanduser().absolute()


def subject_place(text: str, video: str = "") -> Path:
    """The subject's folder: a path, or a name in the library; empty: named after the video."""
    return _place(text or path(video).stem, "subjects", ".relitalk")


def take_place(text: str, subject: Path, audio: str = "", coming: Container[Path] = ()) -> Path:
    """The take's folder: a path, or a name in the library; empty: a new name after subject and audio.

    Args:
        text: as the user gave it.
        subject: the subject's folder.
        audio: the sound's path; empty: none.
        coming: folders that jobs are making.
    """
    if text:
        return _place(text, "takes", "")
    stem = "_".join(part for part in (subject.stem, path(audio).stem if audio else "relit") if part)
    place = _place(stem, "takes", "")
    number = 1
    while place.exists() or place in coming:
        number += 1
        place = place.with_name(f"{stem}_{number:02d}")
    return place


def _place(text: str, room: str, suffix: str) -> Path:
    bare = "/" not in text and "\\" not in text and not text.startswith("~")
    place = preferences.library() / room / text if bare else path(text)
    if suffix and place.suffix != suffix and not (place / "subject.json").is_file():
        place = place.with_name(place.name + suffix)
    return place


def why_not_train(context: bpy.types.Context) -> str:
    """Why *Train Subject* cannot be pressed; empty where it can."""
    chosen = get(context)
    if not chosen.video:
        return "Choose a video first"
    if not path(chosen.video).is_file():
        return f"There is no video at {chosen.video}"
    if not chosen.consent:
        return "Confirm that the person in the video agreed"
    place = subject_place(chosen.subject, chosen.video)
    if (place / "subject.json").is_file():
        return f"{place.stem} is trained already; another name trains anew"
    return ""


def why_no_subject(context: bpy.types.Context) -> str:
    """Why there is no subject to work with; empty where there is one."""
    chosen = get(context)
    if not chosen.subject and not chosen.video:
        return "Train a subject, or choose one, first"
    place = subject_place(chosen.subject, chosen.video)
    if not (place / "subject.json").is_file():
        return f"{place.name} is not trained yet"
    return ""


def subject_clip(context: bpy.types.Context) -> tuple[Path | None, int]:
    """The film of the subject's own frames and their number; None where there is no subject yet."""
    chosen = get(context)
    if not chosen.subject and not chosen.video:
        return None, 0
    place = subject_place(chosen.subject, chosen.video)
    try:
        frames = json.loads((place / "subject.json").read_text(encoding="utf-8"))["frames"]
    except (OSError, ValueError, KeyError, TypeError):
        return None, 0
    clip = place / "frames.mkv"
    return (clip, int(frames)) if clip.is_file() else (None, 0)


def why_not_render(context: bpy.types.Context) -> str:
    """Why *Render* cannot be pressed; empty where it can."""
    chosen = get(context)
    why = why_no_subject(context)
    if why:
        return why
    if not chosen.audio:
        return "Choose an audio file first"
    if not path(chosen.audio).is_file():
        return f"There is no audio at {chosen.audio}"
    return ""


def existing_take(text: str) -> Path:
    """The take that is meant: a path, or a name in the library; empty: the newest of the library.

    Raises:
        ReliTalkError: there is none.
    """
    if text:
        return _place(text, "takes", "")
    found = (preferences.library() / "takes").glob("*/take.json")
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise ReliTalkError("no_take", "There is no take yet.", "Render one first.")
    return newest.parent


def why_not_place(context: bpy.types.Context) -> str:
    """Why *Place* cannot be pressed; empty where it can."""
    try:
        place = existing_take(get(context).take)
    except ReliTalkError as error:
        return str(error)
    return "" if (place / "take.json").is_file() else f"{place.name} is not rendered yet"


def register() -> None:
    """Called from the root."""
    bpy.utils.register_class(RELITALK_Settings)
    bpy.types.Scene.relitalk = PointerProperty(type=RELITALK_Settings)


def unregister() -> None:
    """Called from the root; the scenes keep what was set."""
    del bpy.types.Scene.relitalk
    bpy.utils.unregister_class(RELITALK_Settings)
