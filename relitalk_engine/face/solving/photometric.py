"""The pictures themselves: one albedo per vertex, one light, and the model's normals must give the pixels seen.

That the same skin has the same colour in every frame pins pose and expression to a fraction of a pixel; how light falls
off over it shapes the head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...geometry.raster import cast
from ...lighting import sh
from ...media.images import srgb_to_linear
from ..head_model import HeadModel
from .terms import soft
from .unknowns import PointModel, Unknowns, View, rotations

OFF_SKIN = ("lips", "eye_l", "eye_r", "eye_cavity", "mouth_interior", "brows", "ears", "neck", "scalp")
EYES_PX = 75.0
"""Distance of the outer eye corners in the pictures that are compared."""
COLOUR_SIGMA = 0.08
"""Expected error of a colour, over its value."""
FACING = 0.25
"""Least cosine between normal and view of a vertex that is compared."""
BEHIND = 0.004
"""A vertex this far (m) behind what its pixel sees is hidden."""
UNLIKE = 0.35
"""Log distance from the usual skin at which a vertex counts half: beards, brows and hair have shapes of their own."""
STEP, SPREAD = 0.02, 0.15
"""Usual log steps of albedo between neighbours, and about its mean."""


def choose_frames(u: Unknowns, usable: np.ndarray, actions: list[int], most: int) -> np.ndarray:
    """Frames whose poses and mouths differ most, in order of time.

    Args:
        u: the fit so far.
        usable: [T] bool.
        actions: actions that count as mouth.
        most: how many.
    """
    turn = rotations(u.turn).detach().cpu().numpy().reshape(-1, 9)
    what = np.concatenate([2 * turn, u.psi.detach().cpu().numpy()[:, actions]], 1)
    rows = np.flatnonzero(usable)
    chosen = [int(rows[np.linalg.norm(what[rows] - what[rows].mean(0), axis=1).argmin()])]
    apart = np.linalg.norm(what - what[chosen[0]], axis=1)
    while len(chosen) < min(most, len(rows)):
        chosen.append(int(rows[apart[rows].argmax()]))
        apart = np.minimum(apart, np.linalg.norm(what - what[chosen[-1]], axis=1))
    return np.sort(np.array(chosen))


class Pictures:
    """Some frames of the clip, compared with what the head would look like.

    Args:
        frames: index to [H, W, 3] uint8 RGB.
        which: the frames.
        head: the head model.
        fields: [V, J] personal fields.
        view: the camera.
        size: (height, width) of the frames.
        device: torch device.
    """

    def __init__(
        self,
        frames: Callable[[int], np.ndarray],
        which: np.ndarray,
        head: HeadModel,
        fields: np.ndarray,
        view: View,
        size: tuple[int, int],
        device: str,
    ) -> None:
        import torch

        self.head, self.fields, self.view, self.size = head, fields, view, size
        self.scale = min(1.0, EYES_PX / view.eyes_px)
        pictures = np.stack([_reduced(frames(int(i)), self.scale) for i in which])
        self.pictures = torch.tensor(pictures, device=device).permute(0, 3, 1, 2)
        off = np.maximum.reduce([head.regions[name] for name in OFF_SKIN if name in head.regions])
        skin = np.flatnonzero((head.regions["skin"] > 0.9) & (off < 0.05))
        number = np.full(len(head.template), -1)
        number[skin] = np.arange(len(skin))
        around = head.faces[(number[head.faces] >= 0).any(1)]
        known, corners = np.unique(around, return_inverse=True)
        within = number[head.faces[(number[head.faces] >= 0).all(1)]]
        edges = np.unique(np.sort(np.concatenate([within[:, [0, 1]], within[:, [1, 2]], within[:, [2, 0]]]), 1), axis=0)
        self.faces = torch.tensor(corners.reshape(-1, 3), device=device)
        self.skin = torch.tensor(np.searchsorted(known, skin), device=device)
        self.edges = torch.tensor(edges, device=device)
        self.model = PointModel(head, fields, lambda field: field[..., known, :], device)
        self.reach = torch.tensor([size[1], size[0]], dtype=torch.float32, device=device)
        self.albedo = torch.zeros(len(skin), 3, device=device)
        self.light = torch.zeros(9, 3, device=device)
        self.seen = torch.zeros(len(which), len(skin), device=device)
        self.level = torch.ones(3, device=device)
        self.like = torch.ones(len(skin), device=device)

    def _look(self, u: Unknowns) -> tuple[Any, Any, Any]:
        """Skin vertices in the camera frame, their unit normals, and the colours at their pixels; [T, N, 3] each."""
        import torch

        points = self.model.at(u)
        turn = rotations(u.turn).transpose(1, 2)
        corners = points[:, self.faces]
        areas = torch.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0], dim=-1)
        normals = torch.zeros_like(points)
        for k in range(3):
            normals = normals.index_add(1, self.faces[:, k], areas)
        normals = torch.nn.functional.normalize(normals[:, self.skin], dim=-1) @ turn
        points = points[:, self.skin] @ turn + u.move[:, None]
        grid = self.view.project(points, u.zoom) / self.reach * 2 - 1
        colours = torch.nn.functional.grid_sample(
            self.pictures, grid[:, :, None], align_corners=False, padding_mode="border"
        )
        return points, normals, colours[..., 0].permute(0, 2, 1)

    def refresh(self, u: Unknowns) -> None:
        """Which vertices are seen, by the fit so far; at the first time light and albedo are started too."""
        import torch

        with torch.no_grad():
            points, normals, colours = self._look(u)
            toward = -(normals * torch.nn.functional.normalize(points, dim=-1)).sum(-1)
            self.seen = self._unhidden(u, points) * (toward > FACING)
            if not self.light.any():
                self._start(normals, colours)
            self.seen = self.seen * self.like

    def _unhidden(self, u: Unknowns, points: Any) -> Any:
        import torch

        head, scale = self.head, self.scale
        beta, psi, move = (x.detach().cpu().numpy() for x in (u.beta, u.psi, u.move))
        turn = rotations(u.turn).detach().cpu().numpy()
        offset = self.fields @ u.soft.detach().cpu().numpy()
        focal = self.view.focal * float(u.zoom.exp()) * scale
        height, width = self.pictures.shape[2:]
        pixels = (self.view.project(points, u.zoom) * scale).long().cpu().numpy()
        columns, rows = pixels[..., 0].clip(0, width - 1), pixels[..., 1].clip(0, height - 1)
        center = self.view.center[0] * scale, self.view.center[1] * scale
        depth = -points[..., 2].cpu().numpy()
        seen = np.zeros(depth.shape, np.float32)
        for k in range(len(seen)):
            vertices = (head.vertices(beta, psi[k]) + offset) @ turn[k].T + move[k]
            hits = cast(vertices.astype(np.float32), head.faces, focal, center, (height, width))
            seen[k] = depth[k] < hits.depth[rows[k], columns[k]] + BEHIND
        return torch.tensor(seen, device=points.device)

    def _start(self, normals: Any, colours: Any) -> None:
        """Light by robust least squares on one colour of skin, then each vertex's own colour."""
        import torch

        self.level = colours[self.seen > 0].median(0).values.clamp_min(1e-3)
        basis = _shading_basis(normals)
        stiff = torch.diag(torch.tensor([0.0, 1, 1, 1, 3, 3, 3, 3, 3], device=normals.device)) * self.seen.sum() * 1e-3
        weight = self.seen
        for _ in range(8):
            weighted = basis * weight[..., None]
            light = torch.linalg.solve(
                torch.einsum("tni,tnj->ij", weighted, basis) + stiff,
                torch.einsum("tni,tnc->ic", weighted, colours / self.level),
            )
            off = (colours / self.level - basis @ light).abs().mean(-1)
            usual = 1.5 * off[self.seen > 0].median()
            weight = self.seen / (1 + (off / usual) ** 2)
        ratio = (colours / self.level / (basis @ light).clamp_min(0.05)).clamp(0.2, 3)
        mean = ((self.seen[..., None] * ratio).sum(0) + 3) / (self.seen.sum(0)[:, None] + 3)
        self.like = 1 / (1 + (mean.log().abs().mean(-1) / UNLIKE) ** 4)
        self.light, self.albedo = light.requires_grad_(), mean.log().requires_grad_()

    def cost(self, u: Unknowns) -> Any:
        """Mean cost of a frame, with what an albedo that jumps about costs."""
        _, normals, colours = self._look(u)
        shading = (_shading_basis(normals) @ self.light).clamp_min(0.02)
        painted = self.albedo.exp() * shading
        error = (colours / self.level - painted) / (COLOUR_SIGMA * (painted.detach() + 0.2))
        cost = 20 * (self.seen[..., None] * soft(error)).sum() / self.seen.sum().clamp_min(1)
        steps = self.albedo[self.edges[:, 0]] - self.albedo[self.edges[:, 1]]
        about = self.albedo - self.albedo.detach().mean(0)
        return cost + 40 * soft(steps / STEP).mean() + 5 * soft(about / SPREAD).mean()


def _shading_basis(normals: Any) -> Any:
    """[..., 9] what each coefficient of the radiance adds to the shading of a normal, irradiance over pi."""
    return sh.basis(normals) * normals.new_tensor(sh.COSINE_BANDS / np.pi)


def _reduced(rgb: np.ndarray, scale: float) -> np.ndarray:
    """[h, w, 3] linear light, a little blurred, at a scale."""
    import cv2

    linear = cv2.GaussianBlur(srgb_to_linear(rgb.astype(np.float32) / 255), (0, 0), 0.8 / scale)
    if scale == 1:
        return linear
    return cv2.resize(linear, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
