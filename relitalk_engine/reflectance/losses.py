"""The losses of eq. 20 and 21 that belong to reflectance. All return a scalar; images are [B, C, H, W]."""

import torch
from torch import Tensor

from ..face.identity import FaceTrunk, align


def render(rendered: Tensor, image: Tensor, alpha: Tensor) -> Tensor:
    """L1 between the rendered and the clip's frame, in square-root light, so that shadow counts as light does.

    Args:
        rendered: [B, 3, H, W], linear.
        image: [B, 3, H, W], linear.
        alpha: [B, 1, H, W], weight.

    Returns:
        Scalar.
    """
    error = (rendered.clamp_min(0) + 1e-3).sqrt() - (image + 1e-3).sqrt()
    return _mean(error.abs(), alpha)


def normal_residual(delta: Tensor, alpha: Tensor) -> Tensor:
    """L1 norm of the normal residual δN (eq. 11).

    Args:
        delta: [B, 3, H, W].
        alpha: [B, 1, H, W], weight.

    Returns:
        Scalar.
    """
    return _mean(delta.abs(), alpha)


def total_variation(x: Tensor, alpha: Tensor) -> Tensor:
    """Anisotropic L1 total variation inside the matte (eq. 12).

    Args:
        x: [B, C, H, W]; hand in a logarithm where scale must not matter.
        alpha: [B, 1, H, W], weight; a pair counts by the lesser of its two.

    Returns:
        Scalar, mean per pair and channel.

    Source: Rudin, Osher & Fatemi 1992.
    """
    across = torch.minimum(alpha[..., 1:], alpha[..., :-1])
    down = torch.minimum(alpha[..., 1:, :], alpha[..., :-1, :])
    return _mean((x[..., 1:] - x[..., :-1]).abs(), across) + _mean((x[..., 1:, :] - x[..., :-1, :]).abs(), down)


def parsimony(
    albedo: Tensor, skin: Tensor, generator: torch.Generator, bins: int = 24, samples: int = 2048
) -> Tensor:
    """Entropy of the albedo palette: small when few colours paint the skin.

    Args:
        albedo: [B, 3, H, W], linear, 0..1.
        skin: [B, 1, H, W], 1 on skin.
        generator: where the Monte Carlo draw comes from.
        bins: histogram bins per channel, even in square-root light.
        samples: skin pixels drawn per frame.

    Returns:
        Scalar, in nats, mean over frames and channels.

    Raises:
        ValueError: no pixel of a frame is skin.

    Source: Qiu et al. 2023, eq. 13; soft Gaussian histogram after Chen & Liu 2022, with the width as the Gaussian's
    deviation.
    """
    centres = (torch.arange(bins, device=albedo.device, dtype=albedo.dtype) + 0.5) / bins
    total = albedo.new_zeros(())
    for paint, mask in zip(albedo, skin, strict=True):
        where = torch.nonzero(mask.reshape(-1) > 0.5)[:, 0]
        if not len(where):
            raise ValueError("parsimony: no pixel of a frame is skin")
        drawn = torch.randint(len(where), (samples,), generator=generator, device=generator.device)
        value = paint.reshape(3, -1)[:, where[drawn.to(where.device)]].clamp(1e-4, 1).sqrt()
        near = torch.exp(-0.5 * ((value[..., None] - centres) * bins) ** 2)
        share = (near / near.sum(-1, keepdim=True).clamp_min(1e-6)).mean(1)
        total = total - (share * (share + 1e-8).log()).sum(-1).mean()
    return total / len(albedo)


def identity(trunk: FaceTrunk, relit: Tensor, image: Tensor, chips: Tensor) -> Tensor:
    """Squared distance of the identity embedding before and after relighting (identity-consistent supervision).

    Args:
        trunk: E_id, frozen.
        relit: [B, 3, H, W], sRGB-encoded, under a random light.
        image: [B, 3, H, W], sRGB-encoded.
        chips: [B, 2, 3], similarity from these pixels to the face chip (``face.identity.chip_matrix``).

    Returns:
        Scalar.
    """
    with torch.no_grad():
        target = trunk(align(image, chips))
    return (trunk(align(relit, chips)) - target).square().sum(1).mean()


def reflectance_consistency(
    albedo: Tensor, normal: Tensor, albedo_again: Tensor, normal_again: Tensor, alpha: Tensor
) -> Tensor:
    """A relit frame must decompose to the same albedo and normal.

    Args:
        albedo: [B, 3, H, W], linear, of the clip's frame.
        normal: [B, 3, H, W], unit, of the clip's frame.
        albedo_again: [B, 3, H, W], of the relit frame.
        normal_again: [B, 3, H, W], of the relit frame.
        alpha: [B, 1, H, W], weight.

    Returns:
        Scalar.
    """
    paint = (albedo_again.clamp_min(0) + 1e-3).sqrt() - (albedo.detach().clamp_min(0) + 1e-3).sqrt()
    return _mean(paint.abs(), alpha) + _mean((normal_again - normal.detach()).abs(), alpha)


def departure(found: Tensor, first: Tensor, alpha: Tensor) -> Tensor:
    """L1 distance to what the prior said of the same frames.

    Args:
        found: [B, C, H, W], what the networks say now.
        first: [B, C, H, W], what they said at first.
        alpha: [B, 1, H, W], weight.

    Returns:
        Scalar.
    """
    return _mean((found - first).abs(), alpha)


def _mean(x: Tensor, weight: Tensor) -> Tensor:
    return (x * weight).sum() / (weight.sum() * x.shape[1]).clamp_min(1e-6)
