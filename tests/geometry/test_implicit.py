"""Signed distances on a grid against a sphere, of which all is known."""

import numpy as np
import pytest

from relitalk_engine.geometry.distance import capsule, mesh_distance, smooth_union
from relitalk_engine.geometry.grid import Grid, zero_level
from relitalk_engine.geometry.intersection import nearest_surface
from relitalk_engine.geometry.surface import vertex_normals

CENTRE, RADIUS = np.array([0.01, 0.0, 0.02], np.float32), 0.07


@pytest.fixture(scope="module")
def grid():
    return Grid.around(np.array([-0.1, -0.12, -0.15]), np.array([0.11, 0.12, 0.15]), 0.005)


@pytest.fixture(scope="module")
def ball(grid):
    """Distance to a sphere."""
    return (np.linalg.norm(grid.points() - CENTRE, axis=-1) - RADIUS).astype(np.float32)


def test_a_field_is_sampled_between_its_samples_and_its_gradient_is_the_slope(grid):
    plane = grid.points() @ np.array([2.0, -1.0, 0.5], np.float32)
    at = np.array([[0.0123, -0.031, 0.0777], [-0.05, 0.02, -0.1]], np.float32)
    assert np.allclose(grid.sample(plane, at), at @ [2.0, -1.0, 0.5], atol=1e-6)
    assert np.allclose(grid.sample(grid.gradient(plane), at), [2.0, -1.0, 0.5], atol=1e-4)


def test_a_coarser_grid_lies_on_the_same_samples(grid):
    fine = grid.points()[::4, ::4, ::4]
    coarse = grid.coarser(4).points()[: fine.shape[0], : fine.shape[1], : fine.shape[2]]
    assert np.allclose(coarse, fine, atol=1e-6)


def test_the_zero_level_of_a_sphere_is_a_closed_sphere_that_faces_outward(grid, ball):
    vertices, faces = zero_level(grid, ball)
    assert np.abs(np.linalg.norm(vertices - CENTRE, axis=1) - RADIUS).max() < 3e-4
    outward = ((vertices - CENTRE) / RADIUS * vertex_normals(vertices, faces)).sum(1)
    assert outward.min() > 0.98
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    assert set(np.unique(edges, axis=0, return_counts=True)[1]) == {2}


def test_rays_meet_a_sphere_where_they_should_and_a_miss_is_told(grid, ball):
    direction = np.tile(np.array([0, 0, -1], np.float32), (3, 1))
    start = CENTRE + np.array([[0, 0, RADIUS + 0.006], [0.03, -0.02, 0.065], [0.09, 0, 0]], np.float32)
    points, left = nearest_surface(grid, ball, grid.gradient(ball), start, direction, steps=3)
    depth = np.sqrt(RADIUS**2 - 0.03**2 - 0.02**2)
    assert np.allclose(points[0], CENTRE + (0, 0, RADIUS), atol=2e-4)
    assert np.allclose(points[1], CENTRE + (0.03, -0.02, depth), atol=3e-4)
    assert np.abs(left[:2]).max() < 2e-4 and left[2] > 0.015
    normal = grid.sample(grid.gradient(ball), points[:2])
    assert np.abs(normal - (points[:2] - CENTRE) / RADIUS).max() < 5e-3


def test_the_distance_to_a_mesh_is_that_of_the_body_it_bounds(grid, ball):
    vertices, faces = zero_level(grid, ball)
    points = np.random.default_rng(0).uniform(-0.09, 0.1, (400, 3)).astype(np.float32)
    true = np.linalg.norm(points - CENTRE, axis=1) - RADIUS
    found = mesh_distance(points, vertices, faces)
    near = np.abs(true) < 0.02
    assert np.abs(found - true)[near].max() < 1e-3
    assert (np.sign(found) == np.sign(true))[np.abs(true) > 1e-3].all()


def test_round_bodies_and_their_smooth_union():
    rod = capsule(np.array([[0.0, 0.5, 0.3], [0, 2, 0]]), np.zeros(3), np.array([0.0, 1, 0]), (0.1, 0.2))
    assert np.allclose(rod, [0.15, 0.8], atol=1e-6)
    both = smooth_union(np.array([0.5, 0.0]), np.array([0.1, 0.0]), 0.2)
    assert np.allclose(both, [0.1, -0.05])  # apart the lesser; at the crease filled by a quarter of the width
