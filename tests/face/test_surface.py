"""The implicit surface on the sample, trained for a few steps, and its parts against what can be worked out."""


import numpy as np
import pytest

from relitalk_engine.config import FitConfig, SurfaceConfig
from relitalk_engine.events import Reporter
from relitalk_engine.face.fitting import fit
from relitalk_engine.face.landmarks import track
from relitalk_engine.face.observation import Observer
from relitalk_engine.face.surface.implicit import ImplicitSurface, MovedSurface
from relitalk_engine.face.surface.normals import intersect
from relitalk_engine.face.surface.shading import Seen, Shading
from relitalk_engine.face.surface.training import start_surface, train_surface
from relitalk_engine.face.surface.views import view
from relitalk_engine.lighting import sh

FRAMES = 14
TINY = SurfaceConfig(steps=24, rounds=2, frames=6, rays=150, voxel=0.01)


@pytest.fixture(scope="module")
def head(anny):
    return anny


@pytest.fixture(scope="module")
def frames(sample_frames):
    return sample_frames[:FRAMES]


@pytest.fixture(scope="module")
def fitted(head, frames):
    quiet = Reporter(quiet=True)
    return fit(track(frames, FRAMES, quiet), head, frames[0].shape[:2], FitConfig(iterations=80), quiet)


@pytest.fixture(scope="module")
def seen(head, fitted, frames):
    """The frames, observed without a surface."""
    with Observer(head, fitted) as observer:
        return [observer.observe(i, rgb) for i, rgb in enumerate(frames)]


@pytest.fixture(scope="module")
def look(seen, frames):
    return lambda i: view(i, frames[i], seen[i].alpha, seen[i].regions["skin"])


@pytest.fixture(scope="module")
def trained(head, fitted, look):
    return train_surface(look, head, fitted, TINY, "cpu", 0, Reporter(quiet=True))


def overlap(surface, head, fitted, seen, frame):
    """Intersection of silhouette and matte over their union."""
    moved = MovedSurface(surface, head, fitted)
    mask = intersect(moved, fitted, frame, fitted.psi[frame], fitted.size).mask | seen[frame].hits.mask
    alpha = seen[frame].alpha > 0.5
    return (mask & alpha).sum() / (mask | alpha).sum()


def test_training_brings_the_silhouette_to_the_matte(trained, head, fitted, seen):
    start = start_surface(head, fitted, TINY.voxel)
    before, after = overlap(start, head, fitted, seen, 7), overlap(trained, head, fitted, seen, 7)
    assert after > 0.85 and after > before


def test_training_is_deterministic(trained, head, fitted, look):
    again = train_surface(look, head, fitted, TINY, "cpu", 0, Reporter(quiet=True))
    assert np.array_equal(again.distance, trained.distance) and np.array_equal(again.skinning, trained.skinning)


def test_a_surface_survives_its_tensors(trained, head, fitted):
    tensors = trained.tensors()
    assert sum(value.nbytes for value in tensors.values()) < 6e6
    back = ImplicitSurface.from_tensors(tensors)
    assert np.allclose(back.distance, trained.distance, atol=2e-4) and np.allclose(back.modes, trained.modes)
    one, other = (intersect(MovedSurface(s, head, fitted), fitted, 3, fitted.psi[3], (96, 96)) for s in (back, trained))
    both = one.mask & other.mask
    assert both.sum() > 0.97 * one.mask.sum()
    assert np.median((one.normal * other.normal).sum(-1)[both]) > 0.99


def test_normals_have_no_holes_and_go_on_where_the_head_model_ends(trained, head, fitted, frames, seen):
    with Observer(head, fitted, surface=MovedSurface(trained, head, fitted)) as observer:
        found = observer.observe(5, frames[5], alpha=seen[5].alpha)
        again = observer.observe(5, frames[5], alpha=seen[5].alpha)
    assert np.array_equal(found.normal, again.normal)
    assert np.allclose(np.linalg.norm(found.normal, axis=-1), 1, atol=1e-4) and found.normal[..., 2].min() >= 0
    columns = np.flatnonzero(seen[5].alpha[-30] > 0.9)
    shoulder = found.normal[-30, columns]
    assert shoulder[: len(columns) // 4, 0].mean() < -0.2 < 0.2 < shoulder[-len(columns) // 4 :, 0].mean()


def test_a_driven_jaw_moves_the_surface(trained, head, fitted):
    moved = MovedSurface(trained, head, fitted)
    psi = fitted.psi[0].copy()
    psi[head.index("jawOpen")] = 0
    closed = moved.pose(psi, fitted.rotation[0], fitted.translation[0])
    psi[head.index("jawOpen")] = 1
    drop = (closed - moved.pose(psi, fitted.rotation[0], fitted.translation[0]))[:, 1]
    chin = np.linalg.norm(moved.vertices - moved.rest[head.faces[head.landmark_triangle[152]][0]], axis=1).argmin()
    crown = moved.vertices[:, 1].argmax()
    assert drop[chin] > 0.008 and abs(drop[crown]) < 1e-3


def test_light_is_found_from_how_a_painted_ball_shines_as_it_turns():
    import torch

    rng = np.random.default_rng(0)
    points = rng.normal(size=(600, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    paint = 0.6 + 0.4 * rng.random((600, 1)) * np.ones(3)
    light = np.zeros((9, 3))
    light[0], light[1:4] = 3.5, rng.normal(size=(3, 3)) * 0.6
    frames = []
    for angle in np.linspace(-0.5, 0.5, 7):
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        normal = points @ turn.T
        index = np.flatnonzero(normal[:, 2] > 0.1)
        colour = paint[index] * sh.shade(light, normal[index])
        parts = torch.tensor(normal[index]).float(), torch.tensor(colour).float(), torch.ones(len(index))
        frames.append(Seen(torch.tensor(index), *parts))
    shading = Shading(points * 0.08, "cpu")
    shading.solve(frames, 40)
    found = shading.light.numpy() / shading.light[0].mean().item()
    assert np.abs(found - light / 3.5)[:4].max() < 0.05
