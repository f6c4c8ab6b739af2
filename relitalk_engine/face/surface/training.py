"""Training of the implicit surface: silhouettes, shading and the head model shape it together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...config import SurfaceConfig
from ...events import Reporter
from ...geometry.surface import vertex_normals
from ..fitting import HeadFit
from ..head_model import HeadModel
from ..trunk import Trunk
from .field import SplineField, at, lookup, slopes
from .implicit import ImplicitSurface, MovedSurface, start_skinning
from .shading import Frame, Shading
from .start import covering_grid, neck_rim, outer_faces, start_distance
from .views import Rays, View, bare_skin, choose_frames, sights, silhouette_rays

if TYPE_CHECKING:
    from torch import Tensor

MODES = 6
"""Modes of expression that the surface may move in beyond the head model's own."""
FREE = (0.006, 0.012, 0.02, 0.035)
"""Distances before bare skin at which nothing may be, metres."""
SLACK = 0.004
"""How far bare skin itself may come forward, metres."""
COVER = 0.006
"""Thickness of hair from which on the head's own detail is hidden, metres."""
SCALES = 4
"""Scales of the distance's change; the finest is twice the grid's step."""


def start_surface(head: HeadModel, fit: HeadFit, step: float) -> ImplicitSurface:
    """The surface before training.

    Args:
        head: the head model.
        fit: the head over the clip.
        step: of the grid, metres.
    """
    mean = fit.psi.mean(0)
    rest = fit.shape(head, mean)
    grid = covering_grid(fit, step)
    coarse = grid.coarser(4)
    neck, _ = neck_rim(rest, outer_faces(head))
    distance = start_distance(grid, head, rest)
    _, _, modes = np.linalg.svd(fit.psi - mean, full_matrices=False)
    modes = modes[:MODES].astype(np.float32)
    return ImplicitSurface(
        grid=grid,
        distance=distance,
        start=distance,
        coarse=coarse,
        skinning=start_skinning(coarse, head, rest, neck),
        bend=np.zeros((*coarse.shape, len(modes), 3), np.float32),
        modes=modes,
        mean=mean,
        trunk=Trunk.of(head, fit),
    )


def train_surface(
    look: Callable[[int], View],
    head: HeadModel,
    fit: HeadFit,
    config: SurfaceConfig,
    device: str,
    seed: int,
    reporter: Reporter,
) -> ImplicitSurface:
    """Learn the implicit surface of a clip.

    Silhouettes come first; from the second round on shading shapes what they gave.

    Args:
        look: a frame by its number, made small.
        head: the head model.
        fit: the head over the clip.
        config: sizes and weights.
        device: torch device.
        seed: of the silhouette rays that are drawn.
        reporter: hears the progress and may cancel.
    """
    rng = np.random.default_rng(seed)
    frames = choose_frames(fit, config.frames)
    views = [look(int(frame)) for frame in reporter.steps("surface: looking", frames)]
    surface = start_surface(head, fit, config.voxel)
    moved = MovedSurface(surface, head, fit)
    rays = [
        silhouette_rays(surface, moved, fit, seen, config.rays, rng)
        for seen in reporter.steps("surface: outlines", views)
    ]
    open_air = free_space(moved, bare_skin(head, fit, views))
    rounds, total = max(1, config.rounds), config.steps
    for turn in range(rounds):
        first, last = total * turn // rounds, total * (turn + 1) // rounds
        shown = []
        for seen in views if turn else ():
            reporter.progress("surface", first, total)
            shown.append(Frame(surface, moved, fit, seen, sights(moved, fit, seen), device))
        learner = _Learner(surface, moved, rays, open_air, shown, config, device)
        for step in range(first, last):
            reporter.progress("surface", step, total)
            learner.step(rng, 1 - 0.9 * (step - first) / max(last - first, 1))
        surface = learner.result()
        moved = MovedSurface(surface, head, fit)
    reporter.progress("surface", total, total)
    return surface


