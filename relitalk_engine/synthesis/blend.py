"""F_blend: joins the painted mouth to the clip, over all of the removed area, and draws the matte there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .local import GUIDES, LAYER, Unit, centred, coarse, convolution, silent, spread

CELL = 8
"""Samples across the finest detail that F_blend adds to real surroundings."""


class FBlend(nn.Module):
    """U-Net of depth 5 with dilated convolutions at its bottom.

    Source: Qiu et al. 2023, section 3.1; Ronneberger et al. 2015.
    """

    def __init__(self, layers: int, channels: int = 24, spoken: int = 0):
        """``layers`` retrieved mouths; ``channels`` of the first level, the deeper ones have more; ``spoken`` ones."""
        super().__init__()
        self.layers, self.spoken = layers, spoken
        first = max(8, 8 * round(channels / 12))
        widths = [first, channels, 2 * channels, 2 * channels, 3 * channels, 3 * channels]
        self.head = Unit(4 + 4 + GUIDES + LAYER * layers + spoken, widths[0])
        self.down = nn.ModuleList([Unit(a, b, 3, 2) for a, b in zip(widths, widths[1:], strict=False)])
        self.bottom = nn.ModuleList([Unit(widths[-1], widths[-1], 3, 1, d) for d in (1, 2)])
        self.dilated = nn.ModuleList([Unit(widths[level], widths[level], 3, 1, 2) for level in (2, 3, 4)])
        self.up = nn.ModuleList([Unit(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)])
        self.tail = silent(convolution(widths[0], 3 * layers + 4))

    def forward(
        self, base: Tensor, painted: Tensor, guides: Tensor, layers: Tensor, spoken: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Join.

        Args:
            base: [B, 4, S, S] the footage with the removed area erased, and where it is known.
            painted: [B, 4, S, S] F_local's picture, and its share.
            guides: [B, 6, S, S].
            layers: [B, K, 5, S, S].
            spoken: [B, 4, S, S] of `spoken.Speaker.crop`, where it was made for that; none: nothing is known of it.

        Returns:
            Logits [B, K, S, S] of the mouths around the driven area; what is added to the RGB [B, 3, S, S]; what is
            added to the matte [B, 1, S, S]; where to read the mouths [B, K, 2, S, S], as `moved`.
        """
        seen = [base, painted, guides, centred(layers)]
        if self.spoken:
            seen.append(base.new_zeros(len(base), self.spoken, *base.shape[2:]) if spoken is None else spoken)
        x = self.head(torch.cat(seen, 1))
        skips = []
        for level, layer in enumerate(self.down):
            if level >= 2:
                x = x + self.dilated[level - 2](x)
            skips.append(x)
            x = layer(x)
        for layer in self.bottom:
            x = x + layer(x)
        for layer in self.up:
            skip = skips.pop()
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = layer(torch.cat([x, skip], 1))
        out = self.tail(x)
        logits, added, matte, flows = out.split([self.layers, 3, 1, 2 * self.layers], 1)
        if not self.layers:
            return logits, added, matte, flows.unflatten(1, (0, 2))
        return coarse(logits, 2), coarse(added, CELL), matte, spread(flows)
