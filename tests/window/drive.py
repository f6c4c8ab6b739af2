"""Runs inside the test's Blender: brings the sidebar into each state, takes a picture of the window, and leaves."""

import json
import os
import traceback
from pathlib import Path

import addon_utils
import bpy

addon_utils.enable("relitalk", default_set=True)

from relitalk.relitalk_addon import pictures, preferences, watch  # noqa: E402 -- there once it is enabled

OUT, LIBRARIES = Path(os.environ["RELITALK_PICTURES"]), Path(os.environ["RELITALK_LIBRARIES"])
STATES = os.environ["RELITALK_STATES"].split()
regions = {}
_step = 0


def area():
    """The 3D viewport, as large as the window."""
    return next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")


def only_ours():
    """Leave our tab alone in the sidebar, so that nobody has to click it."""
    for name in dir(bpy.types):
        cls = getattr(bpy.types, name)
        where = (getattr(cls, "bl_space_type", ""), getattr(cls, "bl_region_type", ""))
        if where == ("VIEW_3D", "UI") and cls.__module__.startswith("bl_ui") and issubclass(cls, bpy.types.Panel):
            bpy.utils.unregister_class(cls)
    for thing in list(bpy.data.objects):  # with an active object Blender adds a tab of its own
        bpy.data.objects.remove(thing)


def enter(state):
    """Bring settings, library and list into a state."""
    chosen, manager = bpy.context.scene.relitalk, bpy.context.window_manager
    known = preferences.get()
    known.library = str(LIBRARIES / state)
    known.engine_python = "" if state in ("no_engine", "setting_up") else os.environ["RELITALK_A_PYTHON"]
    if state in ("training", "failed", "ready"):
        chosen.video, chosen.consent = "~/anna.mp4", True
    if state == "ready":
        chosen.subject, chosen.audio, chosen.take = "anna", "~/sentence.wav", "hello"
        portrait = bpy.data.objects.new("ReliTalk hello", bpy.data.meshes.new("ReliTalk hello"))
        portrait["relitalk_take"] = str(LIBRARIES / state / "takes" / "hello")
        bpy.context.scene.collection.objects.link(portrait)
        chosen.light = "dir:-20,10"
        pictures.spheres(bpy.context.scene)
        chosen.light = "dir:55,35"
        manager.relitalk_position = 40.0
    manager.relitalk_job_log = state == "failed"
    watch.forget_all()
    watch.look_around()
    watch.fill_list()
    manager.relitalk_job = 1 if state == "training" else 0
    area().tag_redraw()


def shoot(state):
    """Keep a picture of the window and where the sidebar lies in it."""
    window = bpy.context.window_manager.windows[0]
    sidebar = next(region for region in area().regions if region.type == "UI")
    regions[state] = [sidebar.x, sidebar.y, sidebar.width, sidebar.height]
    with bpy.context.temp_override(window=window, screen=window.screen):
        bpy.ops.screen.screenshot(filepath=str(OUT / f"{state}.png"))


def step():
    """One state is entered, drawn for a while, and shot."""
    global _step
    state, moment = STATES[_step // 2], _step % 2
    try:
        (enter, shoot)[moment](state)
    except Exception:
        traceback.print_exc()
    _step += 1
    if _step == 2 * len(STATES):
        (OUT / "regions.json").write_text(json.dumps(regions))
        bpy.ops.wm.quit_blender()
        return None
    return (3.0, 0.1)[moment]


def begin():
    """Show the sidebar of the largest viewport."""
    only_ours()
    view = area()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=view):
        bpy.ops.screen.screen_full_area(use_hide_panels=False)
    space = area().spaces.active
    space.show_region_ui, space.show_gizmo, space.overlay.show_overlays = True, False, False
    bpy.app.timers.register(step, first_interval=1.0)


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(begin, first_interval=1.0)
