"""F_local and F_blend at work together: from guides, mouths and footage to one recipe for the removed area."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blend import FBlend
from .boxes import ABOVE_DRIVEN, WINDOW, WINDOW_BELOW
from .local import BARRED, FLocal, mix, moved

LOCAL_SIDE = 1.12
"""Side of F_local's square in outer-eye distances: the driven area with an open jaw, and a little about it."""


def local_square(size: int) -> tuple[int, int, int]:
    """Top, left and side of F_local's square in a window of `size` samples; fixed, as the window follows the head."""
    side = min(size, 8 * round(size * LOCAL_SIDE / WINDOW / 8))
    top = round(size * (0.5 - (WINDOW_BELOW + ABOVE_DRIVEN + 0.03) / WINDOW))
    return max(0, min(top, size - side)), (size - side) // 2, side


@dataclass(frozen=True)
class Recipe:
    """How to make the removed area's pixels, at the networks' size; linear, so it applies at any resolution.

    Attributes:
        weights: [B, K, S, S] shares of the retrieved mouths.
        flows: [B, K, 2, S, S] where they are read, as `local.moved`.
        added: [B, 3, S, S] what is added to their mixture.
        matte: [B, 1, S, S] what is added to their mixture's matte.
        painted: [B, 3, s, s] F_local's own picture of its square.
    """

    weights: Tensor
    flows: Tensor
    added: Tensor
    matte: Tensor
    painted: Tensor

    def picture(self, layers: Tensor) -> Tensor:
        """RGB and matte [B, 4, S, S] from the mouths [B, K, 5, S, S]."""
        mixed = (self.weights[:, :, None] * moved(layers[:, :, :4], self.flows)).sum(1)
        return mixed + torch.cat([self.added, self.matte], 1)


class Networks(nn.Module):
    """Both networks; they share nothing but what passes between them.

    `gain` [3] says how far they are followed in moving mouths, in choosing among them and in correcting them: 1 fully,
    0 not at all.
    Training sets it by frames that were held out: no clip is painted worse than its real mouths show it.
    """

    def __init__(self, layers: int, channels: int, blend: bool = True, spoken: int = 0):
        """``layers`` retrieved mouths a frame, ``channels`` of the first levels; F_blend may be left out.

        F_blend sees ``spoken`` further channels, those of a user's Wav2Lip.
        """
        super().__init__()
        self.layers, self.spoken = layers, spoken
        self.local = FLocal(layers, channels)
        self.blend = FBlend(layers, channels, spoken) if blend else None
        self.register_buffer("gain", torch.ones(3))

    def forward(
        self,
        base: Tensor,
        known: Tensor,
        driven: Tensor,
        guides: Tensor,
        layers: Tensor,
        spoken: Tensor | None = None,
    ) -> Recipe:
        """Both, one after the other.

        Args:
            base: [B, 3, S, S] footage, light-normalised, encoded; nothing is read where `known` is 0.
            known: [B, 1, S, S] 1 where the footage may be seen.
            driven: [B, 1, S, S] the driven area.
            guides: [B, 6, S, S].
            layers: [B, K, 5, S, S].
            spoken: as `FBlend.forward`.
        """
        size = guides.shape[-1]
        top, left, side = local_square(size)
        square = (..., slice(top, top + side), slice(left, left + side))
        share = F.pad(self.soft(driven[square]), (left, size - left - side, top, size - top - side))
        move, choose, correct = self.gain if self.layers else torch.ones_like(self.gain)
        around = (left, size - left - side, top, size - top - side)
        logits, added, flows = self.local(guides[square], layers[square])
        flows = move * F.pad(flows, around)
        barred = torch.zeros_like(logits)
        if self.layers > 1:
            barred[:, -1] = BARRED  # the nearest pose shows its own mouth, which nobody asked for
        mixed, weights = mix(moved(layers, flows)[square], choose * logits - barred, 0)
        added = correct * added
        painted = mixed[:, :3] + added
        shown = torch.cat([F.pad(painted, around) * share, share], 1)
        if self.blend is None:
            ring_logits, ring_added, matte, ring_flows = layers[:, :, 4] * 0, base * 0, known * 0, flows * 0
        else:
            ring_logits, ring_added, matte, ring_flows = self.blend(
                torch.cat([base * known, known], 1), shown, guides, layers, spoken
            )
        ring_added, matte, ring_flows = correct * ring_added, correct * matte, move * ring_flows
        flows = share[:, :, None] * flows + ring_flows
        _, ring = mix(moved(layers, flows), choose * ring_logits, -1)
        weights = share * F.pad(weights, around) + (1 - share) * ring
        return Recipe(weights, flows, share * F.pad(added, around) + ring_added, matte, painted)

    @staticmethod
    def soft(driven: Tensor) -> Tensor:
        """The driven area with an edge that fades inwards, 0 at the square's own edge."""
        reach = max(1, driven.shape[-1] // 12)
        inner = F.pad(driven, (1, 1, 1, 1))
        inner = -F.max_pool2d(-inner, 2 * reach + 1, 1, reach)
        return F.avg_pool2d(inner, 2 * reach + 1, 1, reach, count_include_pad=False)[..., 1:-1, 1:-1]
