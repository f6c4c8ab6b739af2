"""What the panels share."""

from __future__ import annotations

from textwrap import wrap

import bpy

from ..relitalk_addon import compat, jobs


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


def hint(layout: bpy.types.UILayout, sentence: str, icon: str = "INFO") -> None:
    """A sentence, broken into lines that the sidebar can show."""
    scale = bpy.context.preferences.system.ui_scale
    room = max(18, int((bpy.context.region.width / scale - 75) / 6.2))
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(wrap(sentence, room)):
        column.label(text=line, icon=icon if number == 0 or icon == "NONE" else "BLANK1")


def progress(layout: bpy.types.UILayout, job: jobs.Job) -> None:
    """A running job: stage, bar, time left, cancel."""
    row = layout.row(align=True)
    compat.progress(row, factor=job.fraction, text=f"{job.stage} {time_left(job.eta_s)}".strip())
    row.operator("relitalk.cancel", text="", icon="X").job = job.name


def time_left(seconds: float | None) -> str:
    """Time left in minutes and seconds."""
    return "" if seconds is None else f"({int(seconds) // 60}:{int(seconds) % 60:02d} left)"
