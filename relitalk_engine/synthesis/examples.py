"""Training examples: frames of the clip as driven frames that must not see themselves. Held in 8 bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..events import Reporter
from .align import rim_flow, shifted
from .asked import Asked
from .bank import Bank, Driven
from .boxes import inside
from .spoken import CHANNELS, Speaker

HEADROOM = 1.25
"""Encoded, light-normalised colours reach up to this."""
CLEAR = 3
"""Pixels about the removed area that the networks do not see either: no sampling carries anything out of it."""
MOUTH_WEIGHT = 3.0
"""Lips and mouth count this much more than the skin about them."""


@dataclass(frozen=True)
class Example:
    """One frame as the networks see it; float32, 0..1, batch first.

    Attributes:
        true: [1, 4, S, S] RGB, encoded, light-normalised, and matte.
        known: [1, 1, S, S] 1 where the footage may be seen.
        driven: [1, 1, S, S] the driven area.
        removed: [1, 1, S, S] the removed area, within the image.
        guides: [1, 6, S, S].
        layers: [1, K, 5, S, S].
        spoken: [1, 4, S, S] of `spoken.Speaker.crop`; None: there is no Wav2Lip.
    """

    true: Tensor
    known: Tensor
    driven: Tensor
    removed: Tensor
    guides: Tensor
    layers: Tensor
    spoken: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor | None, ...]:
        """What `Networks.forward` takes."""
        return self.true[:, :3], self.known, self.driven, self.guides, self.layers, self.spoken

    @property
    def weight(self) -> Tensor:
        """[1, 1, S, S] how much a pixel counts."""
        return 1 + (MOUTH_WEIGHT - 1) * self.guides[:, 4:6].amax(1, keepdim=True)


def known_map(box: np.ndarray, driven: Driven, size: tuple[int, int]) -> np.ndarray:
    """[S, S] 1 where a window's sample is in the image and well outside the removed box."""
    x, y, width, height = (int(v) for v in box)
    wide = np.array([x - CLEAR, y - CLEAR, width + 2 * CLEAR, height + 2 * CLEAR])
    image = inside(np.array([0, 0, size[1], size[0]]), driven.view, driven.size)
    return ((inside(wide, driven.view, driven.size) <= 0) & (image >= 0.99)).astype(np.float32)


class Examples:
    """All examples of a clip, packed into bytes: 34 of them per sample of the window, for three layers."""

    def __init__(
        self,
        bank: Bank,
        asked: Asked,
        chosen: np.ndarray,
        size: int,
        reporter: Reporter,
        device: str = "cpu",
        speaker: Speaker | None = None,
    ):
        """Cut and warp the `chosen` ones of `asked`; `device` may cast the rays.

        `speaker` has the clip's own sound, where Wav2Lip is to paint it.
        """
        fit, plan = asked.fit, asked.plan
        layers = plan.source.shape[1]
        shape = (len(chosen), size, size)
        self._true = np.empty((*shape, 4), np.uint8)
        self._masks = np.empty((*shape, 3), np.uint8)
        self._guides = np.empty((*shape, 6), np.int8)
        self._layers = np.empty((len(chosen), layers, size, size, 5), np.uint8)
        self._spoken = np.empty((*shape, CHANNELS), np.uint8) if speaker else None
        for n, frame in enumerate(reporter.steps("mouths", chosen, len(chosen))):
            driven = Driven(bank.head, fit, asked.motion, int(frame), bank.light, size, device)
            rgba, _ = bank.frame(int(asked.own[frame]))
            true = driven.crop(rgba)
            self._true[n] = _pack(true)
            image = inside(np.array([0, 0, fit.size[1], fit.size[0]]), driven.view, size)
            removed = inside(asked.boxes.removed[frame], driven.view, size)
            known = known_map(asked.boxes.removed[frame], driven, fit.size)
            masks = [known, inside(asked.boxes.driven[frame], driven.view, size), removed * image]
            self._masks[n] = np.rint(np.stack(masks, -1) * 255)
            self._guides[n] = np.rint(np.clip(driven.guides.planes, -1, 1) * 127)
            positions, _ = driven.grid()
            found = bank.layers(driven, positions, plan.source[frame], plan.weight[frame])
            if layers:
                small = np.stack([driven.shrink(layer) for layer in found])
                flows = rim_flow(true[..., :3], known, small, driven.guides.planes[..., 3])
                self._layers[n] = _pack(shifted(small, flows))
            if speaker and self._spoken is not None:
                self._spoken[n] = _pack(speaker.crop(driven, int(frame), int(asked.own[frame]), rgba[..., :3]))

    def __len__(self) -> int:
        return len(self._true)

    def batch(self, index: np.ndarray, device: torch.device | str) -> Example:
        """Unpack some examples."""

        def tensor(values: np.ndarray, scale: float) -> Tensor:
            return torch.from_numpy(np.moveaxis(values[index], -1, -3).copy()).to(device).float().mul_(scale)

        true, layers = tensor(self._true, 1 / 255), tensor(self._layers, 1 / 255)
        true[:, :3] *= HEADROOM
        layers[:, :, :3] *= HEADROOM
        masks = tensor(self._masks, 1 / 255)
        guides = tensor(self._guides, 1 / 127)
        spoken = None
        if self._spoken is not None:
            spoken = tensor(self._spoken, 1 / 255)
            spoken[:, :3] *= HEADROOM
        return Example(true, masks[:, 0:1], masks[:, 1:2], masks[:, 2:3], guides, layers, spoken)


def _pack(pixels: np.ndarray) -> np.ndarray:
    """RGB with headroom, the other channels plain, to bytes."""
    scale = np.full(pixels.shape[-1], 255.0, np.float32)
    scale[:3] /= HEADROOM
    return np.rint(np.clip(pixels * scale, 0, 255)).astype(np.uint8)


def network_inputs(
    driven: Driven,
    base: np.ndarray,
    known: np.ndarray,
    box: np.ndarray,
    layers: np.ndarray,
    spoken: np.ndarray | None = None,
) -> tuple[Tensor, ...]:
    """What `Networks.forward` takes, for one frame at drive time.

    Args:
        driven: the frame.
        base: [S, S, 3] erased footage, encoded, light-normalised.
        known: [S, S].
        box: the driven box.
        layers: [K, S, S, 5].
        spoken: [S, S, 4] of `spoken.Speaker.crop`, where there is one.
    """

    def tensor(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, -3)))[None].float()

    area = inside(box, driven.view, driven.size)[..., None]
    seen = [base, known[..., None], area, driven.guides.planes, layers]
    return tuple(map(tensor, seen if spoken is None else [*seen, spoken]))

