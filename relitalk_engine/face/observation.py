"""Everything that is read off one frame with the help of the fitted head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.raster import Hits, cast, interpolate
from ..geometry.surface import normal_map, vertex_normals
from .backdrop import Backdrop
from .fitting import HeadFit
from .head_model import HeadModel
from .matte import Matter
from .regions import region_maps
from .surface.implicit import MovedSurface
from .surface.normals import surface_normals


@dataclass(frozen=True)
class Observation:
    """One frame of the crop, seen through the fitted head.

    Attributes:
        hits: what the pixels see of the mesh, [H, W].
        normal: [H, W, 3] N̂, unit, camera frame.
        alpha: [H, W] matte.
        regions: name to [H, W] soft maps.
    """

    hits: Hits
    normal: np.ndarray
    alpha: np.ndarray
    regions: dict[str, np.ndarray]


class Observer:
    """Observes the frames of one fitted clip; holds mediapipe's segmenter, nothing else."""

    def __init__(
        self,
        head: HeadModel,
        fit: HeadFit,
        backdrop: Backdrop | None = None,
        device: str = "cpu",
        surface: MovedSurface | None = None,
    ) -> None:
        self.head, self.fit, self.device, self.surface = head, fit, device, surface
        self._matter = Matter(backdrop)
        self._solid = (1 - np.maximum(head.regions["neck"], head.regions["ears"]))[:, None]
        self._trust = 1 - 0.75 * head.regions["scalp"]

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *_: object) -> None:
        self._matter.close()

    def hits(self, frame: int, psi: np.ndarray | None = None) -> tuple[Hits, np.ndarray]:
        """What the pixels see and the [V, 3] vertices in the camera frame, with another expression if given."""
        vertices = self.fit.vertices(self.head, frame, psi)
        fit = self.fit
        return cast(vertices, self.head.faces, fit.focal, fit.center, fit.size, device=self.device), vertices

    def _normals(self, vertices: np.ndarray, frame: int) -> np.ndarray:
        """Vertex normals; the mouth's inside, whose teeth the model lacks, faces as the head does."""
        normals = vertex_normals(vertices, self.head.faces)
        inside = self.head.regions["mouth_interior"][:, None]
        forward = self.fit.rotation[frame][:, 2]
        return ((1 - inside) * normals + inside * forward).astype(np.float32)

    def observe(
        self, frame: int, rgb: np.ndarray, psi: np.ndarray | None = None, alpha: np.ndarray | None = None
    ) -> Observation:
        """Observe one frame.

        Args:
            frame: its index in the fit.
            rgb: [H, W, 3] uint8, the crop's pixels.
            psi: [E] another expression than the fitted one.
            alpha: [H, W] the matte where it is known already.
        """
        hits, vertices = self.hits(frame, psi)
        if alpha is None:
            alpha = self._matter.alpha(rgb, interpolate(hits, self._solid, self.head.faces)[..., 0] > 0.99)
        regions = region_maps(hits, self.head, alpha, rgb)
        normal = self._normal(hits, self._normals(vertices, frame), frame, psi, alpha, regions)
        return Observation(hits, normal, alpha, regions)

    def _normal(
        self,
        hits: Hits,
        normals: np.ndarray,
        frame: int,
        psi: np.ndarray | None,
        alpha: np.ndarray,
        regions: dict[str, np.ndarray],
    ) -> np.ndarray:
        """N̂ [H, W, 3]: from the implicit surface where there is one, else from mesh and silhouette."""
        if self.surface is None:
            return normal_map(hits, normals, self._trust, self.head.faces, alpha)
        actions = self.fit.psi[frame] if psi is None else psi
        loose = regions["hair"], regions["cloth"]
        return surface_normals(self.surface, self.fit, frame, actions, hits, normals, alpha, *loose)
