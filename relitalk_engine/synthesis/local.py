"""F_local: paints the driven mouth area from N̂ and the clip's nearest real mouths."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GUIDES = 6
"""Channels of `guides.Guides.planes`."""
LAYER = 5
"""Channels of a retrieved mouth: RGB, matte, and whether the clip has these pixels at all."""
LEAD = 2.0
"""Lead of one mouth's logit over the others', before anything is learned."""
ABSENT = 1e-12
"""Share of a mouth where it has no pixels, over that of one that does."""
BARRED = 30.0
"""What is taken off the logit of a mouth that must not be shown."""
CELL = 4
"""Samples across the finest detail that F_local adds to real mouths (it adds all detail where there are none)."""
FLOW_CELL = 8
"""Samples across which a mouth is moved alike."""
FLOW = 0.05
"""How far a mouth is moved by one unit of the networks' output, as a share of the window."""


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size and repeats the border."""
    return nn.Conv2d(
        inputs, outputs, size, stride, dilation * (size // 2), dilation=dilation, padding_mode="replicate"
    )


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer, giving zero at first."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def mix(layers: Tensor, logits: Tensor, leader: int) -> tuple[Tensor, Tensor]:
    """Blend retrieved mouths pixel by pixel.

    Args:
        layers: [B, K, 5, H, W].
        logits: [B, K, H, W].
        leader: the layer that is shown before anything is learned: 0 the nearest mouth, -1 the nearest pose.

    Returns:
        RGB and matte [B, 4, H, W]; weights [B, K, H, W], adding up to 1. A mouth fades where its picture ends,
        unless all do: then their borders go on, blurred.
    """
    there = layers[:, :, 4]
    lead = torch.zeros_like(logits)
    if layers.shape[1]:
        lead[:, leader] = LEAD
    weights = (logits + lead + there.clamp_min(ABSENT).log()).softmax(1)
    return (weights[:, :, None] * layers[:, :, :4]).sum(1), weights


def moved(layers: Tensor, flows: Tensor) -> Tensor:
    """Mouths read elsewhere.

    Args:
        layers: [B, K, C, S, S].
        flows: [B, K, 2, S, S] where to read each, right and down of each sample, as shares of the window.

    Returns:
        [B, K, C, S, S]; the border repeats outside.
    """
    count, size = layers.shape[0] * layers.shape[1], layers.shape[-1]
    if not count:
        return layers
    steps = (torch.arange(size, device=layers.device, dtype=flows.dtype) + 0.5) / size * 2 - 1
    places = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)
    places = places + 2 * flows.flatten(0, 1).permute(0, 2, 3, 1)
    found = F.grid_sample(layers.flatten(0, 1).to(flows.dtype), places, padding_mode="border", align_corners=False)
    return found.view_as(layers)


def coarse(field: Tensor, cell: int) -> Tensor:
    """A field [B, C, H, W] without what is finer than `cell` samples: corrections shall not blur what is real."""
    small = F.avg_pool2d(field, cell, ceil_mode=True, count_include_pad=False)
    return F.interpolate(small, size=field.shape[2:], mode="bicubic", align_corners=False)


def spread(flows: Tensor) -> Tensor:
    """A network's output [B, 2K, H, W] as flows [B, K, 2, H, W] for `moved`."""
    return FLOW * coarse(flows, FLOW_CELL).unflatten(1, (-1, 2))


def centred(layers: Tensor) -> Tensor:
    """Mouths [B, K, 5, H, W] as input channels [B, 5K, H, W] about zero."""
    return (layers * 2 - 1).flatten(1, 2)


class Unit(nn.Sequential):
    """Convolution, group norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1, dilation: int = 1):
        """Eight channels a group."""
        norm = nn.GroupNorm(max(1, outputs // 8), outputs)
        super().__init__(convolution(inputs, outputs, size, stride, dilation), norm, nn.SiLU())


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int):
        """All maps have ``channels`` channels."""
        super().__init__()
        self.first = Unit(channels, channels)
        self.second = silent(convolution(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape."""
        return x + self.second(self.first(x))


class FLocal(nn.Module):
    """ResNet of six blocks at half size. It chooses among the real mouths and corrects them.

    Source: Qiu et al. 2023, section 3.1; its residual form is ours, so that teeth are the clip's.
    """

    def __init__(self, layers: int, channels: int = 24, blocks: int = 6):
        """``layers`` mouths per frame (0: paint from N̂ alone, as the paper does)."""
        super().__init__()
        self.layers = layers
        inner = 2 * channels
        self.head = Unit(GUIDES + LAYER * layers, channels, 5)
        self.down = Unit(channels, inner, 3, 2)
        self.blocks = nn.Sequential(*[ResidualBlock(inner) for _ in range(blocks)])
        self.up = Unit(inner, channels)
        self.tail = silent(convolution(channels, 3 * layers + 3))

    def forward(self, guides: Tensor, layers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Paint the driven area.

        Args:
            guides: [B, 6, H, W] of the driven area.
            layers: [B, K, 5, H, W], light-normalised, encoded.

        Returns:
            Logits [B, K, H, W] for `mix`, what is added to its RGB [B, 3, H, W], and where to read the mouths
            [B, K, 2, H, W], as `moved`.
        """
        skip = self.head(torch.cat([guides, centred(layers)], 1))
        y = self.blocks(self.down(skip))
        y = F.interpolate(y, size=skip.shape[2:], mode="bilinear", align_corners=False)
        out = self.tail(self.up(y) + skip)
        logits, added, flows = out.split([self.layers, 3, 2 * self.layers], 1)
        if not self.layers:
            return logits, added, flows.unflatten(1, (0, 2))
        return coarse(logits, 2), coarse(added, CELL), spread(flows)
