import numpy as np
import pytest

from relitalk_engine.face.heads import load_head
from relitalk_engine.geometry.raster import cast
from relitalk_engine.geometry.surface import vertex_normals
from relitalk_engine.geometry.visibility import transfer
from relitalk_engine.lighting.portrait import SHADOW_FLOOR
from relitalk_engine.lighting.rigs import directional
from relitalk_engine.reflectance.shadow import HeadShadow, bare_transfer


@pytest.fixture(scope="module")
def shadow():
    head = load_head()
    vertices = head.vertices(np.zeros(len(head.shape_basis)), np.zeros(len(head.expression_names)))
    shadowed, bare = transfer(vertices, vertex_normals(vertices, head.faces), head.faces, 128)
    turn = np.array([[0.9, 0.0, 0.436], [0.0, 1.0, 0.0], [-0.436, 0.0, 0.9]])
    hits = cast(vertices @ turn.T + [0, 0, -1.0], head.faces, 400.0, (80.0, 80.0), (160, 160))
    inside = np.maximum.reduce([head.regions[name] for name in ("mouth_interior", "eye_l", "eye_r")])
    return HeadShadow(shadowed, bare, head.faces, inside).at(hits, turn)


@pytest.mark.parametrize(("azimuth", "elevation"), [(60, 20), (-40, 60), (150, 10), (0, -30)])
def test_the_maps_give_the_shadow_itself(shadow, azimuth, elevation):
    light = directional(azimuth, elevation, 1.0).sh.astype(np.float32)
    light[0] += 0.7  # a room around the lamp
    carried, normal = shadow.maps()
    always = SHADOW_FLOOR * 0.282095 * np.abs(light[:1])
    made = ((carried @ light).clip(0) + always) / ((bare_transfer(normal) @ light).clip(0) + always)
    assert np.abs(np.linalg.norm(normal, axis=-1) - 1).max() < 1e-3
    away = np.abs(made.clip(0, 1) - shadow(light))
    assert away.mean() < 0.01 and np.percentile(away, 99) < 0.08
    assert shadow(light).min() < 0.9  # there is a shadow to agree with
