"""The outline of cheeks and jaw: wherever the head's own silhouette runs, it must meet the tracked outline."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from ..head_model import HeadModel
from .unknowns import PointModel, Unknowns, View, placed

CHEEKS = [454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234]
"""mediapipe's outline from ear to ear over the chin."""
BAND = 0.12
"""Half the width of the strip in which the silhouette is looked for, in outer-eye distances."""
OFF_FACE = ("ears", "neck", "scalp", "eye_l", "eye_r", "eye_cavity", "mouth_interior")


def outline_vertices(head: HeadModel) -> np.ndarray:
    """[M] vertices that may form the silhouette of cheeks and jaw."""
    off = np.maximum.reduce([head.regions[name] for name in OFF_FACE if name in head.regions])
    lips = head.at_landmarks(head.template)[13]
    aside = np.abs(head.template[:, 0]) > 0.02
    below = head.template[:, 1] < lips[1] - 0.01
    return np.flatnonzero((off < 0.1) & (head.template[:, 1] < 0.02) & (aside | below))


class Outline:
    """The tracked outline of some frames, and the head's silhouette held against it.

    For each tracked point the silhouette is the head's outermost vertex, along the outline's normal, in a narrow strip:
    another vertex in every pose, looked for anew now and then.

    Args:
        head: the head model.
        fields: [V, J] personal fields.
        view: the camera.
        tracked: [T, 478, 2] landmarks, torch.
    """

    def __init__(self, head: HeadModel, fields: np.ndarray, view: View, tracked: Any) -> None:
        import torch

        vertices = outline_vertices(head)
        self._rim = PointModel(head, fields, lambda field: field[..., vertices, :], str(tracked.device))
        self._view, self._near = view, self._rim
        line = tracked[:, CHEEKS]
        self._points = line[:, 1:-1]
        self._along = torch.nn.functional.normalize(line[:, 2:] - line[:, :-2], dim=-1)
        outward = torch.stack([-self._along[..., 1], self._along[..., 0]], -1)
        inward = ((line.mean(1, keepdim=True) - self._points) * outward).sum(-1, keepdim=True) > 0
        self._outward = torch.where(inward, -outward, outward)
        self._which = torch.zeros(self._points.shape[:2], dtype=torch.long, device=tracked.device)
        self._found = self._which > 0

    def rows(self, frames: np.ndarray) -> Outline:
        """The same for some of the frames."""
        some = copy(self)
        for name in ("_points", "_along", "_outward", "_which", "_found"):
            setattr(some, name, getattr(self, name)[frames])
        return some

    def look(self, u: Unknowns) -> None:
        """Find the silhouette, by the fit so far."""
        import torch

        with torch.no_grad():
            pixels = self._view.project(placed(self._rim.at(u), u), u.zoom)
            for k in range(pixels.shape[0]):
                away = pixels[k] - self._points[k, :, None]
                beside = (away * self._along[k, :, None]).sum(-1).abs() > BAND * self._view.eyes_px
                height = (away * self._outward[k, :, None]).sum(-1).masked_fill(beside, -1e6)
                best, self._which[k] = height.max(-1)
                self._found[k] = best > -1e5
            chosen, self._which = torch.unique(self._which, return_inverse=True)
            self._near = self._rim.some(chosen)

    def error(self, u: Unknowns) -> Any:
        """[T, len(CHEEKS) - 2] how far the silhouette lies outside, in outer-eye distances; zero where none is near."""
        import torch

        pixels = self._view.project(placed(self._near.at(u), u), u.zoom)
        rows = torch.arange(len(pixels), device=pixels.device)[:, None]
        off = ((pixels[rows, self._which] - self._points) * self._outward).sum(-1) / self._view.eyes_px
        return off * self._found
