"""Where lips touch: a small ear for p, b and m alone, of any speaker and language.

Beside F_mesh's ear, which says how the mouth moves: whether lips meet is over in a frame or two, and seen when missed.
Taught by `relitalk_engine.speech.closure_training`, shipped as `priors/closures.safetensors`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from .acoustics import Spectra
from .mesh_net import Ear, hearing, read_ear

WEIGHTS_FILE = Path(__file__).resolve().parent.parent / "priors" / "closures.safetensors"
CHANNELS = 64


@lru_cache(maxsize=1)
def _net() -> Ear:
    missing = f"The ear for p, b and m, {WEIGHTS_FILE}, is missing."
    weights = read_ear(WEIGHTS_FILE, "no_closure_prior", missing)
    net = Ear(weights["first.weight"].shape[1], 1, weights["first.weight"].shape[0])
    net.load_state_dict(weights)
    return net.eval()


@torch.no_grad()
def touching(sound: Spectra, belief: np.ndarray) -> np.ndarray:
    """Probability that p, b or m sounds, [N], 100 a second.

    Args:
        sound: N spectra.
        belief: [N, P] soft phones of the sound alone.

    Raises:
        MissingPart: the weights are not there.
    """
    inputs = torch.from_numpy(hearing(sound, belief, fine=True))
    return torch.sigmoid(_net()(inputs[None])[0, :, 0]).numpy()
