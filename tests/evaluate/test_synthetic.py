"""People who are rendered: how they are made, how they move, and that Cycles leaves what evaluating wants."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from relitalk_engine.evaluate import rendered, sitter
from relitalk_engine.evaluate.acting import perform
from relitalk_engine.evaluate.truth import find_hdri, picture, read_truth
from relitalk_engine.face.heads import load_head
from relitalk_engine.media import video

ROOT = Path(sitter.__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def person():
    head = load_head()
    looks = sitter.Looks.draw(head, 0.2, "short", np.random.default_rng(3))
    return sitter.Sitter(head, looks, np.random.default_rng(4))


def test_more_melanin_is_darker_and_more_blood_redder():
    steps = np.linspace(0, 2, 9)
    tones = sitter.skin_colour(steps, np.full(9, 0.3))
    assert (np.diff(tones.sum(-1)) < 0).all() and (tones > 0).all() and (tones < 1).all()
    assert (np.diff(tones, axis=-1) < 0).all()  # skin reflects red most and blue least
    flush = sitter.skin_colour(np.full(9, 0.5), steps)
    assert (np.diff(flush[:, 0] / flush[:, 1]) > 0).all()


def test_hair_grows_out_of_the_skin(person):
    strands = person.strands
    corners = person.rest[person.head.faces[strands.face]]
    roots = (corners * strands.bary[..., None]).sum(1)
    apart = np.linalg.norm(strands.points[:, 0] - roots, axis=-1)
    assert np.quantile(apart, 0.99) < 0.012
    length = np.linalg.norm(np.diff(strands.points, axis=1), axis=-1).sum(1)
    assert 0.003 < np.median(length) < 0.1


def test_the_neck_joins_head_and_shirt_without_a_gap(person):
    turn = rendered_rotation(25.0)
    moved = person.hold(person.skin.vertices, turn)
    edges = np.concatenate([person.skin.faces[:, [0, 1]], person.skin.faces[:, [1, 2]]])
    before = np.linalg.norm(np.diff(person.skin.vertices[edges], axis=1)[:, 0], axis=-1)
    after = np.linalg.norm(np.diff(moved[edges], axis=1)[:, 0], axis=-1)
    assert (after < 2.5 * before + 0.004).all()
    foot = person.skin.vertices[:, 1] < person.rest[person.ring].mean(0)[1] - 0.04
    assert foot.any() and np.allclose(moved[foot], person.skin.vertices[foot])  # the foot stays in the shirt


def test_the_jaw_takes_the_lower_teeth_down(person):
    head = person.head
    psi = np.zeros(len(head.expression_names), np.float32)
    turn, shift = person.jaw(psi)
    assert np.allclose(turn, np.eye(3), atol=1e-5) and np.allclose(shift, 0, atol=1e-6)
    psi[head.index("jawOpen")] = 0.7
    turn, shift = person.jaw(psi)
    teeth = person.teeth[1].vertices
    assert (teeth @ turn.T + shift - teeth)[:, 1].mean() < -0.004


def test_what_is_acted_speaks_blinks_and_turns(person):
    acted = perform(person.head, 75, 25.0, 0, "en-us", np.random.default_rng(0))
    assert acted.psi.shape == (75, 52) and acted.psi.min() >= 0 and acted.psi.max() <= 1
    assert acted.psi[:, person.head.index("jawOpen")].std() > 0.05
    assert acted.psi[:, person.head.index("eyeBlinkLeft")].max() == 1
    assert np.allclose(acted.rotation @ acted.rotation.transpose(0, 2, 1), np.eye(3), atol=1e-6)
    assert len(acted.samples) == 3 * acted.rate and acted.phones
    again = perform(person.head, 75, 25.0, 0, "en-us", np.random.default_rng(0))
    assert np.allclose(acted.psi, again.psi, atol=0.01)  # the voice starts a sample sooner or later


def test_a_light_is_as_bright_as_asked(tmp_path):
    pytest.importorskip("bpy" if importlib.util.find_spec("bpy") else "no_bpy", reason="Blender's worlds are not here")
    path = find_hdri("forest", tmp_path)
    one, two = (rendered.exposed("forest", path, 30.0, level) for level in (0.5, 1.0))
    assert two.strength == pytest.approx(2 * one.strength)


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="Blender's module is not installed")
def test_a_rendered_person_is_what_evaluating_reads(tmp_path):
    """The module in its own process, as small as it goes."""
    words = "--seed 2 --hair crop --frames 2 --test 2 --stills 1 --lights 1 --size 64 --samples 1".split()
    call = [sys.executable, "-m", "relitalk_engine.evaluate.synthetic", str(tmp_path / "person"), *words]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True)
    truth = read_truth(tmp_path / "person")
    (frame,) = truth.frames
    fore, opaque = truth.masks(frame)
    assert 0.1 < opaque.mean() < fore.mean() < 0.9
    normals, paint = truth.normals(frame), truth.albedo(frame)
    assert np.median(normals[opaque][:, 2]) > 0.4 and 0.05 < np.median(paint[opaque]) < 0.9
    light = truth.light(truth.folder)
    assert light.environment.max() > 0
    lit = picture(truth.lights[0] / f"{frame:05d}.png")
    assert lit.shape == (64, 64, 4) and not np.array_equal(lit, picture(truth.folder / "test" / f"{frame:05d}.png"))
    assert len(list(video.read_frames(tmp_path / "person" / "train.mp4"))) == 2
    with np.load(tmp_path / "person" / "test_truth.npz") as known:
        eyes = known["landmarks68_px"][frame][[36, 45]]
        assert known["landmarks68_px"].shape == (2, 68, 2) and opaque[tuple(eyes.mean(0)[::-1].astype(int))]
        assert known["expression"].shape == (2, len(known["expression_names"]))
    assert json.loads((tmp_path / "person" / "relight.json").read_text())["train_light"][0] == "courtyard"


def rendered_rotation(degrees: float) -> np.ndarray:
    """[3, 3] about the vertical."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
