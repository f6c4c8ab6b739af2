"""One file per thing a user does."""

import bpy

from ..relitalk_addon import watch
from . import (
    compositor,
    drop,
    head_mesh,
    jobs,
    live_light,
    match_light,
    place,
    presets,
    render,
    set_up_engine,
    train,
    try_sample,
)

CLASSES = (
    set_up_engine.RELITALK_OT_set_up_engine,
    set_up_engine.RELITALK_OT_check_engine,
    set_up_engine.RELITALK_OT_remove_engine,
    set_up_engine.RELITALK_OT_allow_online,
    try_sample.RELITALK_OT_try_sample,
    train.RELITALK_OT_train,
    match_light.RELITALK_OT_match_light,
    render.RELITALK_OT_render,
    render.RELITALK_OT_relight,
    place.RELITALK_OT_place_take,
    live_light.RELITALK_OT_update_light,
    live_light.RELITALK_OT_key_light,
    live_light.RELITALK_OT_unkey_light,
    live_light.RELITALK_OT_match_exposure,
    head_mesh.RELITALK_OT_add_head_mesh,
    head_mesh.RELITALK_OT_drive_mesh,
    compositor.RELITALK_OT_composite,
    presets.RELITALK_OT_keep_quality,
    presets.RELITALK_OT_edit_quality,
    presets.RELITALK_OT_remove_quality,
    presets.RELITALK_OT_use_light,
    presets.RELITALK_OT_keep_light,
    presets.RELITALK_OT_remove_light,
    jobs.RELITALK_OT_cancel,
    jobs.RELITALK_OT_resume_job,
    jobs.RELITALK_OT_place_job,
    jobs.RELITALK_OT_use_subject,
    jobs.RELITALK_OT_open_job,
    jobs.RELITALK_OT_copy_report,
    jobs.RELITALK_OT_remove_job,
    jobs.RELITALK_OT_remove_ended,
    jobs.RELITALK_OT_tell,
    drop.RELITALK_OT_use_file,
    *drop.HANDLERS,
)


def register() -> None:
    """Called from the root."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    watch.when_finished(jobs.finished)


def unregister() -> None:
    """Called from the root."""
    watch.when_finished(None)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
