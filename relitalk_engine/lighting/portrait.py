"""How a portrait takes light, where the engine and a renderer's nodes must do the same sums."""

from __future__ import annotations

from typing import Protocol

import numpy as np

FADE = 0.12
"""Departure of the light (one minus correlation) at which the residual has fallen to 1/e."""
HAIR_OPEN = 0.7
"""How little the shadow of the head under it counts on hair."""
SHADOW_FLOOR = 0.15
"""The light that always finds a way past the head (through skin, off the shoulders), as a share of the mean light."""


class Lit(Protocol):
    """A light by its radiance coefficients."""

    @property
    def sh(self) -> np.ndarray:
        """[9, 3]."""
        ...


def departure(source: Lit, target: Lit) -> tuple[np.ndarray, float]:
    """How far the light is from the source's.

    Returns:
        Strength [3], the target's share along the source's light per channel, 1 for the same light and 2 for twice it;
        and the residual's weight, 1 for the same light at any strength, falling smoothly to 0.
    """
    bands = np.repeat([1.0, 2.0 / 3.0, 0.25], [1, 3, 5])[:, None]
    a, b = source.sh * bands, target.sh * bands
    strength = np.maximum((a * b).sum(0) / np.maximum((a * a).sum(0), 1e-12), 0)
    correlation = (a * b).sum() / np.sqrt(max((a * a).sum() * (b * b).sum(), 1e-24))
    return strength.astype(np.float32), float(np.exp(-(1 - min(correlation, 1.0)) / FADE))
