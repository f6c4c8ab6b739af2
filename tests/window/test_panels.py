"""Pictures of the real window: every panel in every state, in Debian's Blender 3.4 on a screen that nobody sees.

That Blender is for this test alone: it is the only one that a package manager brings, and it draws as the others do.
RELITALK_KEEP_PICTURES names a folder where the pictures are kept.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from relitalk_engine.take import Placement, Take, TakeInfo

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SAMPLE = ROOT / "presets" / "sample"
STATES = ("no_engine", "setting_up", "first_run", "training", "failed", "ready")
WIDTH, HEIGHT = 900, 2200
SCREEN = ":87"

missing = [name for name in ("blender", "Xvfb") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def begin(library: Path, what: str, **order) -> None:
    """Write a job into a library as the add-on does, with a real process that talks as the engine does."""
    subprocess.run(
        [sys.executable, HERE / "job.py", library, what, json.dumps(order)], check=True, cwd=ROOT, timeout=60,
    )


def take(folder: Path) -> None:
    """Write a take of one frame."""
    folder.parent.mkdir(parents=True)
    info = TakeInfo(
        kind="render", fps=Fraction(25), size=(32, 32), crop=(0, 0, 32, 32), frames=(0, 1), total=1,
        driven=[(8, 16, 8, 8)], removed=[(6, 14, 12, 12)], placement=Placement((16.0, 12.0), 0.01),
    )
    made = Take.create(folder, info)
    cv2.imwrite(str(made.beauty_path(0)), np.full((32, 32, 4), 128, np.uint8))
    made.finish(folder)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """A library for each state."""
    place = tmp_path_factory.mktemp("libraries")
    anna, hello = place / "ready" / "subjects" / "anna.relitalk", place / "ready" / "takes" / "hello"
    begin(place / "setting_up", "sets up", kind="set_up", title="Set up engine", result="env")
    shutil.copytree(SAMPLE, place / "home")
    (place / "home" / "sample.mp4").rename(place / "home" / "anna.mp4")
    clip = str(place / "home" / "anna.mp4")
    coming, words = str(place / "training" / "subjects" / "anna.relitalk"), ["render"]
    begin(place / "training", "trains", kind="train", title="Train anna", result=coming, source=clip)
    time.sleep(1.1)  # jobs are told apart by the second
    begin(place / "training", "waits", kind="render", title="Render hello", result="x", lane="gpu", words=words)
    words = ["train", clip]
    begin(place / "failed", "fails", kind="train", title="Train passer-by", result="p", words=words, source=clip)
    begin(place / "ready", "works", kind="train", title="Train anna", result=str(anna), source=clip)
    time.sleep(1.1)
    begin(place / "ready", "works", kind="render", title="Render hello", result=str(hello), source=clip)
    take(hello)
    anna.mkdir(parents=True)
    (anna / "subject.json").write_text(json.dumps({"frames": 100}))
    shutil.copy(clip, anna / "frames.mkv")
    yield place
    for cancel in place.glob("*/jobs/*"):
        (cancel / "cancel").touch()


@pytest.fixture(scope="module")
def pictures(libraries, tmp_path_factory):
    """The sidebar in each state, [H, W, 3] uint8, and what Blender said."""
    scripts, out = tmp_path_factory.mktemp("scripts"), tmp_path_factory.mktemp("pictures")
    addon = scripts / "addons" / "relitalk"
    addon.mkdir(parents=True)
    shutil.copy(HERE / "wrapper.py", addon / "__init__.py")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "RELITALK"))} | {
        "DISPLAY": SCREEN, "LIBGL_ALWAYS_SOFTWARE": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "BLENDER_USER_SCRIPTS": str(scripts), "BLENDER_USER_CONFIG": str(scripts / "config"),
        "HOME": str(libraries / "home"), "RELITALK_ROOT": str(ROOT),
        "RELITALK_LIBRARIES": str(libraries), "RELITALK_PICTURES": str(out),
        "RELITALK_STATES": " ".join(STATES), "RELITALK_A_PYTHON": sys.executable,
    }
    server = ["Xvfb", SCREEN, "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "+extension", "GLX"]
    screen = subprocess.Popen(server, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.0)
        blender = ["blender", "--factory-startup", "--no-window-focus", "-p", "0", "0", str(WIDTH), str(HEIGHT)]
        call = subprocess.run(
            [*blender, "--python", HERE / "drive.py"],
            env=environ, capture_output=True, text=True, timeout=240, check=False,
        )
    finally:
        screen.terminate()
        screen.wait(10)
    said = call.stdout + call.stderr
    assert (out / "regions.json").is_file(), said
    found = {}
    for state, (x, y, width, height) in json.loads((out / "regions.json").read_text()).items():
        whole = cv2.imread(str(out / f"{state}.png"))
        found[state] = whole[whole.shape[0] - y - height : whole.shape[0] - y, x : x + width]
    keep = os.environ.get("RELITALK_KEEP_PICTURES")
    if keep:
        Path(keep).mkdir(parents=True, exist_ok=True)
        for state, picture in found.items():
            small = Image.fromarray(trimmed(picture)[..., ::-1]).quantize(128, dither=Image.Dither.NONE)
            small.save(Path(keep) / f"{state}.png", optimize=True)
    return found, said


def trimmed(picture):
    """A picture of the sidebar without the empty part below the last panel."""
    drawn = np.flatnonzero(picture[:, 16:-16].std(axis=1).max(axis=1) > 4.0)
    return picture[: drawn.max() + 8]


def test_every_panel_is_drawn_in_every_state_without_a_word_of_complaint(pictures):
    found, said = pictures
    assert set(found) == set(STATES)
    words = ("Traceback", "Error:", "arning:")
    complaints = [line for line in said.splitlines() if any(word in line for word in words)]
    assert not complaints, said


def test_what_is_drawn_fills_the_sidebar_and_tells_the_states_apart(pictures):
    found, _ = pictures
    for state, picture in found.items():
        assert len(trimmed(picture)) > 300, state
    names = list(found)
    for number, state in enumerate(names):
        for other in names[number + 1 :]:
            assert not np.array_equal(found[state], found[other]), (state, other)
