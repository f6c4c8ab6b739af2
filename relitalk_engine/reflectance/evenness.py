"""Where F_albedo begins: skin and cloth are even over distances that paint rarely varies on.

What is uneven there in the image divided by its shading is light that the shading missed: a normal that is off, a
shadow, a lamp that the found light has not. Its colour says so more surely than its level.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .batch import Batch

RADIUS, NARROW = 0.035, 0.02
"""Width of what counts as broad on the face, and on neck, ears and cloth, as a share of the image's."""
MOST = 0.5
"""A logarithm from which on what is uneven is rather paint: a beard, a brow, a tattoo."""
BESIDE = 5
"""Pixels of the networks' about something that is not skin."""
FACE, NECK, CLOTH = (0.7, 0.6), (0.3, 1.0), (1.0, 1.0)
"""Share of what is uneven that counts as light: of the level, of the colour."""
SKIN_LIKE = 0.7
"""How far from the gauge's skin (a logarithm) something near skin still counts as skin."""
CLOTHS = 3
"""Colours of cloth that are told apart."""
ALIKE, APART = 0.15, 0.35
"""Logarithms within which a cloth's colour lies in the dark and in the light, and beyond which another begins."""
LEVEL = 0.5
"""What a difference in level counts beside one in colour when cloths are told apart: folds are dark and light."""
_LUMINANCE = (0.2126, 0.7152, 0.0722)


def even(start: Tensor, batch: Batch, skin: Tensor, cloth: Tensor) -> Tensor:
    """A smooth gain that evens out skin and cloth.

    Args:
        start: [B, 3, S, S], linear, the image divided by its shading.
        batch: for its regions; what looks like skin and is near it counts as skin.
        skin: [3] mean skin albedo, linear.
        cloth: [K, 3] colours of the cloth, logarithms; infinite where there is none.

    Returns:
        [B, 3, S, S], logarithm of the gain; it fades to 0 away from skin and cloth.
    """
    paint = start.clamp(0.01, 2).log()
    away = paint - skin.log()[:, None, None]
    near = (6 * blur(batch.skin, 3 * RADIUS)).clamp(0, 1) * (1 - batch.hair).clamp(0, 1) * batch.alpha
    like = torch.exp(-0.5 * (away.detach().square().sum(1, keepdim=True) / SKIN_LIKE**2).square())
    face = torch.maximum(batch.skin, near * like)
    if batch.neck is None or batch.cloth is None:
        return -_broad(_shares(away, FACE), face, RADIUS)
    face = face * (1 - batch.neck) * (1 - batch.cloth)
    gain = -_broad(_shares(away, FACE), face, RADIUS)
    gain = gain - batch.neck * _broad(_shares(away, NECK), batch.neck, NARROW)
    if bool(cloth.isfinite().any()):
        off, belief = from_cloth(paint, cloth)
        worn = batch.cloth * belief
        gain = gain - worn * _broad(_shares(off, CLOTH), worn, NARROW)
    return gain


def plain(start: Tensor, skin: Tensor) -> Tensor:
    """Where there is nothing but skin: not on or beside brows, lashes, lips, a beard or a mole, which are the person's.

    Args:
        start: [B, 3, S, S], linear, the image divided by its shading.
        skin: [3] mean skin albedo, linear.

    Returns:
        [B, 1, S, S] 0..1.
    """
    away = start.detach().clamp(0.01, 2).log() - skin.log()[:, None, None]
    beside = F.max_pool2d(_level(away, 1).abs(), BESIDE, 1, BESIDE // 2)
    return blur(1 / (1 + (beside / MOST) ** 4), 0.01)


def from_cloth(paint: Tensor, cloth: Tensor) -> tuple[Tensor, Tensor]:
    """How far colours lie from the cloth's nearest one.

    Args:
        paint: [B, 3, S, S], logarithms.
        cloth: [K, 3], logarithms; infinite where there is none.

    Returns:
        [B, 3, S, S], and [B, 1, S, S] 0..1, how surely they are that cloth at all.
    """
    there = cloth[cloth.isfinite().all(1)]
    off = paint[:, None] - there[None, :, :, None, None]
    belief = torch.exp(-0.5 * (_distance(off.movedim(2, -1).detach()) / APART).square())[:, :, None]
    total = belief.sum(1)
    return (off * belief).sum(1) / total.clamp_min(1e-4), total.clamp(0, 1)


def cloth_colours(paint: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The colours that most of the cloth has.

    Args:
        paint: [P, 3] logarithms of the cloth's albedo, from all over the clip.
        rng: picks where the search begins.

    Returns:
        [CLOTHS, 3] logarithms; infinite where there are fewer.

    Source: mean shift (Comaniciu & Meer 2002).
    """
    found = np.full((CLOTHS, 3), np.inf, np.float32)
    if len(paint) < 64:
        return found
    seeds = torch.from_numpy(paint[rng.choice(len(paint), 24)]).float()
    values = torch.from_numpy(paint).float()
    for _ in range(20):
        near = torch.exp(-0.5 * (_distance(values - seeds[:, None]) / ALIKE).square())
        seeds = (near @ values) / near.sum(1, keepdim=True).clamp_min(1e-6)
    order = torch.argsort(near.sum(1), descending=True)
    kept: list[Tensor] = []
    for seed, mass in zip(seeds[order], near.sum(1)[order], strict=True):
        alone = all(float(_distance(seed - other)) > APART for other in kept)
        if alone and len(kept) < CLOTHS and float(mass) > 0.05 * len(paint):
            kept.append(seed)
    for row, seed in zip(found, kept, strict=False):
        row[:] = seed.numpy()
    return found


def blur(x: Tensor, radius: float) -> Tensor:
    """Gaussian of a width that is a share of the image's, [B, C, S, S]."""
    sigma = radius * x.shape[-1]
    reach = int(np.ceil(2.5 * sigma))
    steps = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    across = (kernel / kernel.sum()).reshape(1, 1, 1, -1).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(x, across, padding=(0, reach), groups=x.shape[1])
    return F.conv2d(x, across.transpose(2, 3), padding=(reach, 0), groups=x.shape[1])


def _shares(off: Tensor, shares: tuple[float, float]) -> Tensor:
    """Of a difference of logarithms [B, 3, S, S] so much of its level and of its colour, and no more beyond MOST."""
    level = _level(off, 1)
    lit = level / (1 + (level.detach() / MOST) ** 4)  # what is much darker is paint altogether
    return shares[0] * lit + shares[1] * (off - level).clamp(-MOST, MOST)


def _broad(off: Tensor, where: Tensor, radius: float) -> Tensor:
    """Mean of what surrounds a pixel and belongs to the same region, fading to 0 away from it."""
    return blur(off * where, radius) / blur(where, radius).clamp_min(0.15)


def _distance(off: Tensor) -> Tensor:
    """[..., 3] differences of logarithms to [...], level counting less than colour."""
    level = _level(off, -1)
    return ((LEVEL * level[..., 0]).square() + (off - level).square().sum(-1)).sqrt()


def _level(off: Tensor, dim: int) -> Tensor:
    """What of a difference of logarithms is level; `dim`, of 3 colours, becomes 1."""
    return (off.movedim(dim, -1) * off.new_tensor(_LUMINANCE)).sum(-1, keepdim=True).movedim(-1, dim)
