"""Files that are dragged into the 3D viewport: a video, a sound, a light, a subject."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import Operator

from ..relitalk_addon import settings
from .base import ARGUMENT, PATH

KINDS = {
    "VIDEO": (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"),
    "AUDIO": (".wav", ".mp3", ".flac", ".ogg", ".m4a", ".aac", ".opus"),
    "LIGHT": (".hdr", ".exr"),
    "SUBJECT": (".relitalk",),
}


def kind_of(path: Path) -> str:
    """What a file is to ReliTalk, by its name; empty: nothing."""
    return next((kind for kind, endings in KINDS.items() if path.suffix.lower() in endings), "")


class RELITALK_OT_use_file(Operator):
    """Use a video, a sound, a panorama or a subject for the next action in ReliTalk"""

    bl_idname = "relitalk.use_file"
    bl_label = "Use in ReliTalk"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(
        name="File", subtype="FILE_PATH", options=PATH, description="The file, or the subject's folder",
    )
    kind: EnumProperty(
        name="As", default="AUTO", options=ARGUMENT, description="What it shall be used as",
        items=[
            ("AUTO", "Automatic", "By the file's name"),
            ("VIDEO", "Video", "The clip to train on"),
            ("AUDIO", "Audio", "What the portrait says"),
            ("LIGHT", "Light", "What lights the portrait"),
            ("SUBJECT", "Subject", "Who is portrayed"),
        ],
    )

    def invoke(self, context, event):
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        path = settings.path(self.filepath) if self.filepath else None
        if path is None or not path.exists():
            self.report({"ERROR"}, f"There is nothing at {path}." if path else "No file is named.")
            return {"CANCELLED"}
        kind = kind_of(path) if self.kind == "AUTO" else self.kind
        chosen = settings.get(context)
        if not kind:
            self.report({"ERROR"}, f"{path.name} is no video, sound, panorama or subject that ReliTalk knows.")
            return {"CANCELLED"}
        if kind == "SUBJECT" and not (path / "subject.json").is_file():
            self.report({"ERROR"}, f"{path.name} is no whole subject: it holds no subject.json.")
            return {"CANCELLED"}
        if kind == "VIDEO":
            chosen.video, chosen.subject, chosen.consent = self.filepath, "", False
            self.report({"INFO"}, f"{path.name} is the clip to train on; confirm that the person agreed")
            return {"FINISHED"}
        setattr(chosen, kind.lower(), self.filepath)
        self.report({"INFO"}, f"{path.name} is the next {kind.lower()}")
        return {"FINISHED"}


HANDLERS = ()
if hasattr(bpy.types, "FileHandler"):  # Blender from 4.1 on

    class RELITALK_FH_files(bpy.types.FileHandler):
        """What may be dragged into the 3D viewport."""

        bl_idname = "RELITALK_FH_files"
        bl_label = "ReliTalk"
        bl_import_operator = "relitalk.use_file"
        bl_file_extensions = ";".join(ending for endings in KINDS.values() for ending in endings)

        @classmethod
        def poll_drop(cls, context):
            """Over a 3D viewport alone, which is where the panels are."""
            return context.area is not None and context.area.type == "VIEW_3D"

    HANDLERS = (RELITALK_FH_files,)
