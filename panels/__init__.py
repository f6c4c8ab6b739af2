"""One file per panel of the sidebar tab ReliTalk; a panel only draws."""

import bpy

from . import jobs, light, menus, place, portrait, render, start, subject, voice

CLASSES = (
    menus.RELITALK_MT_lights,
    menus.RELITALK_MT_jobs,
    menus.RELITALK_MT_main,
    start.RELITALK_PT_start,
    subject.RELITALK_PT_subject,
    voice.RELITALK_PT_voice,
    light.RELITALK_PT_light,
    render.RELITALK_PT_render,
    place.RELITALK_PT_place,
    portrait.RELITALK_PT_standing,
    portrait.RELITALK_PT_portrait,
    jobs.RELITALK_UL_jobs,
    jobs.RELITALK_PT_jobs,
)


def register() -> None:
    """Called from the root."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.VIEW3D_MT_object.append(menus.draw_main)


def unregister() -> None:
    """Called from the root."""
    bpy.types.VIEW3D_MT_object.remove(menus.draw_main)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
