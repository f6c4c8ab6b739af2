"""F_local and F_blend: shapes, what reaches them, and what they are before they have learned."""

import pytest
import torch

from relitalk_engine.synthesis.local import moved
from relitalk_engine.synthesis.networks import Networks, local_square

SIZE = 64


def _inputs(layers: int):
    draw = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.rand(*shape, generator=draw)

    known = torch.ones(1, 1, SIZE, SIZE)
    known[..., 16:56, 10:54] = 0
    driven = torch.zeros(1, 1, SIZE, SIZE)
    driven[..., 26:50, 18:46] = 1
    mouths = random(1, layers, 5, SIZE, SIZE)
    mouths[:, :, 4] = 1
    return random(1, 3, SIZE, SIZE), known, driven, random(1, 6, SIZE, SIZE) * 2 - 1, mouths


def _taught(layers: int) -> Networks:
    """Networks with weights everywhere, as after training."""
    torch.manual_seed(3)
    networks = Networks(layers, 8)
    for parameter in networks.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return networks


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_shapes(layers):
    *inputs, mouths = _inputs(layers)
    recipe = _taught(layers)(*inputs, mouths)
    assert recipe.weights.shape == (1, layers, SIZE, SIZE)
    assert recipe.picture(mouths).shape == (1, 4, SIZE, SIZE)
    assert recipe.painted.shape[-1] == local_square(SIZE)[2]


def test_shares_of_the_mouths_add_up_to_one():
    *inputs, mouths = _inputs(3)
    assert torch.allclose(_taught(3)(*inputs, mouths).weights.sum(1), torch.ones(1, SIZE, SIZE), atol=1e-5)


def test_nothing_unknown_reaches_the_picture():
    base, known, driven, guides, mouths = _inputs(3)
    networks = _taught(3)
    other = torch.where(known > 0, base, torch.rand_like(base))
    assert not torch.equal(other, base)
    one, two = (networks(b, known, driven, guides, mouths).picture(mouths) for b in (base, other))
    assert torch.equal(one, two)


def test_what_is_known_does_reach_the_picture():
    base, known, driven, guides, mouths = _inputs(3)
    networks = _taught(3)
    one, two = (networks(b, known, driven, guides, mouths).picture(mouths) for b in (base, 1 - base))
    assert not torch.allclose(one, two, atol=1e-4)


def test_untaught_networks_show_the_nearest_mouth_in_a_still_picture():
    *inputs, mouths = _inputs(3)
    recipe = Networks(3, 8)(*inputs, mouths)
    assert not recipe.added.any()
    middle = recipe.weights[0, :, 38, 32]
    assert middle.argmax() == 0 and middle[2] < 1e-3  # the pose's own mouth is barred from the driven area
    assert recipe.weights[0, :, 4, 4].argmax() == 2


def test_missing_pixels_of_a_mouth_are_never_shown():
    *inputs, mouths = _inputs(3)
    mouths[:, 0, 4, :, :32] = 0
    assert _taught(3)(*inputs, mouths).weights[:, 0, :, :30].max().item() < 1e-3


def test_mouths_are_moved_by_shares_of_the_window():
    *_, mouths = _inputs(3)
    flows = torch.zeros(1, 3, 2, SIZE, SIZE)
    assert torch.allclose(moved(mouths, flows), mouths, atol=1e-5)
    flows[:, 1, 0], flows[:, 2, 1] = 5 / SIZE, -3 / SIZE
    found = moved(mouths, flows)
    assert torch.allclose(found[:, 1, :, :, :-5], mouths[:, 1, :, :, 5:], atol=1e-4)
    assert torch.allclose(found[:, 2, :, 3:], mouths[:, 2, :, :-3], atol=1e-4)


def test_untaught_networks_move_nothing_and_taught_ones_smoothly():
    *inputs, mouths = _inputs(3)
    assert not Networks(3, 8)(*inputs, mouths).flows.any()
    flows = _taught(3)(*inputs, mouths).flows
    assert 0 < flows.diff(dim=-1).abs().max() < 0.3 * flows.abs().max()


def test_gain_zero_takes_the_corrections_back():
    *inputs, mouths = _inputs(3)
    networks = _taught(3)
    networks.gain.zero_()
    assert torch.allclose(networks(*inputs, mouths).picture(mouths), Networks(3, 8)(*inputs, mouths).picture(mouths))


def test_gradients_reach_every_weight():
    *inputs, mouths = _inputs(3)
    networks = _taught(3)
    recipe = networks(*inputs, mouths)
    (recipe.picture(mouths).square().sum() + recipe.painted.square().sum()).backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in networks.parameters())


def test_where_no_mouth_has_pixels_their_border_goes_on():
    *inputs, mouths = _inputs(3)
    mouths[:, :, 4, 50:] = 0
    recipe = Networks(3, 8)(*inputs, mouths)
    assert torch.allclose(recipe.weights.sum(1), torch.ones(1, SIZE, SIZE), atol=1e-5)
