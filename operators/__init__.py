"""One file per thing a user does."""

import bpy

from ..relitalk_addon import watch
from . import jobs, match_light, place, render, set_up_engine, train

CLASSES = (
    set_up_engine.RELITALK_OT_set_up_engine,
    set_up_engine.RELITALK_OT_check_engine,
    train.RELITALK_OT_train,
    match_light.RELITALK_OT_match_light,
    render.RELITALK_OT_render,
    render.RELITALK_OT_relight,
    place.RELITALK_OT_place_take,
    jobs.RELITALK_OT_cancel,
    jobs.RELITALK_OT_place_job,
    jobs.RELITALK_OT_open_job,
    jobs.RELITALK_OT_remove_job,
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
