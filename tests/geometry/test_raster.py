"""Ray casting against what can be worked out by hand."""

import numpy as np
import pytest

from relitalk_engine.geometry.raster import cast, interpolate, occluded
from relitalk_engine.geometry.surface import inflate, normal_map, vertex_normals
from relitalk_engine.geometry.visibility import transfer


@pytest.fixture(scope="module")
def sphere():
    """Unit sphere three metres in front of the camera."""
    rows, columns = 64, 128
    tilt, turn = np.meshgrid(np.linspace(0, np.pi, rows + 1), np.linspace(0, 2 * np.pi, columns, False), indexing="ij")
    vertices = np.stack([np.sin(tilt) * np.sin(turn), np.cos(tilt), np.sin(tilt) * np.cos(turn)], -1).reshape(-1, 3)
    row, column = (i.reshape(-1) for i in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    a, b = row * columns + column, row * columns + (column + 1) % columns
    faces = np.concatenate([np.stack([a, a + columns, b], -1), np.stack([b, a + columns, b + columns], -1)])
    return vertices - (0, 0, 3), faces


def test_a_pixel_sees_the_point_that_projects_onto_it(sphere):
    vertices, faces = sphere
    hits = cast(vertices, faces, 600, (128, 100), (200, 256))
    points = interpolate(hits, vertices, faces)
    v, u = np.argwhere(hits.mask)[::97].T
    seen = points[v, u]
    assert np.abs(128 + 600 * seen[:, 0] / -seen[:, 2] - (u + 0.5)).max() < 0.01
    assert np.abs(100 - 600 * seen[:, 1] / -seen[:, 2] - (v + 0.5)).max() < 0.01
    assert np.allclose(hits.depth[v, u], -seen[:, 2], atol=1e-4)
    assert abs(hits.depth.min() - 2) < 1e-3


def test_a_window_sees_what_the_whole_image_sees_there(sphere):
    vertices, faces = sphere
    whole = cast(vertices, faces, 300, (64, 64), (128, 128))
    part = cast(vertices, faces, 300, (64, 64), (128, 128), window=(30, 40, 50, 20))
    assert np.array_equal(part.triangle, whole.triangle[40:60, 30:80])


def test_normals_of_a_sphere_point_outward(sphere):
    vertices, faces = sphere
    normals = vertex_normals(vertices, faces)
    assert np.abs(normals - (vertices + (0, 0, 3))).max() < 0.03  # at the poles, where triangles are slim


def test_normal_map_joins_mesh_and_silhouette_without_holes(sphere):
    vertices, faces = sphere
    hits = cast(vertices, faces, 300, (128, 128), (256, 256))
    alpha = np.zeros((256, 256), np.float32)
    alpha[20:, 20:236] = 1
    normals = normal_map(hits, vertex_normals(vertices, faces), np.ones(len(vertices)), faces, alpha)
    assert np.allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-4)
    assert normals[..., 2].min() >= 0
    assert normals[128, 128, 2] > 0.99
    assert normals[250, 24, 0] < -0.3 and normals[250, 232, 0] > 0.3  # the outline turns away to its sides


def test_the_frames_own_edges_are_no_outline():
    alpha = np.zeros((100, 100), np.float32)
    alpha[40:] = 1
    normals = inflate(alpha, 20)
    assert normals[42, 50, 1] > 0.4  # the upper outline faces up
    assert abs(normals[90, 2, 0]) < 0.05 and normals[97, 50, 2] > 0.95


def test_a_convex_body_shadows_nothing_and_a_wall_halves_the_light(sphere):
    vertices, faces = sphere
    vertices = vertices + (0, 0, 3)
    normals = vertex_normals(vertices, faces)
    shadowed, bare = transfer(vertices, normals, faces, directions=128)
    assert np.abs(shadowed - bare).max() < 0.02
    white = np.zeros(9)
    white[0] = 1 / 0.2820948  # radiance 1 from everywhere
    assert np.abs(bare @ white - 1).max() < 0.02  # 128 directions
    wall = np.array([[0.0, -9, -9], [0, 9, -9], [0, 9, 9], [0, -9, 9]]) + (1.001, 0, 0)
    both = np.concatenate([vertices, wall])
    joined = np.concatenate([faces, np.array([[0, 1, 2], [0, 2, 3]]) + len(vertices)])
    walled, bare = transfer(both, vertex_normals(both, joined), joined, directions=128)
    top = np.argmax(vertices[:, 1])
    assert 0.4 < (walled[top] @ white) / (bare[top] @ white) < 0.6


def test_occlusion_along_a_ray(sphere):
    vertices, faces = sphere
    rays = np.array([[0.0, 0, -1], [0, 1, 0]])
    assert occluded(vertices, faces, np.zeros((2, 3)), rays).tolist() == [True, False]
