"""The rim: exact against a sparse solve, quiet where nothing is wrong."""

import numpy as np
import pytest
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from relitalk_engine.synthesis import rim


def _sparse(values: np.ndarray, sides: tuple[bool, ...], fall: float) -> np.ndarray:
    h, w = values.shape[0] - 2, values.shape[1] - 2
    matrix, right = lil_matrix((h * w, h * w)), np.zeros(h * w)
    for y in range(h):
        for x in range(w):
            i = y * w + x
            matrix[i, i] += 1 / (fall * min(h, w)) ** 2
            for dy, dx, side in ((-1, 0, 0), (1, 0, 1), (0, -1, 2), (0, 1, 3)):
                if 0 <= y + dy < h and 0 <= x + dx < w:
                    matrix[i, i] += 1
                    matrix[i, i + dy * w + dx] -= 1
                elif not sides[side]:
                    matrix[i, i] += 1
                    right[i] += values[y + dy + 1, x + dx + 1]
    return spsolve(matrix.tocsr(), right).reshape(h, w)


@pytest.mark.parametrize("sides", [(0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 1), (1, 1, 0, 0), (0, 1, 1, 1)])
def test_field_solves_the_screened_laplace_equation(sides):
    sides = tuple(bool(side) for side in sides)
    misfit = np.random.default_rng(1).uniform(-rim.MILD, rim.MILD, (11, 14))
    found = rim._screened(misfit[..., None], sides, rim.FALL)[..., 0]
    exact = 2 * _sparse(misfit, sides, rim.FALL) - _sparse(misfit, sides, rim.FALL / 2)
    assert np.abs(found - exact).max() < 1e-9


def test_painting_that_already_fits_is_left_alone():
    picture = np.random.default_rng(2).random((20, 30, 4)).astype(np.float32)
    assert np.abs(rim.close_rim(picture, picture, (False,) * 4) - picture[1:-1, 1:-1]).max() < 1e-6


def test_a_slight_offset_vanishes_at_the_rim_and_fades_inwards():
    painted, around = np.full((102, 122, 1), 0.50), np.full((102, 122, 1), 0.54)
    found = rim.close_rim(painted, around, (False,) * 4)[..., 0]
    assert found[0, 60] > 0.535
    assert found[50, 60] < 0.51


def test_what_does_not_fit_at_all_leaves_the_rim_without_a_step():
    painted, around = np.full((102, 122, 1), 0.3), np.full((102, 122, 1), 0.7)
    found = rim.close_rim(painted, around, (False,) * 4)[..., 0]
    assert 0.7 - found[0, 60] < 0.04
    assert found[20, 60] < 0.35


def test_a_strand_at_the_rim_does_not_glow_inwards():
    painted, around = np.full((102, 122, 1), 0.5), np.full((102, 122, 1), 0.5)
    around[40:44, 0] = 1.0
    found = rim.close_rim(painted, around, (False,) * 4)[..., 0]
    assert found[41, 0] > 0.7
    assert found[41, 25] < 0.51


def test_grain_at_the_rim_leaves_no_line():
    rng = np.random.default_rng(0)
    painted, around = (0.5 + 0.01 * rng.standard_normal((62, 82, 1)) for _ in range(2))
    joined = rim.close_rim(painted, around, (False,) * 4)
    inside = np.abs(painted[1, 1:-1] - painted[0, 1:-1]).mean()
    assert np.abs(joined[0] - around[0, 1:-1]).mean() < 1.1 * inside
    assert np.abs(joined[20:40, 20:60] - painted[21:41, 21:61]).max() < 1e-3
