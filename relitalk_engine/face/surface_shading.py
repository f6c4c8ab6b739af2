"""The coarse renderer F_coarse on the surface's points: albedo constant over time, times light in nine coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..lighting import sh

if TYPE_CHECKING:
    from torch import Tensor

SPREAD = 0.1
"""Distance over which the skin's albedo may change by its own amount, metres."""
LEAN = 0.1
"""How far a point's own albedo leans to the mean while the light is solved, in typical points' sightings."""
RIDGE = 1e-5
"""Share of the ambient term that holds the light back where the head's turns do not tell it."""
TOLD = 0.12
"""Relative change of brightness that is as likely paint as shape."""
FIT = 0.08
"""Relative error of a point that counts half: shadows and highlights are larger."""
FLOOR = 0.05
"""Least shading, as a share of the mean."""


class Seen(NamedTuple):
    """The light that one frame's camera gets from the points that it sees, in torch.

    Attributes:
        index: [N] which points.
        normal: [N, 3] their normals, camera frame.
        colour: [N, 3] linear light, over the skin's mean.
        weight: [N] 0..1 how surely bare skin is seen there.
    """

    index: Tensor
    normal: Tensor
    colour: Tensor
    weight: Tensor


class Shading:
    """Light [9, 3] and albedo [P, 3] that explain what the frames see, solved in turn.

    Source: Qiu et al. 2023, section 3.3 (F_coarse), here with the albedo of a surface point instead of a network's.
    """

    def __init__(self, points: np.ndarray, device: str) -> None:
        import torch

        place = torch.tensor(points / SPREAD, dtype=torch.float32, device=device)
        self._trend = torch.cat([torch.ones_like(place[:, :1]), place], -1)
        self.albedo = torch.ones(len(points), 3, device=device)
        self.light = torch.zeros(9, 3, device=device)
        self._fitted = False

    def error(self, seen: Seen) -> Tensor:
        """Mean square error of the points' light over their weight, for training the shape."""
        shaded = self.albedo[seen.index] * sh.shade(self.light, seen.normal).clamp_min(FLOOR)
        error = ((seen.colour - shaded) / FIT).square().mean(-1)
        weight = seen.weight / (1 + error.detach()) ** 2
        return (weight * error).sum() / weight.sum().clamp_min(1)

    def solve(self, frames: list[Seen], turns: int) -> None:
        """Fit light and albedo to what the frames see.

        The light comes from how each point's brightness changes as the head turns, with an albedo of its own for every
        point; shape is then told from paint by an albedo that changes slowly over the skin.

        Args:
            frames: all of them.
            turns: times that light and albedo are solved in turn.
        """
        import torch

        seen = Seen(*(torch.cat(parts) for parts in zip(*frames, strict=True)))
        bands = (sh.irradiance_coefficients(np.ones((9, 3))) / np.pi)[:, 0]
        basis = sh.basis(seen.normal) * torch.tensor(bands, dtype=torch.float32, device=self.light.device)
        for _ in range(turns):
            self._solve_light(seen, basis)
            own, weight = self._own_albedo(seen, basis)
            typical = weight.mean().clamp_min(1e-6)
            self.albedo = (own * weight + LEAN * typical) / (weight + LEAN * typical)
        own, weight = self._own_albedo(seen, basis)
        known = weight.clamp_max(1)
        weighted = self._trend * known
        trend = (weighted.T @ self._trend).inverse() @ (weighted.T @ own)
        middle = (self._trend @ trend).clamp_min(0.05)
        apart = ((own - middle) / middle / TOLD).square().mean(-1, keepdim=True)
        paint = known * apart / (1 + apart)
        self.albedo = middle + paint * (own - middle)

    def _solve_light(self, seen: Seen, basis: Tensor) -> None:
        import torch

        albedo = self.albedo[seen.index]
        weight = self._weight(seen, albedo, basis)[:, None]
        eye = torch.eye(9, device=basis.device)
        for channel in range(3):
            rows = basis * albedo[:, channel : channel + 1]
            left = (rows * weight).T @ rows
            right = (rows * weight).T @ seen.colour[:, channel]
            self.light[:, channel] = torch.linalg.solve(left + RIDGE * left[0, 0] * eye, right)
        self._fitted = True

    def _own_albedo(self, seen: Seen, basis: Tensor) -> tuple[Tensor, Tensor]:
        """[P, 3] each point's albedo over all frames, and [P, 1] how much was seen of it."""
        import torch

        shade = (basis @ self.light).clamp_min(FLOOR)
        weight = self._weight(seen, self.albedo[seen.index], basis) + 1e-3 * seen.weight
        total = torch.zeros_like(self.albedo).index_add_(0, seen.index, weight[:, None] * seen.colour / shade)
        known = torch.zeros_like(self.albedo[:, 0]).index_add_(0, seen.index, weight)[:, None]
        return torch.where(known > 1e-4, total / known.clamp_min(1e-4), torch.ones_like(total)), known

    def _weight(self, seen: Seen, albedo: Tensor, basis: Tensor) -> Tensor:
        """[N] small where shadow, highlight or another thing than skin is seen."""
        if not self._fitted:
            return seen.weight
        shaded = albedo * (basis @ self.light).clamp_min(FLOOR)
        return seen.weight / (1 + ((seen.colour - shaded) / FIT).square().mean(-1)) ** 2
