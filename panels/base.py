"""What the panels share."""

from __future__ import annotations

from textwrap import wrap

import bpy

from ..relitalk_addon import compat, jobs

LETTER = 6.3
"""Width of a letter of Blender's interface font, in points, on average."""
STAGES = {
    "track": "Finding the face",
    "fit": "Fitting the head",
    "fit: skin": "Following the skin",
    "store": "Storing the clip",
    "backdrop": "Looking behind the person",
    "mouth": "Looking at the mouth",
    "surface: looking": "Looking at outlines",
    "surface: outlines": "Tracing outlines",
    "surface": "Shaping hair and shoulders",
    "speech": "Learning the speech",
    "reflectance: looking": "Looking at the skin",
    "reflectance: coarse": "Rough shape and light",
    "reflectance: decomposition": "Skin and light apart",
    "passes": "Writing the passes",
    "mouths": "Collecting mouths",
    "synthesis": "Learning the mouth",
    "report": "Writing the report",
    "voice": "Hearing the voice",
    "frames": "Painting the frames",
}
"""The engine's stages in words for a person."""


class Tab:
    """A panel of the sidebar tab ReliTalk."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ReliTalk"

    def column(self) -> bpy.types.UILayout:
        """A column with Blender's own property layout."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        return self.layout.column()


def button(layout: bpy.types.UILayout, operator: str, why_not: str, **look: str) -> bpy.types.OperatorProperties:
    """A large button, and under it in words why it is disabled, if it is."""
    row = layout.row()
    row.scale_y = 1.4
    made = row.operator(operator, **look)
    if why_not:
        hint(layout, why_not)
    return made


def switch(layout: bpy.types.UILayout, owner: bpy.types.bpy_struct, name: str) -> None:
    """A tick with all the width for its words, which the column beside the labels has not."""
    row = layout.row()
    row.use_property_split = False
    row.prop(owner, name)


def hint(layout: bpy.types.UILayout, sentence: str, icon: str = "INFO") -> None:
    """A sentence, broken into lines that the sidebar can show."""
    lines(layout, compat.translated(sentence), icon)


def lines(layout: bpy.types.UILayout, text: str, icon: str = "NONE") -> None:
    """A text as it is, broken into lines that the sidebar can show."""
    scale = bpy.context.preferences.system.ui_scale
    indent = 40 if icon == "NONE" else 62
    room = max(18, int((bpy.context.region.width / scale - indent) / LETTER))
    column = layout.column(align=True)
    column.scale_y = 0.75
    broken = [part for line in text.splitlines() for part in wrap(line.strip(), room, break_on_hyphens=False)]
    for number, line in enumerate(broken):
        column.label(text=line, translate=False, icon=icon if number == 0 or icon == "NONE" else "BLANK1")


def progress(layout: bpy.types.UILayout, job: jobs.Job) -> None:
    """A job that has not ended: what it does, how far it is, how long yet, and cancel."""
    column = layout.column(align=True)
    row = column.row(align=True)
    if job.state is jobs.State.QUEUED:
        row.label(text=stage(job), translate=False, icon="TIME")
    else:
        row.label(text=stage(job), translate=False, icon="PLAY")
        row = column.row(align=True)
        percent = f"{round(100 * job.fraction)} %"
        compat.progress(row, factor=job.fraction, text=f"{percent}  {time_left(job.eta_s)}".strip())
    row.operator("relitalk.cancel", text="", icon="X").job = job.name


def stage(job: jobs.Job) -> str:
    """What a job does now, in words."""
    return compat.translated(STAGES.get(job.stage, job.stage))


def time_left(seconds: float | None) -> str:
    """Time left in minutes and seconds."""
    return "" if seconds is None else compat.translated("{time} left").format(time=clock(seconds))


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = int(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    minutes = whole % 3600 // 60
    return f"{hours}{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
