"""Speech or not: the silero network, read from the wheel's safetensors into plain torch."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingPart

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 512
"""Samples that one probability stands for: 32 ms."""

_CONTEXT = 64
_STRIDES = (1, 2, 2, 1)


@lru_cache(maxsize=1)
def _weights() -> dict[str, Tensor]:
    from safetensors.torch import load_file

    found = find_spec("silero_vad")
    path = Path(found.origin).parent / "data" / "silero_vad_16k.safetensors" if found and found.origin else None
    if path is None or not path.exists():
        raise MissingPart("no_silero", "The speech detector silero-vad is not installed.", "Set up the engine again.")
    return load_file(path)


def speech_probability(samples: np.ndarray) -> np.ndarray:
    """Probability of speech in every 32 ms.

    Args:
        samples: [n] float32 mono, 16 kHz.

    Returns:
        [ceil(n / 512)] float32, 0..1.

    Raises:
        MissingPart: silero-vad is not installed.

    Source: silero-vad 6, the 16 kHz network.
    """
    import torch
    from torch.nn.functional import conv1d, pad

    weights = _weights()
    count = max(1, -(-len(samples) // CHUNK))
    with torch.no_grad():
        padded = torch.zeros(_CONTEXT + count * CHUNK)
        padded[_CONTEXT : _CONTEXT + len(samples)] = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
        x = padded.unfold(0, _CONTEXT + CHUNK, CHUNK)[:, None]
        x = conv1d(pad(x, (0, _CONTEXT), "reflect"), weights["stft_conv.weight"], stride=128)
        x = (x[:, :129] ** 2 + x[:, 129:] ** 2).sqrt()
        for i, stride in enumerate(_STRIDES, 1):
            x = conv1d(x, weights[f"conv{i}.weight"], weights[f"conv{i}.bias"], stride=stride, padding=1).relu()
        gates = x.squeeze(-1) @ weights["lstm_cell.weight_ih"].T + weights["lstm_cell.bias_ih"]
        inner, bias = weights["lstm_cell.weight_hh"].T.contiguous(), weights["lstm_cell.bias_hh"]
        hidden, cell = torch.zeros(128), torch.zeros(128)
        states = torch.empty(count, 128)
        for i in range(count):
            at, forget, new, out = (gates[i] + hidden @ inner + bias).chunk(4)
            cell = forget.sigmoid() * cell + at.sigmoid() * new.tanh()
            hidden = out.sigmoid() * cell.tanh()
            states[i] = hidden
        logit = states.relu() @ weights["final_conv.weight"].reshape(-1) + weights["final_conv.bias"]
    return logit.sigmoid().numpy()
