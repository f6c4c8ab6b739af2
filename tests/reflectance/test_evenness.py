"""What of an uneven surface is light, and what is paint."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from relitalk_engine.reflectance.batch import Batch
from relitalk_engine.reflectance.evenness import cloth_colours, even, plain

SIZE = 64
SKIN = torch.tensor([0.5, 0.3, 0.2])


def worn(paint: torch.Tensor) -> Batch:
    """A square that is cloth all over, [3, S, S] linear."""
    none, all_over = torch.zeros(1, 1, SIZE, SIZE), torch.ones(1, 1, SIZE, SIZE)
    normal = torch.tensor([0.0, 0.0, 1.0])[None, :, None, None].expand(1, 3, SIZE, SIZE)
    return Batch(paint[None], normal, all_over, none, none, neck=none, cloth=all_over)


@pytest.fixture
def halves() -> torch.Tensor:
    """[3, S, S] a white shirt beside a black jacket."""
    paint = torch.full((3, SIZE, SIZE), 0.7)
    paint[:, :, SIZE // 2 :] = 0.04
    return paint


def colours(paint: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(cloth_colours(paint.log().reshape(3, -1).T.numpy(), np.random.default_rng(0)))


def test_two_cloths_are_two_colours(halves):
    found = colours(halves)
    kept = found[found.isfinite().all(1)].exp()
    assert sorted(round(float(row.mean()), 2) for row in kept) == [0.04, 0.7]


def test_hardly_any_cloth_has_no_colour():
    assert np.isinf(cloth_colours(np.zeros((3, 3), np.float32), np.random.default_rng(0))).all()


def test_a_coloured_blotch_of_light_leaves_the_cloth(halves):
    middle = torch.exp(-0.5 * ((torch.arange(SIZE) - SIZE / 2) / 12) ** 2)
    blotch = torch.tensor([0.3, 0.0, -0.3])[:, None, None] * (middle[:, None] * middle)
    lit = halves * blotch.exp()
    gain = even(lit[None], worn(lit), SKIN, colours(halves))[0]
    left = (lit * gain.exp() / halves).log().abs()
    assert left.mean() < 0.35 * blotch.abs().mean()


def test_an_even_cloth_keeps_its_colours(halves):
    gain = even(halves[None], worn(halves), SKIN, colours(halves))
    assert gain.abs().max() < 0.05


def test_a_pattern_stays(halves):
    checks = halves.clone()
    checks[:, ::2, ::2] *= 0.6
    gain = even(checks[None], worn(checks), SKIN, colours(halves))
    assert gain.std(dim=(2, 3)).max() < 0.1


def test_the_neck_takes_the_colour_of_the_skin_and_keeps_its_shade():
    orange = (SKIN * 0.6 * torch.tensor([1.3, 1.0, 0.7]))[:, None, None].expand(3, SIZE, SIZE)
    seen = worn(orange)
    seen = replace(seen, neck=seen.cloth, cloth=seen.skin)
    found = orange * even(orange[None], seen, SKIN, torch.full((3, 3), torch.inf))[0].exp()
    assert float((found[0] / found[2]).mean()) == pytest.approx(0.5 / 0.2, rel=0.1)
    assert 0.55 < float((found[1] / 0.3).mean()) < 0.85


def test_a_brow_is_not_plain_skin_and_a_cheek_is():
    face = SKIN[:, None, None].expand(3, SIZE, SIZE).clone()
    face[:, 20:24, 10:50] *= 0.3
    where = plain(face[None], SKIN)[0, 0]
    assert where[50:60, 20:40].min() > 0.95 and where[18:26, 15:45].max() < 0.25
