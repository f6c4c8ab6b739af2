"""Both back ends of visibility see the same pixels but for edges."""

import numpy as np
import pytest

from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.geometry.raster import cast, interpolate
from relitalk_engine.geometry.rasteriser import installed, rasterise

pytestmark = pytest.mark.skipif(not installed(), reason="pytorch3d is not installed; it builds from source")


@pytest.fixture(scope="module")
def view():
    """A head turned by half a radian, off the middle of an oblong picture."""
    head = HeadModel.read()
    turn = np.array([[np.cos(0.5), 0, np.sin(0.5)], [0, 1, 0], [-np.sin(0.5), 0, np.cos(0.5)]])
    return head.template @ turn.T + (0.02, 0.01, -0.9), head.faces, 400.0, (80.3, 61.7), (128, 160)


@pytest.fixture(scope="module")
def both(view):
    return cast(*view), rasterise(*view, device="cpu")


def test_pixels_agree_but_for_edges(both, view):
    rays, raster = both
    assert rays.mask.mean() > 0.2
    assert (rays.mask != raster.mask).mean() < 2e-3
    seen = rays.mask & raster.mask
    same = (rays.triangle == raster.triangle)[seen]
    apart = np.abs(rays.depth[seen] - raster.depth[seen])
    assert same.mean() > 0.99 and apart[same].max() < 1e-4 and (apart < 1e-3).mean() > 0.999


def test_barycentric_weights_are_those_of_space_not_of_the_picture(both, view):
    rays, raster = both
    same = rays.mask & (rays.triangle == raster.triangle)
    assert np.abs(rays.bary - raster.bary)[same].max() < 2e-2
    points = interpolate(raster, view[0], view[1])[raster.mask]
    v, u = np.argwhere(raster.mask).T
    assert np.abs(80.3 + 400 * points[:, 0] / -points[:, 2] - (u + 0.5)).max() < 0.01
    assert np.abs(61.7 - 400 * points[:, 1] / -points[:, 2] - (v + 0.5)).max() < 0.01


def test_what_is_not_hit_is_empty(both):
    raster = both[1]
    empty = ~raster.mask
    assert np.isinf(raster.depth[empty]).all() and not raster.bary[empty].any()
