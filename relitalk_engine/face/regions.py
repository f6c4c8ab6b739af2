"""Body regions per pixel, from the fitted mesh, the matte and the colours of this person in this frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.raster import Hits, interpolate
from .head_model import HeadModel

REGIONS = (
    "skin", "lips", "eyes", "mouth", "teeth", "brows", "ears", "neck", "hair", "beard", "cloth", "hands", "other",
)  # fmt: skip
"""`skin` is the face's; `beard` is apart from `hair`, as it follows the face; `other` is before it: glasses."""
LARGEST = 448
"""Side at which colours are told apart; the maps are brought to the frame's size after that."""
ROUNDS = 3
CELLS = (20, 28, 28)
"""Cells of the colour histograms: lightness, and the two hues."""
SPREADS = ((2.0, 1.0, 1.0), (1.2, 0.9, 0.9), (1.2, 0.9, 0.9))
"""How far a colour speaks for its neighbours, in cells; skin is seen in more shades than the face shows."""
BROAD = 0.3
"""What the Gaussian through all colours of a kind counts beside their histogram."""
ANY = 5e-4
"""What a colour counts for a kind of which no colour is known yet."""
LEAST = (1e-6, 5e-6, 6e-5)
"""What a colour counts that was never seen; cloth, and what stands before a face, may be of any."""
SHADES = (8.0, 3.0, 4.0)
"""Lab distances that skin may lie from its usual colour, added to its own spread."""


