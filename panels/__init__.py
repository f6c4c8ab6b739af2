"""One file per panel of the sidebar tab ReliTalk; a panel only draws."""

import bpy

from . import jobs, light, render, subject, voice

CLASSES = (
    subject.RELITALK_PT_subject,
    voice.RELITALK_PT_voice,
    light.RELITALK_PT_light,
    render.RELITALK_PT_render,
    jobs.RELITALK_PT_jobs,
)


def register() -> None:
    """Called from the root."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Called from the root."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
