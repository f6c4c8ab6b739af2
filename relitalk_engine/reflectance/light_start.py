"""The light to start from: a non-negative environment fitted to the skin on the front of the face.

Skin is taken as one paint; whatever is not (lips, brows, highlights, cast shadows) is an outlier and loses its say.
The front of a face sees half of the sphere well and the rest hardly: there the light goes on smoothly, towards what is
usual.
"""

from dataclasses import dataclass

import numpy as np

from ..lighting import envmap, sh
from .shadow import self_shadow

START_SIZE = (16, 32)
"""Rows and columns of the environment that is solved for: about what diffuse skin can tell."""


SMOOTH, USUAL = 5e-6, 1e-3
"""Weights of the roughness and of the pull towards the usual light, against a mean squared relative error."""
MIDDLE, TOWARDS, ABOVE, LEAST = 0.5, 0.4, 0.25, 0.15
"""The usual light, over the face's own: people face the light, and it comes from above."""


@dataclass(frozen=True)
class SkinSamples:
    """Pixels of skin from all over the clip."""

    normal: np.ndarray
    """[P, 3] unit, camera frame."""
    colour: np.ndarray
    """[P, 3] linear."""
    weight: np.ndarray
    """[P] how surely each is lit skin."""
    transfer: np.ndarray | None = None
    """[P, 9] the head's radiance transfer with visibility, or None."""
    transfer0: np.ndarray | None = None
    """[P, 9] the same without."""


def fit_environment(samples: SkinSamples, size: tuple[int, int] = START_SIZE, rounds: int = 6) -> np.ndarray:
    """Robust, non-negative least squares for the light on skin of albedo 1.

    Args:
        samples: skin pixels.
        size: rows and columns of the environment.
        rounds: of reweighting.

    Returns:
        [*size, 3] float32 radiance; its scale is the skin's albedo times the light's, left to the gauge.

    Raises:
        ValueError: fewer than 64 samples.

    Source: iteratively reweighted least squares with Geman-McClure weights on the relative error; the inner problem by
    accelerated projected gradients (Nesterov 1983).
    """
    if len(samples.normal) < 64:
        raise ValueError(f"fit_environment: {len(samples.normal)} skin pixels are too few")
    directions = envmap.directions(*size).reshape(-1, 3)
    solid = envmap.solid_angles(*size).reshape(-1)
    kernel = (np.maximum(samples.normal @ directions.T, 0) * (solid / np.pi)).astype(np.float32)  # [P, K]
    colour = np.maximum(samples.colour, 1e-4)
    even = samples.weight / np.sqrt(_crowd(samples.normal))
    rough = _roughness(size)
    pull = USUAL * (solid / solid.sum()) ** 2 * len(solid)
    usual = np.maximum(MIDDLE + TOWARDS * directions[:, 2] + ABOVE * directions[:, 1], LEAST)
    level = np.average(colour, axis=0, weights=even)
    env = np.tile(level, (len(directions), 1))
    shadow = np.ones_like(colour)
    trust = np.ones(len(colour))
    for turn in range(rounds):
        for channel in range(3):
            shading = np.maximum(kernel @ env[:, channel] * shadow[:, channel], 0.1 * level[channel])
            scale = even * trust / (shading * np.maximum(colour[:, channel], 0.1 * level[channel]))
            rows = kernel * shadow[:, channel, None]
            total = (even * trust).sum()
            gram = (rows * scale[:, None]).T @ rows / total * level[channel] ** 2
            right = rows.T @ (scale * colour[:, channel]) / total * level[channel]
            # Smooth in relative radiance, with a slight pull to the usual light where no skin looks.
            prior = SMOOTH * rough + np.diag(pull)
            goal = right + pull * usual
            env[:, channel] = level[channel] * _solve(gram + prior, goal, env[:, channel] / level[channel])
        if samples.transfer is not None and samples.transfer0 is not None:
            light = sh.project(env.reshape(*size, 3))
            shadow = self_shadow(samples.transfer, samples.transfer0, light)
        miss = np.log(colour) - np.log(np.maximum(kernel @ env * shadow, 0.05 * level))
        miss = miss @ np.array([0.3, 0.5, 0.2])
        width = max(0.12, 1.5 * float(np.median(np.abs(miss)))) * (2.0 if turn < 2 else 1.3)
        trust = 1 / (1 + (miss / width) ** 2) ** 2
    return env.reshape(*size, 3).astype(np.float32)


def _crowd(normal: np.ndarray, cells: int = 16) -> np.ndarray:
    """How many samples share each one's cell of the sphere of normals, [P]."""
    cell = np.clip(((normal[:, :2] * 0.5 + 0.5) * cells).astype(int), 0, cells - 1)
    index = cell[:, 0] * cells + cell[:, 1]
    return np.maximum(np.bincount(index, minlength=cells * cells)[index], 8).astype(float)


def _roughness(size: tuple[int, int]) -> np.ndarray:
    """[K, K] quadratic form: squared differences of neighbouring texels, by their shared edge."""
    height, width = size
    index = np.arange(height * width).reshape(size)
    level = np.cos(np.pi * (0.5 - (np.arange(height) + 0.5) / height))
    form = np.zeros((height * width,) * 2)

    def join(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> None:
        np.add.at(form, (a, a), weight)
        np.add.at(form, (b, b), weight)
        np.add.at(form, (a, b), -weight)
        np.add.at(form, (b, a), -weight)

    step = np.broadcast_to(1 / np.maximum(level, 0.1)[:, None], size)
    join(index.ravel(), np.roll(index, -1, 1).ravel(), step.ravel())
    between = np.broadcast_to(0.5 * (level[1:] + level[:-1])[:, None], (height - 1, width))
    join(index[:-1].ravel(), index[1:].ravel(), between.ravel())
    return form


def _solve(gram: np.ndarray, right: np.ndarray, start: np.ndarray, steps: int = 200) -> np.ndarray:
    """argmin over x >= 0 of xᵀ gram x / 2 − rightᵀ x."""
    # Jacobi scaling makes the step fit every texel.
    scale = 1 / np.sqrt(np.diag(gram))
    gram, right, x = gram * np.outer(scale, scale), right * scale, start / scale
    lipschitz = _largest(gram)
    momentum, ahead = 1.0, x.copy()
    for _ in range(steps):
        new = np.maximum(ahead - (gram @ ahead - right) / lipschitz, 0)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - x)
        x, momentum = new, following
    return x * scale


def _largest(gram: np.ndarray) -> float:
    """Upper bound of the largest eigenvalue, by a few power steps."""
    x = np.ones(len(gram))
    for _ in range(20):
        x = gram @ x
        x /= np.linalg.norm(x)
    return 1.1 * float(x @ gram @ x)
