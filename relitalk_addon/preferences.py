"""The add-on's preferences: where the engine's Python and the library are."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import wrap

import bpy
from bpy.props import StringProperty

from . import compat, engine


class RELITALK_AddonPreferences(bpy.types.AddonPreferences):
    """What stays from scene to scene."""

    bl_idname = compat.ROOT

    library: StringProperty(
        name="Library", subtype="DIR_PATH", default=os.path.join("~", "ReliTalk"),
        description="Folder of subjects, takes and jobs; it stays when the add-on goes",
    )
    engine_python: StringProperty(
        name="Python", subtype="FILE_PATH", default="",
        description="A Python 3.11 or 3.12 with the engine's packages; empty: the engine's own environment",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        box = layout.box()
        why = engine_complaint()
        said = wrap(why or f"The engine runs in {engine_python().origin}.", 80)  # what a Python lacks is a long list
        for number, line in enumerate(said):
            box.label(text=line, icon="BLANK1" if number else "ERROR" if why else "CHECKMARK")
        row = box.row()
        row.operator("relitalk.set_up_engine", icon="IMPORT")
        row.operator("relitalk.check_engine", icon="VIEWZOOM")
        row.operator("relitalk.remove_engine", icon="TRASH")
        if not compat.online() and not engine_named():
            row = box.row()
            row.label(text="Blender is offline; Set Up Engine downloads.", icon="INTERNET_OFFLINE")
            row.operator("relitalk.allow_online")
        box.prop(self, "engine_python")
        layout.prop(self, "library")


def get() -> RELITALK_AddonPreferences:
    """The add-on's preferences."""
    return bpy.context.preferences.addons[compat.ROOT].preferences


def library() -> Path:
    """The library folder."""
    return Path(bpy.path.abspath(get().library or "~/ReliTalk")).expanduser().absolute()


def any_subject() -> bool:
    """Whether the library holds a subject."""
    return any((library() / "subjects").glob("*/subject.json"))


def jobs_folder() -> Path:
    """Where the jobs of this computer lie."""
    return library() / "jobs"


def engine_home() -> Path:
    """Where the engine's environments and the copies of its code lie; removed with the extension."""
    return Path(compat.extension_folder("engine"))


def engine_named() -> bool:
    """Whether the user named a Python, here or in the environment, instead of the engine's own."""
    return bool(get().engine_python or os.environ.get(engine.PYTHON_VARIABLE))


def never_set_up() -> bool:
    """Whether no engine was ever made or named here: that is how everyone begins, and no fault."""
    return not engine_named() and not any(engine_home().glob("env-*"))


def engine_python() -> engine.Found:
    """The Python that shall run the engine, from looking at files alone."""
    return engine.find_python(bpy.path.abspath(get().engine_python), engine_home())


def engine_complaint() -> str:
    """Why the engine cannot be used, a sentence; empty where nothing is known against it."""
    return engine_python().complaint


def ready_engine() -> engine.Engine:
    """The engine, checked and with its code copied.

    Raises:
        ReliTalkError: it is not set up, or its Python lacks something.
    """
    return engine.ready(bpy.path.abspath(get().engine_python), engine_home())


def register() -> None:
    """Called from the root."""
    bpy.utils.register_class(RELITALK_AddonPreferences)


def unregister() -> None:
    """Called from the root."""
    bpy.utils.unregister_class(RELITALK_AddonPreferences)
