"""F_mesh's ear: what the mouth does, from the spectrum and the soft phones, for any speaker and language.

A small convolutional network, taught by `relitalk_engine.speech.mesh_training`, shipped as `priors/speech.safetensors`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from ..errors import MissingPart
from . import visemes
from .acoustics import Spectra

WEIGHTS_FILE = Path(__file__).resolve().parent.parent / "priors" / "speech.safetensors"
STRIDE = 2
"""Spectra per output: 50 outputs a second."""


class Ear(nn.Module):
    """Dilated 1D convolutions over 15 steps to either side.

    Args:
        columns: of the input.
        outputs: columns of the output.
        channels: of every layer.
        stride: spectra in a step.
    """

    def __init__(self, columns: int, outputs: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv1d(columns, channels, 5, stride=stride, padding=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GELU(),
                nn.Dropout(0.2),
                nn.Conv1d(channels, channels, 3, dilation=d, padding=d),
                nn.GELU(),
                nn.Conv1d(channels, channels, 1),
            )
            for d in (1, 2, 4, 8)
        )
        self.last = nn.Conv1d(channels, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N / stride, outputs] of inputs [B, N, columns]."""
        x = self.first(x.transpose(1, 2))
        for block in self.blocks:
            x = x + block(x)
        return self.last(gelu(x)).transpose(1, 2)


class MeshNet(Ear):
    """F_mesh's ear: a third of a second to either side.

    Args:
        columns: of the input.
        channels: of every layer.
    """

    def __init__(self, columns: int, channels: int = 96) -> None:
        super().__init__(columns, len(visemes.ACTIONS) + len(visemes.PHONES), channels, STRIDE)

    def mouth(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [B, N/2, A] and phones' logits [B, N/2, P] of inputs [B, N, columns]."""
        y = self(x)
        return y[..., : len(visemes.ACTIONS)], y[..., len(visemes.ACTIONS) :]


def hearing(sound: Spectra, belief: np.ndarray, fine: bool = False) -> np.ndarray:
    """What an ear's network sees of a stretch of sound, [N, bands + 2 + P]; microphone, room and level taken out.

    Args:
        sound: N spectra.
        belief: [N, P] soft phones of the sound alone.
        fine: by the narrower bands.
    """
    mel = sound.fine if fine else sound.mel
    loud = np.percentile(sound.loudness, 90)
    weight = np.clip((sound.loudness - loud + 30.0) / 10.0, 0.0, 1.0) + 1e-4
    weight = weight / weight.sum()
    mean = weight @ mel
    spread = np.sqrt(weight @ (mel - mean) ** 2 + 1.0)
    mel = np.clip((mel - mean) / spread, -4.0, 4.0) / 1.5
    level = np.clip(sound.loudness - loud, -60.0, 10.0)[:, None] / 20.0
    return np.concatenate([mel, level, sound.voicing[:, None], belief], 1).astype(np.float32)


def read_ear(path: Path, code: str, missing: str) -> dict[str, Tensor]:
    """Weights of an ear that ships.

    Raises:
        MissingPart: the file is not there; with this code and sentence.
    """
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingPart(code, missing, "Install ReliTalk again.")
    return {name: value.float() for name, value in load_file(path).items()}


@lru_cache(maxsize=1)
def _net() -> MeshNet:
    weights = read_ear(WEIGHTS_FILE, "no_speech_prior", f"The lip mesh's weights {WEIGHTS_FILE} are missing.")
    net = MeshNet(weights["first.weight"].shape[1], weights["first.weight"].shape[0])
    net.load_state_dict(weights)
    return net.eval()


@torch.no_grad()
def spoken(inputs: np.ndarray) -> np.ndarray:
    """Actions of the viseme table and articulatory traits, heard from `hearing`.

    Args:
        inputs: [N, columns], 100 a second.

    Returns:
        [N, visemes.SPOKEN] float32, 0..1.

    Raises:
        MissingPart: the weights are not there.
    """
    actions, phones = _net().mouth(torch.from_numpy(inputs)[None])
    traits = torch.softmax(phones[0], -1).numpy() @ visemes.traits(visemes.PHONES)
    heard = np.concatenate([actions[0].clamp(0, 1).numpy(), traits], 1)
    at = np.arange(len(inputs)) / STRIDE
    return np.stack([np.interp(at, np.arange(len(heard)), column) for column in heard.T], 1).astype(np.float32)
