"""Losses of the driven area: eq. 6 to 8 of the paper, and the matte."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import SynthesisConfig
from ..face.identity import FaceTrunk
from .examples import Example
from .networks import Recipe, local_square

STAGES = 3
"""Stages of the face network whose layers are compared."""
EDGES = 0.3
"""Weight of the error of neighbouring steps beside the colour error."""
SMALLEST = 96
"""The face network sees no picture smaller than this."""


def masked(difference: Tensor, weight: Tensor) -> Tensor:
    """Mean of |difference| [B, C, H, W] under a weight [B, 1, H, W]."""
    return (difference.abs() * weight).sum() / (weight.sum() * difference.shape[1]).clamp_min(1e-6)


def gradient(difference: Tensor, weight: Tensor) -> Tensor:
    """Mean of the difference's own steps between neighbours: edges where the clip has edges."""
    across = masked(difference[..., 1:] - difference[..., :-1], weight[..., 1:] * weight[..., :-1])
    return across + masked(difference[..., 1:, :] - difference[..., :-1, :], weight[..., 1:, :] * weight[..., :-1, :])


def perceptual(trunk: FaceTrunk, picture: Tensor, true: Tensor) -> Tensor:
    """Distance in the middle layers of a face network, each layer by its own size.

    Args:
        trunk: the face network.
        picture: [B, 3, H, W], encoded.
        true: [B, 3, H, W].

    Source: Johnson et al. 2016; eq. 8 of Qiu et al. 2023 with another network.
    """
    scale = SMALLEST / min(picture.shape[-2:])
    if scale > 1:
        picture = F.interpolate(picture, scale_factor=scale, mode="bilinear", align_corners=False)
        true = F.interpolate(true, scale_factor=scale, mode="bilinear", align_corners=False)
    with torch.no_grad():
        wanted = trunk.features(true, STAGES)
    found = trunk.features(picture, STAGES)
    terms = [(a - b).abs().mean() / b.abs().mean().clamp_min(1e-6) for a, b in zip(found, wanted, strict=True)]
    return torch.stack(terms).mean()


def loss(recipe: Recipe, example: Example, config: SynthesisConfig, trunk: FaceTrunk | None, joint: bool) -> Tensor:
    """All terms of one step.

    Args:
        recipe: what the networks made of the example.
        example: the truth.
        config: weights.
        trunk: the face network; None leaves the perceptual term out.
        joint: F_blend is trained too.
    """
    size = example.true.shape[-1]
    top, left, side = local_square(size)
    square = (..., slice(top, top + side), slice(left, left + side))
    true, area = example.true[square][:, :3], (example.driven * example.removed * example.weight)[square]
    difference = recipe.painted - true
    total = config.rgb_local * (masked(difference, area) + EDGES * gradient(difference, area))
    if not joint:
        return total + (config.perceptual * perceptual(trunk, recipe.painted, true) if trunk else 0)
    picture = recipe.picture(example.layers)
    weight = (example.removed + 0.2 * example.known) * example.weight
    difference = picture[:, :3] - example.true[:, :3]
    total = total + config.rgb_blend * (masked(difference, weight) + EDGES * gradient(difference, weight))
    total = total + 0.5 * masked(picture[:, 3:] - example.true[:, 3:], example.removed)
    if trunk:
        total = total + config.perceptual * perceptual(trunk, picture[square][:, :3], true)
    return total