@dataclass(frozen=True)
class _Zones:
    """Where the mesh lies, at the small size; [h, w] float32 0..1 unless said.

    Attributes:
        seen: name to map of the mesh's regions.
        solid: bool, the mesh is hit.
        width: of the face, pixels.
        rise: how far a pixel lies above the chin, in face widths; negative below.
        inner: distance into the bare face from its outline, in face widths; negative outside.
    """

    seen: dict[str, np.ndarray]
    solid: np.ndarray
    width: float
    rise: np.ndarray
    inner: np.ndarray

    @classmethod
    def of(cls, hits: Hits, head: HeadModel, size: tuple[int, int]) -> _Zones | None:
        """None: the face is not in the picture."""
        import cv2

        names = ("lips", "eye_l", "eye_r", "mouth_interior", "brows", "ears", "neck", "scalp")
        lines = [((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size[::-1], hits.mask.shape, strict=True)]
        some = np.ix_(*lines)
        hits = Hits(hits.triangle[some], hits.bary[some], hits.depth[some])
        mesh = interpolate(hits, np.stack([head.regions[n] for n in names], -1), head.faces)
        seen = dict(zip(names, np.moveaxis(mesh, -1, 0).copy(), strict=True))
        solid = hits.mask
        face = solid & (np.maximum(seen["neck"], np.maximum(seen["scalp"], seen["ears"])) < 0.5)
        rows, columns = np.nonzero(face)
        if len(rows) < 30:
            return None
        width = float(np.percentile(columns, 99) - np.percentile(columns, 1)) + 1
        rise = (rows.max() - np.arange(size[1], dtype=np.float32))[:, None] / width + np.zeros(size[::-1], np.float32)
        bare = face.astype(np.uint8)
        inner = cv2.distanceTransform(bare, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - bare, cv2.DIST_L2, 5)
        return cls(seen, solid, width, rise, inner / width)


def region_maps(hits: Hits, head: HeadModel, alpha: np.ndarray, rgb: np.ndarray) -> dict[str, np.ndarray]:
    """Soft maps of the regions of one frame.

    Skin, hair and cloth are told apart by this frame's own colours, learnt in a few rounds from where the mesh expects
    each; lips, eyes, mouth and brows lie where the mesh has them.

    Args:
        hits: what the pixels see of the fitted head, [H, W].
        head: its model.
        alpha: [H, W] matte.
        rgb: [H, W, 3] uint8, the frame.

    Returns:
        REGIONS to [H, W] float32 0..1, which add up to alpha, and `background`, the rest of 1.
    """
    import cv2

    height, width = alpha.shape
    scale = min(1.0, LARGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    front = cv2.resize(alpha.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    zones = _Zones.of(hits, head, size)
    if zones is None:
        found = {name: np.full(front.shape, float(name == "cloth"), np.float32) for name in REGIONS}
    else:
        lab = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 0.8).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        found = _named(zones, lab, _kinds(zones, lab, front), front)
    whole = {name: cv2.resize(values, (width, height)) for name, values in found.items()}
    total = np.maximum(sum(whole.values()), 1e-6)
    maps = {name: np.clip(values / total * alpha, 0, 1).astype(np.float32) for name, values in whole.items()}
    return maps | {"background": (1 - alpha).astype(np.float32)}


def _expected(zones: _Zones) -> np.ndarray:
    """[3, h, w] how likely skin, hair and cloth are before any colour is seen."""
    seen, rise, inner = zones.seen, zones.rise, zones.inner

    def ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
        return np.clip((values - low) / (high - low), 0, 1)

    below = ramp(-rise, 0.0, 0.35)
    skin = 0.01 + 0.9 * ramp(inner, -0.25, 0.12) ** 2 + 0.15 * below
    skin = np.maximum(skin, 0.7 * seen["neck"])
    skin = np.maximum(skin, 0.6 * seen["ears"])
    skin = np.maximum(skin, 0.6 * ramp(inner, -0.8, -0.2) * ramp(rise, 0.15, -0.05))
    cloth = below * (1 - 0.85 * seen["neck"])
    lower = ramp(0.55 - rise, 0, 0.15) * ramp(inner, -0.1, 0.0)  # where a beard grows
    hair = np.clip(1 - ramp(inner, -0.15, 0.1) ** 0.5, 0.03, 1) * (1 - 0.88 * below) * (1 - 0.7 * seen["neck"])
    hair = np.maximum(hair, 0.25 * lower)
    hair = np.maximum(hair, 0.5 * seen["scalp"])
    prior = np.stack([skin, hair, cloth]) + np.array([0.005, 0.005, 0.02], np.float32)[:, None, None]
    return prior / prior.sum(0)


def _kinds(zones: _Zones, lab: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """[3, h, w] how far a pixel is skin, hair or cloth, of whatever is not background."""
    import cv2
    from scipy.ndimage import gaussian_filter

    prior = _expected(zones)
    special = np.maximum.reduce([zones.seen[n] for n in ("lips", "eye_l", "eye_r", "mouth_interior", "brows")])
    trusted = np.where(alpha > 0.95, 1 - special, 0)
    limits = ((0.0, 100.0), (-20.0, 50.0), (-30.0, 60.0))
    cell = [
        np.clip((lab[..., k] - low) * (count / (high - low)), 0, count - 1).astype(np.int32)
        for k, ((low, high), count) in enumerate(zip(limits, CELLS, strict=True))
    ]
    index = (cell[0] * CELLS[1] + cell[1]) * CELLS[2] + cell[2]
    usual = _usual(lab, trusted * (zones.inner > 0.05) * (zones.rise > 0.55))
    # A first guess takes only what lies well inside its zone.
    belief = prior**3 / (prior**3).sum(0)
    belief[0] *= np.clip((zones.rise - 0.45) / 0.1, 0.1, 1)  # a beard is no skin
    for turn in range(ROUNDS):
        likely = []
        for kind, spread, least in zip(belief, SPREADS, LEAST, strict=True):
            weight = (kind * trusted).ravel()
            counts = np.bincount(index.ravel(), weight, np.prod(CELLS)).reshape(CELLS)
            density = gaussian_filter(counts, spread) / max(counts.sum(), 30.0) + BROAD * _gaussian(counts, spread)
            likely.append((density + least).astype(np.float32).ravel()[index])
        likely[0] = np.maximum(likely[0] * usual, LEAST[0])
        if turn == 0:
            likely[2][:] = ANY  # where cloth should be there may be a bare neck: its colours are learnt last
        belief = prior * np.stack(likely)
        belief = np.stack([cv2.GaussianBlur(np.log(b + 1e-9), (0, 0), 1.0) for b in belief])
        belief = np.exp(belief - belief.max(0))
        belief /= belief.sum(0)
    # The edge's own colours are the background's too: it is what lies within.
    whole = (alpha > 0.97).astype(np.float32)
    within = np.stack([cv2.GaussianBlur(b * whole, (0, 0), 2.5) for b in belief]) + 1e-6 * belief
    edge = np.clip((0.97 - alpha) / 0.1, 0, 1)
    return (belief + edge * (within / within.sum(0) - belief)).astype(np.float32)


def _usual(lab: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """[h, w] 0..1: not too far from what most pixels look like that are surely skin."""
    sure = skin > 0.5
    if sure.sum() < 30:
        return np.ones(skin.shape, np.float32)
    middle = np.median(lab[sure], 0)
    spread = 1.4826 * np.median(np.abs(lab[sure] - middle), 0) + np.array(SHADES)
    far = np.square((lab - middle) / spread).sum(-1)
    return np.exp(-0.17 * np.clip(far - 9, 0, None)).astype(np.float32)


def _gaussian(counts: np.ndarray, slack: tuple[float, float, float]) -> np.ndarray:
    """The Gaussian through a histogram, widened by its slack in cells; of the same shape."""
    place = np.indices(counts.shape).reshape(3, -1).astype(float)
    weight = counts.ravel() / max(counts.sum(), 1e-6)
    away = place - (place * weight).sum(1, keepdims=True)
    spread = 3 * (away * weight) @ away.T + np.diag(2 * np.square(slack))
    far = (away * (np.linalg.inv(spread) @ away)).sum(0)
    return (np.exp(-0.5 * far) / np.sqrt((2 * np.pi) ** 3 * np.linalg.det(spread))).reshape(counts.shape)


def _named(zones: _Zones, lab: np.ndarray, kinds: np.ndarray, alpha: np.ndarray) -> dict[str, np.ndarray]:
    """REGIONS to [h, w] shares of the foreground."""
    import cv2

    seen, rise, inner = zones.seen, zones.rise, zones.inner
    skin, hair, cloth = kinds
    found = dict.fromkeys(REGIONS, np.zeros_like(alpha))
    near = max(1, round(0.03 * zones.width))
    around = cv2.dilate(seen["brows"], np.ones((2 * near + 1, 2 * near + 1)))
    usual = cv2.GaussianBlur(lab[..., 0], (0, 0), 0.1 * zones.width)
    found["brows"] = around * np.clip((usual - lab[..., 0] - 2) / 8, 0, 1)
    found["eyes"] = np.maximum(seen["eye_l"], seen["eye_r"])
    teeth = _teeth(zones, lab)
    found["teeth"] = teeth
    found["mouth"] = seen["mouth_interior"] * (1 - teeth)
    found["lips"] = seen["lips"] * (1 - teeth)
    left = np.clip(1 - sum(found.values()), 0, 1)
    # What is skin by its colour is named by the mesh that lies nearest.
    soft = max(1.0, 0.012 * zones.width)
    ear = cv2.GaussianBlur(cv2.dilate(seen["ears"], np.ones((2 * near + 1, 2 * near + 1))), (0, 0), soft)
    ear = np.where(inner > 0, np.minimum(ear, seen["ears"]), ear)
    under = np.clip((-inner - 0.02) / 0.04, 0, 1) * np.clip((0.3 - rise) / 0.15, 0, 1)
    under = np.maximum(under * (1 - ear), seen["neck"])
    apart = _apart(skin * alpha, zones)
    found["hands"] = left * skin * apart
    found["neck"] = left * skin * (1 - apart) * under
    found["ears"] = left * skin * (1 - apart) * (1 - under) * ear
    found["skin"] = left * skin * (1 - apart) * (1 - under) * (1 - ear)
    # Dark on the face: below the nose a beard, hair's colour above it a fringe, anything else stands before it.
    lower = np.clip((0.62 - rise) / 0.1, 0, 1) * np.clip((inner + 0.04) / 0.04, 0, 1)
    found["beard"] = left * hair * lower
    found["hair"] = left * hair * (1 - lower)
    onto = np.clip(inner / 0.05, 0, 1)
    found["other"] = left * cloth * onto
    found["cloth"] = left * cloth * (1 - onto)
    return {name: values.astype(np.float32) for name, values in found.items()}


def _teeth(zones: _Zones, lab: np.ndarray) -> np.ndarray:
    """[h, w] teeth: inside the mouth, paler than skin and not much darker."""
    import cv2

    sure = (zones.inner > 0.1) & (zones.seen["lips"] < 0.05) & (zones.seen["mouth_interior"] < 0.05)
    if not sure.any():
        return np.zeros(lab.shape[:2], np.float32)
    light = np.median(lab[sure][:, 0])
    chroma = np.median(np.hypot(lab[sure][:, 1], lab[sure][:, 2]))
    pale = np.clip(1.3 - np.hypot(lab[..., 1], lab[..., 2]) / max(chroma, 4.0), 0, 0.5) * 2
    bright = np.clip((lab[..., 0] / max(light, 5.0) - 0.45) / 0.2, 0, 1)
    inside = cv2.dilate(zones.seen["mouth_interior"], np.ones((3, 3)))
    return (inside * pale * bright).astype(np.float32)


def _apart(skin: np.ndarray, zones: _Zones) -> np.ndarray:
    """[h, w] 0..1: skin that does not hang together with head and neck."""
    import cv2

    _, labels, sizes, _ = cv2.connectedComponentsWithStats((skin > 0.4).astype(np.uint8))
    joined = np.unique(labels[(zones.inner > -0.12) | (zones.seen["neck"] > 0.5)])
    small = np.flatnonzero(sizes[:, cv2.CC_STAT_AREA] < (0.12 * zones.width) ** 2)
    loose = np.isin(labels, np.concatenate([[0], joined, small]), invert=True) & (zones.rise < -0.2)
    return cv2.GaussianBlur(cv2.dilate(loose.astype(np.float32), np.ones((3, 3))), (0, 0), 1)
