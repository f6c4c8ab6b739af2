"""The coarse renderer F_coarse on the surface's points: albedo constant over time, times light in nine coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...lighting import sh
from ..fitting import HeadFit
from .implicit import ImplicitSurface, MovedSurface
from .views import Sight, View

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
TINY = 1e-4
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
        few = TINY * torch.eye(4, device=known.device)  # where hardly any skin is seen
        trend = torch.linalg.solve(weighted.T @ self._trend + few, weighted.T @ own)
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
            self.light[:, channel] = torch.linalg.solve(left + (RIDGE * left[0, 0] + TINY) * eye, right)
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


class Frame:
    """One training frame's view of the surface's points, in torch."""

    def __init__(
        self, surface: ImplicitSurface, moved: MovedSurface, fit: HeadFit, view: View, sight: Sight, device: str
    ) -> None:
        import torch

        def tensor(values: np.ndarray) -> Tensor:
            return torch.tensor(np.asarray(values), dtype=torch.float32, device=device)

        frame, index = view.frame, sight.index
        self.index = torch.tensor(index, device=device)
        self.mesh, self.base = tensor(sight.mesh), tensor(sight.base)
        self.trust = tensor(moved.places.trust[index])[:, None]
        self.blend = tensor(moved.places.head[index])[:, None]
        self.bent = tensor(moved.places.bend[index])
        self.rotation, self.translation = tensor(fit.rotation[frame]), tensor(fit.translation[frame])
        turned, shifted = surface.trunk.place(fit.rotation[frame], fit.translation[frame])
        self.turned, self.shifted = tensor(turned), tensor(shifted)
        self.modes = tensor(surface.modes @ (fit.psi[frame] - surface.mean))
        bare = view.skin > 0.7
        mean = view.image[bare].mean() if bare.any() else view.image.mean()
        picture = np.concatenate([view.image / max(mean, 1e-3), view.skin[..., None]], -1)
        self.picture = tensor(picture).permute(2, 0, 1)[None]
        height, width = fit.size
        self.focal = tensor(np.array([2 * fit.focal / width, 2 * fit.focal / height]))
        self.middle = tensor(np.array([2 * fit.center[0] / width - 1, 2 * fit.center[1] / height - 1]))
        self.weight = tensor(sight.weight)

    def seen(self, change: Tensor, gradient: Tensor, skinning: Tensor, bend: Tensor) -> Seen:
        """What the frame sees of its points.

        Args:
            change: [P, 3] what training added to the gradient, canonical.
            gradient: [P, 3] the gradient.
            skinning: [P] what is added to the skinning.
            bend: [P, K, 3] what is added to the expressions.
        """
        import torch.nn.functional as functional

        index, blend = self.index, (self.blend + skinning[self.index][:, None]).clamp(0, 1)

        def to_camera(vectors: Tensor) -> Tensor:
            return blend * (vectors @ self.rotation.T) + (1 - blend) * (vectors @ self.turned.T)

        far = functional.normalize(to_camera(gradient[index]), dim=-1)
        near = self.mesh + to_camera(change[index])
        normal = functional.normalize(self.trust * near + (1 - self.trust) * far, dim=-1)
        points = self.base + ((self.bent + bend[index]) * self.modes[:, None]).sum(1)
        points = blend * (points @ self.rotation.T + self.translation) + (1 - blend) * (
            points @ self.turned.T + self.shifted
        )
        flip = points.new_tensor([1.0, -1.0])
        place = points[:, :2] * flip * self.focal / -points[:, 2:] + self.middle
        found = functional.grid_sample(self.picture, place[None, None], align_corners=False)[0, :, 0].T
        return Seen(index, normal, found[:, :3], self.weight * found[:, 3].detach())
