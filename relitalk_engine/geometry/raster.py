"""Visibility: which triangle each pixel sees, by rays (embree) or, on a graphics card, by rasterising."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Hits:
    """What each pixel of an image sees.

    Attributes:
        triangle: [H, W] int32, index into the faces, -1 where nothing is hit.
        bary: [H, W, 3] float32, barycentric weights of the triangle's corners.
        depth: [H, W] float32, metres along -z; infinite where nothing is hit.
    """

    triangle: np.ndarray
    bary: np.ndarray
    depth: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """[H, W] bool, True where the mesh is seen."""
        return self.triangle >= 0


def _scene(vertices: np.ndarray, faces: np.ndarray):
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(vertices[faces], np.float32))
    return scene


def cast(
    vertices: np.ndarray,
    faces: np.ndarray,
    focal: float,
    center: tuple[float, float],
    size: tuple[int, int],
    window: tuple[int, int, int, int] | None = None,
    device: str = "cpu",
) -> Hits:
    """What every pixel centre sees first.

    Embree's rays, or pytorch3d's rasteriser where the device is CUDA and pytorch3d is installed: the same pixels but
    for edges.

    Args:
        vertices: [V, 3] camera frame (camera at the origin, looking along -z), metres.
        faces: [F, 3] triangles.
        focal: focal length in pixels.
        center: principal point (cx, cy) in pixels.
        size: (height, width) of the image.
        window: x, y, width, height of the part to cast; the whole image when absent.
        device: torch device that the work may use.

    Returns:
        Hits of the window's size.
    """
    from .rasteriser import installed, rasterise

    x0, y0, width, height = window or (0, 0, size[1], size[0])
    if device.startswith("cuda") and installed():
        return rasterise(vertices, faces, focal, (center[0] - x0, center[1] - y0), (height, width), device)
    u = (np.arange(width, dtype=np.float32) + x0 + 0.5 - center[0]) / focal
    v = (center[1] - (np.arange(height, dtype=np.float32) + y0 + 0.5)) / focal
    directions = np.empty((height, width, 3), np.float32)
    directions[..., 0], directions[..., 1], directions[..., 2] = u[None, :], v[:, None], -1.0
    rays = directions.reshape(-1, 3)
    found = _scene(vertices, faces).run(np.zeros_like(rays), rays, query="INTERSECT", output=True)
    triangle = found["primID"].astype(np.int32).reshape(height, width)
    b1, b2 = found["u"].reshape(height, width), found["v"].reshape(height, width)
    bary = np.stack([1 - b1 - b2, b1, b2], -1).astype(np.float32)
    hit = triangle >= 0
    bary[~hit] = 0
    depth = np.where(hit, found["tfar"].reshape(height, width), np.inf).astype(np.float32)
    return Hits(np.where(hit, triangle, -1), bary, depth)


def occluded(vertices: np.ndarray, faces: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """[N] bool: does the ray from each origin [N, 3] along its direction [N, 3] hit the mesh?"""
    found = _scene(vertices, faces).run(
        np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(directions, np.float32), query="INTERSECT"
    )
    return found >= 0


def interpolate(hits: Hits, attribute: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Attribute of the vertices at every pixel.

    Args:
        hits: what the pixels see, [H, W].
        attribute: [V, C] per vertex.
        faces: [F, 3].

    Returns:
        [H, W, C] float32, zero where nothing is hit.
    """
    corners = attribute[faces[np.maximum(hits.triangle, 0)]]
    return np.einsum("hwk,hwkc->hwc", hits.bary, corners).astype(np.float32)
