import math

import pytest
import torch

from relitalk_engine.reflectance import losses


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_total_variation_of_a_constant_is_zero_and_of_a_step_counts_its_edge():
    alpha = torch.ones(1, 1, 8, 8)
    assert losses.total_variation(torch.full((1, 3, 8, 8), 0.4), alpha) == 0
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1
    assert losses.total_variation(step, alpha).item() == pytest.approx(8 / 56)


def test_total_variation_does_not_look_outside_the_matte():
    alpha = torch.zeros(1, 1, 8, 8)
    alpha[..., :4] = 1
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1
    assert losses.total_variation(step, alpha) == 0


def test_one_colour_is_more_parsimonious_than_two_and_two_than_many():
    skin = torch.ones(1, 1, 32, 32)
    one = torch.full((1, 3, 32, 32), 0.3)
    two = one.clone()
    two[..., 16:] = 0.6
    many = torch.rand(1, 3, 32, 32, generator=generator())
    entropies = [losses.parsimony(x, skin, generator()).item() for x in (one, two, many)]
    assert entropies[0] < entropies[1] < entropies[2]
    # A second colour that shares no bin with the first adds ln 2.
    assert entropies[1] - entropies[0] == pytest.approx(math.log(2), abs=0.05)


def test_parsimony_counts_skin_alone():
    skin = torch.zeros(1, 1, 32, 32)
    skin[..., :16] = 1
    clean = torch.full((1, 3, 32, 32), 0.3)
    noisy = clean.clone()
    noisy[..., 16:] = torch.rand(1, 3, 32, 16, generator=generator())
    assert losses.parsimony(noisy, skin, generator()) == losses.parsimony(clean, skin, generator())


def test_parsimony_without_skin_is_refused():
    with pytest.raises(ValueError, match="skin"):
        losses.parsimony(torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8), generator())


def test_parsimony_pulls_a_stray_colour_towards_the_others():
    albedo = torch.full((1, 3, 16, 16), 0.30)
    albedo[..., :2, :2] = 0.34
    albedo.requires_grad_(True)
    losses.parsimony(albedo, torch.ones(1, 1, 16, 16), generator()).backward()
    assert albedo.grad[..., :2, :2].sum() > 0


def test_render_is_zero_for_the_image_itself_and_blind_outside_the_matte():
    image = torch.rand(1, 3, 8, 8, generator=generator())
    alpha = torch.zeros(1, 1, 8, 8)
    alpha[..., :4] = 1
    other = image.clone()
    other[..., 4:] = 0
    assert losses.render(image, image, alpha) == 0
    assert losses.render(other, image, alpha) == 0
    assert losses.render(image * 0.5, image, alpha) > 0


def test_identity_loss_knows_the_same_face_and_reaches_the_pixels():
    from relitalk_engine.face.identity import face_trunk

    image = torch.rand(1, 3, 96, 96, generator=generator())
    chip = torch.tensor([[[150 / 96, 0, 0], [0, 150 / 96, 0]]])
    trunk = face_trunk()
    assert losses.identity(trunk, image, image, chip).item() == pytest.approx(0, abs=1e-8)
    relit = (0.5 * image).requires_grad_(True)
    loss = losses.identity(trunk, relit, image, chip)
    loss.backward()
    assert loss > 0
    assert relit.grad.abs().sum() > 0


def test_the_same_decomposition_is_consistent():
    albedo = torch.rand(1, 3, 8, 8, generator=generator())
    normal = torch.nn.functional.normalize(torch.randn(1, 3, 8, 8, generator=generator()), dim=1)
    alpha = torch.ones(1, 1, 8, 8)
    assert losses.reflectance_consistency(albedo, normal, albedo, normal, alpha) == 0
    assert losses.reflectance_consistency(albedo, normal, 0.8 * albedo, normal, alpha) > 0
