"""Visibility by pytorch3d's rasteriser, where that is installed: the back end for graphics cards."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from .raster import Hits


def installed() -> bool:
    """Is pytorch3d here? It is on no package index: its users build it from source."""
    return find_spec("pytorch3d") is not None


def rasterise(
    vertices: np.ndarray,
    faces: np.ndarray,
    focal: float,
    center: tuple[float, float],
    size: tuple[int, int],
    device: str,
) -> Hits:
    """The nearest triangle under every pixel centre; `raster.cast` says the same by rays.

    Args:
        vertices: [V, 3] camera frame, metres, all before the camera.
        faces: [F, 3] triangles.
        focal: focal length in pixels.
        center: principal point (cx, cy) in pixels.
        size: (height, width) of the image.
        device: torch device.
    """
    import torch
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.structures import Meshes

    height, width = size
    depth = -vertices[:, 2]
    u = center[0] + focal * vertices[:, 0] / depth
    v = center[1] - focal * vertices[:, 1] / depth
    half = min(height, width) / 2  # the shorter side spans -1..1; x grows to the left, y up
    screen = np.stack([(width / 2 - u) / half, (height / 2 - v) / half, depth], -1)
    mesh = Meshes(
        torch.tensor(screen, dtype=torch.float32, device=device)[None], torch.tensor(faces, device=device)[None]
    )
    triangle, distance, bary, _ = rasterize_meshes(mesh, size, faces_per_pixel=1, perspective_correct=True)
    found = triangle[0, ..., 0].cpu().numpy().astype(np.int32)
    hit = found >= 0
    return Hits(
        found,
        np.where(hit[..., None], bary[0, :, :, 0].cpu().numpy(), 0).astype(np.float32),
        np.where(hit, distance[0, ..., 0].cpu().numpy(), np.inf).astype(np.float32),
    )