def free_space(moved: MovedSurface, bare: np.ndarray) -> np.ndarray:
    """[N, 3] places before skin that is seen bare, where nothing can be.

    Args:
        moved: the surface on its head, before training.
        bare: [V] how surely each vertex of the head model is seen bare.
    """
    outer = np.unique(outer_faces(moved.model))
    chosen = outer[bare[outer] > 0.5]
    normals = vertex_normals(moved.rest, moved.model.faces)[chosen]
    return np.concatenate([moved.rest[chosen] + far * normals for far in FREE]).astype(np.float32)


class _Learner:
    """One round: the surface's points and rays are fixed, its fields are learned."""

    def __init__(
        self,
        surface: ImplicitSurface,
        moved: MovedSurface,
        rays: list[Rays],
        open_air: np.ndarray,
        frames: list[Frame],
        config: SurfaceConfig,
        device: str,
    ) -> None:
        import torch

        self.surface, self.config, self.device = surface, config, device
        self.frames, self.shaded = frames, bool(frames)
        grid = surface.grid.coarser(2)
        self.distance = SplineField(grid, 1, SCALES, device)
        self.skinning = SplineField(surface.coarse.coarser(2), 1, 2, device)
        self.bend = SplineField(surface.coarse.coarser(2), 3 * len(surface.modes), 2, device)
        changed = surface.distance - surface.start
        self.changed = self._tensor(surface.grid.sample(changed, grid.points()))
        self.rays = [
            (
                lookup(grid, ray.points.reshape(-1, 3), device),
                self._tensor(surface.grid.sample(surface.distance, ray.points)),
                self._tensor(np.maximum(ray.points[..., 2] - surface.trunk.pivot[2], 0) * (ray.alpha > 0.5)[:, None]),
                self._tensor(ray.alpha),
            )
            for ray in rays
        ]
        self.open_air = lookup(grid, open_air, device)
        self.opened = self._tensor(surface.grid.sample(changed, open_air))
        self.places = lookup(grid, moved.vertices, device)
        self.gradient = self._tensor(surface.grid.sample(moved.gradient, moved.vertices))
        self.change = self._tensor(surface.grid.sample(moved.change, moved.vertices))
        self.moved_by = self._tensor(surface.grid.sample(changed, moved.vertices))
        self.trust = self._tensor(moved.places.trust)
        rates = [config.learning_rate * (1 if self.shaded else 2)]  # hair and shoulders have further to go than skin
        learned = [self.distance.levels]
        if self.shaded:
            self.motion = lookup(self.skinning.grid, moved.vertices, device)
            self.shading = Shading(moved.vertices, device)
            rates += [0.01, 0.2 * config.learning_rate]
            learned += [self.skinning.levels, self.bend.levels]
        self.rates = rates
        self.optimizer = torch.optim.Adam([{"params": levels} for levels in learned], betas=(0.9, 0.99))
        self.steps = 0

    def _tensor(self, values: np.ndarray) -> Tensor:
        import torch

        return torch.tensor(np.asarray(values), dtype=torch.float32, device=self.device)

    def step(self, rng: np.random.Generator, rate: float) -> None:
        """One step of Adam on all terms."""
        import torch

        config = self.config
        for group, lr in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = lr * rate
        self.optimizer.zero_grad()
        field = self.distance()
        slope = at(slopes(field[0], self.distance.grid.step), self.places)
        here = self.moved_by + at(field, self.places)[:, 0]
        loss = config.silhouette * self._silhouette(field, rng)
        loss = loss + config.head * (self.trust * (here / 0.004) ** 2).mean()
        closed = (self.opened + at(field, self.open_air)[:, 0] + SLACK).clamp_max(0)
        loss = loss + config.free * (closed / SLACK).square().mean()
        loss = loss + config.eikonal * ((self.gradient + slope).norm(dim=-1) - 1).square().mean()
        stiff = config.smooth * (1 if self.shaded else 0.1)  # silhouettes are sure of themselves, shading is not
        loss = loss + stiff * _bending(field[0] + self.changed, self.distance.grid.step)
        if self.shaded and config.shading:
            skinning, bend = self._motion()
            if self.steps % 10 == 0:
                with torch.no_grad():
                    self.shading.solve(
                        [f.seen(self.change + slope, self.gradient + slope, skinning, bend) for f in self.frames],
                        40 if self.steps == 0 else 10,
                    )
            for k in rng.choice(len(self.frames), min(4, len(self.frames)), replace=False):
                seen = self.frames[k].seen(self.change + slope, self.gradient + slope, skinning, bend)
                loss = loss + 0.15 * config.shading * self.shading.error(seen)
            loss = loss + 10 * (self.skinning() ** 2).mean() + 1e6 * (self.bend() ** 2).mean()
        loss.backward()
        self.optimizer.step()
        self.steps += 1

    def _motion(self) -> tuple[Tensor, Tensor]:
        """What is added to skinning [P] and, per mode, to expression [P, K, 3]."""
        skinning = at(self.skinning(), self.motion)[:, 0]
        return skinning, at(self.bend(), self.motion).reshape(len(skinning), -1, 3)

    def _silhouette(self, field: Tensor, rng: np.random.Generator) -> Tensor:
        """Cross-entropy of the matte and of how deep each ray goes into the surface."""
        import torch
        import torch.nn.functional as functional

        probes = self.rays[0][1].shape[1]
        total = field.new_zeros(())
        chosen = rng.choice(len(self.rays), min(3, len(self.rays)), replace=False)
        for k in chosen:
            places, base, forward, alpha = self.rays[k]
            pick = torch.as_tensor(rng.choice(len(alpha), min(400, len(alpha)), replace=False), device=field.device)
            places = places.reshape(-1, probes, 3)[pick]
            with torch.no_grad():
                depth = base[pick] + at(field, places.reshape(1, 1, 1, -1, 3)).reshape(-1, probes)
                missed = depth.amin(1, keepdim=True) > 0
                least = (depth + missed * forward[pick]).argmin(1)  # hair that is missing hangs behind the cheeks
            rows = torch.arange(len(pick), device=field.device)
            value = base[pick][rows, least] + at(field, places[rows, least][None, None, None])[:, 0]
            total = total + functional.binary_cross_entropy_with_logits(-value / 0.003, alpha[pick])
        return total / len(chosen)

    def result(self) -> ImplicitSurface:
        """The surface with what this round learned."""
        surface = self.surface
        distance = surface.distance + self.distance.baked(surface.grid)[0]
        skinning = surface.skinning + self.skinning.baked(surface.coarse)[0]
        bend = np.moveaxis(self.bend.baked(surface.coarse), 0, -1).reshape(surface.bend.shape)
        return replace(
            surface,
            distance=distance if self.shaded else _covered(distance, surface.start, surface.grid.step),
            skinning=skinning.clip(0, 1),
            bend=surface.bend + bend,
        )


def _covered(distance: np.ndarray, start: np.ndarray, step: float) -> np.ndarray:
    """The distance [X, Y, Z], without the head's own detail where hair came to lie over it."""
    from scipy.ndimage import gaussian_filter

    thick = gaussian_filter(np.clip((start - distance) / COVER - 1, 0, 1), 0.008 / step)
    return (distance + thick * (gaussian_filter(distance, 0.014 / step) - distance)).astype(np.float32)


def _bending(field: Tensor, step: float) -> Tensor:
    """Mean square of the second differences of [X, Y, Z], per metre."""
    total = field.new_zeros(())
    for axis in range(3):
        n = field.shape[axis]
        bend = field.narrow(axis, 2, n - 2) - 2 * field.narrow(axis, 1, n - 2) + field.narrow(axis, 0, n - 2)
        total = total + (bend / step).square().mean()
    return total
