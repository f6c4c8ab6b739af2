"""Body regions per pixel, from the fitted mesh, the matte and the skin's own colour."""

from __future__ import annotations

import numpy as np

from ..geometry.raster import Hits, interpolate
from .head_model import HeadModel

REGIONS = ("skin", "lips", "eyes", "mouth", "brows", "ears", "neck", "hair", "cloth")


def region_maps(hits: Hits, head: HeadModel, alpha: np.ndarray, rgb: np.ndarray) -> dict[str, np.ndarray]:
    """Soft maps of the regions of one frame.

    Args:
        hits: what the pixels see of the fitted head, [H, W].
        head: its model.
        alpha: [H, W] matte.
        rgb: [H, W, 3] uint8, the frame.

    Returns:
        REGIONS to [H, W] float32 0..1; they add up to alpha or less. `skin` is face and neck skin that looks like this
        person's skin: hair, beard and glasses in front of it are left out.
    """
    import cv2

    names = ["skin", "lips", "eye_l", "eye_r", "mouth_interior", "brows", "ears", "neck", "scalp"]
    mesh = interpolate(hits, np.stack([head.regions[n] for n in names], -1), head.faces)
    seen = dict(zip(names, np.moveaxis(mesh, -1, 0), strict=True))
    maps = {
        "lips": seen["lips"],
        "eyes": np.maximum(seen["eye_l"], seen["eye_r"]),
        "mouth": seen["mouth_interior"],
        "brows": seen["brows"],
        "ears": seen["ears"],
    }
    special = np.maximum.reduce(list(maps.values()))
    bare = np.clip(seen["skin"] - special - seen["scalp"], 0, 1)
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 1.2), cv2.COLOR_RGB2LAB).astype(np.float32)
    sure = (bare * (1 - seen["neck"]) > 0.9) & hits.mask
    if sure.sum() > 50:
        middle = np.median(lab[sure], 0)
        spread = 1.4826 * np.median(np.abs(lab[sure] - middle), 0) + np.array([14, 4, 5])
        far = ((lab - middle) / spread) ** 2
        like = np.exp(-0.5 * np.clip(far.sum(-1) - 6, 0, None) / 3)
    else:
        like = np.ones(alpha.shape, np.float32)
    solid = hits.mask.astype(np.float32)
    skin = bare * like
    maps["neck"] = skin * seen["neck"]
    maps["skin"] = skin
    chin = np.argwhere(solid * (1 - seen["neck"]) > 0.5)
    low = chin[:, 0].max() if len(chin) else alpha.shape[0] // 2
    rows = np.arange(alpha.shape[0])[:, None]
    below = np.clip((rows - low) / (0.06 * alpha.shape[0]), 0, 1)
    rest = np.clip(alpha - np.maximum.reduce([skin, special]), 0, 1)
    maps["cloth"] = rest * below
    maps["hair"] = rest * (1 - below)
    return {name: np.clip(maps[name] * alpha, 0, 1).astype(np.float32) for name in REGIONS}
