# SPDX-License-Identifier: GPL-3.0-or-later
"""ReliTalk for Blender: a talking portrait, learnt from one clip, that stands in the scene and is lit by it."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import operators, panels
    from .relitalk_addon import live_watch, pictures, portraits, preferences, settings, watch

    for part in (preferences, settings, pictures, portraits, operators, panels, watch, live_watch):
        part.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled; a job that runs goes on."""
    from . import operators, panels
    from .relitalk_addon import live_watch, pictures, portraits, preferences, settings, watch

    for part in (live_watch, watch, panels, operators, portraits, pictures, settings, preferences):
        part.unregister()
