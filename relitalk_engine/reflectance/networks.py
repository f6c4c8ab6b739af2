"""The networks of the decomposition: F_coarse, F_normal, F_albedo and F_cspec.

All see small squares of the clip ([B, C, H, W], sRGB-encoded colours) and start as the identity: the last layer is
zero, so that before the first step the classical start (light by least squares, albedo by division) stands.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORMAL_RANGE = 0.5
ALBEDO_RANGE = 1.5
SPECULAR_START = 0.028
"""Reflectance of skin facing the light (refractive index 1.4)."""
SPECULAR_MOST = 0.12


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, padding_mode="replicate")


def _silent(layer: nn.Conv2d, bias: float = 0.0) -> nn.Conv2d:
    """The layer, its output constant at first."""
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, bias)
    return layer


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int):
        """All maps have ``channels`` channels."""
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = _silent(_convolution(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        return x + self.second(F.leaky_relu(self.first(x), 0.2))


class ResNet(nn.Module):
    """Two strided convolutions down, residual blocks, two steps up.

    Source: Johnson et al. 2016, without its instance norm, which would hide the level of the light.
    """

    def __init__(self, inputs: int, outputs: int, channels: int, blocks: int = 6):
        """``channels`` counts the first layer's; the blocks have four times as many, at a quarter of the size."""
        super().__init__()
        self.head = _convolution(inputs, channels, 5)
        self.down = nn.ModuleList(
            [_convolution(channels, 2 * channels, 3, 2), _convolution(2 * channels, 4 * channels, 3, 2)]
        )
        self.blocks = nn.Sequential(*[ResidualBlock(4 * channels) for _ in range(blocks)])
        self.up = nn.ModuleList([_convolution(4 * channels, 2 * channels), _convolution(2 * channels, channels)])
        self.tail = _silent(_convolution(channels, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]."""
        skips = [F.leaky_relu(self.head(x), 0.2)]
        for layer in self.down:
            skips.append(F.leaky_relu(layer(skips[-1]), 0.2))
        y = self.blocks(skips.pop())
        for layer in self.up:
            skip = skips.pop()
            y = F.interpolate(y, size=skip.shape[2:], mode="bilinear", align_corners=False)
            y = F.leaky_relu(layer(y), 0.2) + skip
        return self.tail(y)


class UNet(nn.Module):
    """U-Net of the given depth, strided down, bilinear up.

    Source: Ronneberger et al. 2015.
    """

    def __init__(self, inputs: int, outputs: int, channels: int, depth: int = 3):
        """``channels`` counts the first layer's; each level doubles them, up to four times."""
        super().__init__()
        widths = [channels * min(2**k, 4) for k in range(depth + 1)]
        self.head = _convolution(inputs, channels)
        self.down = nn.ModuleList([_convolution(a, b, 3, 2) for a, b in zip(widths, widths[1:], strict=False)])
        self.up = nn.ModuleList([_convolution(a + b, a) for a, b in zip(widths, widths[1:], strict=False)][::-1])
        self.tail = _silent(_convolution(channels, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]."""
        skips = [F.leaky_relu(self.head(x), 0.2)]
        for layer in self.down:
            skips.append(F.leaky_relu(layer(skips[-1]), 0.2))
        y = skips.pop()
        for layer in self.up:
            skip = skips.pop()
            y = F.interpolate(y, size=skip.shape[2:], mode="bilinear", align_corners=False)
            y = F.leaky_relu(layer(torch.cat([skip, y], 1)), 0.2)
        return self.tail(y)


class FCoarse(nn.Module):
    """F_coarse: the colour that the head's normal alone explains; renders the clip before there is a decomposition."""

    def __init__(self, channels: int):
        """``channels``: width of the hidden layers."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(10, channels, 1), nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 3, 1),
        )

    def forward(self, normal: Tensor, skin: Tensor) -> Tensor:
        """Colour by normal.

        Args:
            normal: [B, 3, H, W], N̂, unit, camera frame.
            skin: [B, 1, H, W], 1 on skin.

        Returns:
            [B, 3, H, W], linear, above 0.
        """
        x, y, z = normal.split(1, 1)
        squares = torch.cat([x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], 1)
        return F.softplus(self.layers(torch.cat([normal, squares, torch.ones_like(x), skin], 1)))


class FNormal(nn.Module):
    """F_normal: a residual on the head's normal, N = N̂ + F_normal(Î, N̂), made unit again (eq. 11)."""

    def __init__(self, channels: int):
        """``channels``: of the first layer."""
        super().__init__()
        self.network = UNet(6, 3, channels)

    def forward(self, image: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        """Refined normal and its residual.

        Args:
            image: [B, 3, H, W], sRGB-encoded.
            normal: [B, 3, H, W], N̂.

        Returns:
            N [B, 3, H, W], unit, facing the camera; δN [B, 3, H, W].
        """
        delta = NORMAL_RANGE * torch.tanh(self.network(torch.cat([image, normal], 1)))
        return facing(normal + delta), delta


class FAlbedo(nn.Module):
    """F_albedo: a ResNet of 6 blocks that finds what of the image is paint.

    With a start (the image divided by its shading) it answers with the logarithm of a gain on it: cast shadow,
    highlight and whatever else the shading missed. Without one (``paper``) it answers with the albedo itself.
    """

    def __init__(self, channels: int, direct: bool = False):
        """``direct``: A = F_albedo(Î), as printed in the paper."""
        super().__init__()
        self.direct = direct
        self.network = ResNet(3 if direct else 6, 3, channels, 6)

    def forward(self, image: Tensor, start: Tensor) -> Tensor:
        """Logarithm of the gain from ``start`` to the albedo.

        Args:
            image: [B, 3, H, W], sRGB-encoded.
            start: [B, 3, H, W], linear, the albedo by division.

        Returns:
            [B, 3, H, W]; the albedo is start · exp of it.
        """
        if self.direct:
            albedo = torch.sigmoid(self.network(image) + torch.logit(image.clamp(0.02, 0.98)))
            return (albedo / start.clamp_min(1e-3)).log()
        seen = torch.cat([image, start.clamp(0, 1) ** (1 / 2.2)], 1)
        return ALBEDO_RANGE * torch.tanh(self.network(seen))


class FCspec(nn.Module):
    """F_cspec: the weight of the specular light, a U-Net (C_spec = F_cspec(Î, N))."""

    def __init__(self, channels: int):
        """``channels``: of the first layer."""
        super().__init__()
        self.network = UNet(6, 1, channels)
        share = torch.tensor(SPECULAR_START / SPECULAR_MOST)
        nn.init.constant_(self.network.tail.bias, float(torch.logit(share)))

    def forward(self, image: Tensor, normal: Tensor) -> Tensor:
        """[B, 3, H, W] sRGB-encoded, [B, 3, H, W] unit -> [B, 1, H, W], 0..SPECULAR_MOST."""
        return SPECULAR_MOST * torch.sigmoid(self.network(torch.cat([image, normal], 1)))


def facing(normal: Tensor) -> Tensor:
    """Unit normals that face the camera: [B, 3, H, W], z turned up to 0.02 at least."""
    normal = torch.cat([normal[:, :2], normal[:, 2:].clamp_min(0.02)], 1)
    return F.normalize(normal, dim=1)
