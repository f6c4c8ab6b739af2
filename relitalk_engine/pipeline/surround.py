"""The person beyond the crop, for --full-frame: cut out of the whole source frame, and lit as the crop's rim is."""

from __future__ import annotations

import numpy as np

from ..face.matte import Matter, foreground
from ..media.images import srgb_to_linear
from .base import Base, source_frame

SMALL = 48
"""Side of the crop where its gain is looked at."""
NEAR = (1.0, 3.0, 9.0, 27.0, 81.0)
"""Reaches over which the gain is carried on, in samples of that side."""
FAINT, MOST = 0.02, 8.0
"""Least share of person that tells of a gain; largest gain."""
BAND = 0.06
"""Width in which the crop goes over into its surroundings, as a share of its side."""


class Surround:
    """The whole source frames of one footage, cut out where the crop ends."""

    def __init__(self, base: Base) -> None:
        self._base, self._cache = base, dict[str, object]()
        self._matter = Matter()
        self._last: tuple[np.ndarray, ...] | None = None

    def extend(
        self, frame: int, rgb: np.ndarray, beauty: np.ndarray, alpha: np.ndarray, cut_out: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A crop's picture in the whole frame.

        Args:
            frame: of the base footage.
            rgb: [h, w, 3] uint8, the crop as under the clip's own light, its mouth painted.
            beauty: [h, w, 3] linear, the crop lit anew.
            alpha: [h, w, 1] its matte.
            cut_out: the old background is not kept, so it must not shine through soft edges.

        Returns:
            beauty [H, W, 3] linear, matte [H, W, 1] and the frame under the clip's own light [H, W, 3] linear.
        """
        if self._last is None or self._last[0] is not rgb:  # several lights ask for one picture
            self._last = (rgb, *self._cut_out(frame, rgb, alpha, cut_out))
        _, image, matte, colour = self._last
        return carry_on(beauty, alpha, image, colour, self._base.crop[:2]), matte, image

    def _cut_out(self, frame: int, rgb: np.ndarray, alpha: np.ndarray, cut_out: bool) -> tuple[np.ndarray, ...]:
        """The whole frame [H, W, 3] linear, its matte [H, W, 1] and its colour free of the old background."""
        x, y, width, height = self._base.crop
        window = np.s_[y : y + height, x : x + width]
        whole = source_frame(self._base, frame, self._cache).copy()
        whole[window] = rgb
        image = srgb_to_linear(whole.astype(np.float32) / 255).astype(np.float32)
        solid = np.zeros(whole.shape[:2], bool)
        solid[window] = alpha[..., 0] > 0.99
        matte = self._matter.alpha(whole, solid)
        matte[window] = alpha[..., 0]
        return image, matte[..., None], foreground(whole, matte) if cut_out else image


def carry_on(
    beauty: np.ndarray, alpha: np.ndarray, image: np.ndarray, colour: np.ndarray, corner: tuple[int, int]
) -> np.ndarray:
    """Light a whole frame as its crop was lit: by the crop's gain, smooth, carried on beyond its rim.

    Args:
        beauty: [h, w, 3] linear, the crop lit anew.
        alpha: [h, w, 1] its matte.
        image: [H, W, 3] linear, the whole frame under the clip's own light.
        colour: [H, W, 3] linear, likewise, free of the old background.
        corner: x, y of the crop in it.

    Returns:
        [H, W, 3] linear: `beauty` within the crop, `colour` times the gain without, one going over into the other along
        those sides of the crop that lie inside the frame.
    """
    import cv2

    (height, width), (x, y), whole = beauty.shape[:2], corner, (image.shape[0], image.shape[1])
    step = max(width, height) / SMALL
    size = max(1, round(whole[1] / step)), max(1, round(whole[0] / step))
    old = image[y : y + height, x : x + width]
    sums = np.zeros((*whole, 7), np.float32)
    sums[y : y + height, x : x + width] = np.concatenate([beauty * alpha, old * alpha, alpha], -1)
    sums = np.dstack([cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in np.split(sums, [3, 6], -1)])
    gain, known = np.ones((*sums.shape[:2], 3), np.float32), np.zeros(sums.shape[:2], bool)
    for sigma in NEAR:
        around = cv2.GaussianBlur(sums, (0, 0), sigma)
        new = (around[..., 6] > FAINT) & ~known
        gain[new] = np.clip((around[new][:, :3] + 1e-4) / (around[new][:, 3:6] + 1e-4), 0, MOST)
        known |= new
    gain = cv2.GaussianBlur(gain, (0, 0), 1.0)
    lit = colour * cv2.resize(gain, whole[::-1], interpolation=cv2.INTER_LINEAR)
    share = _share((height, width), corner, whole)
    within = lit[y : y + height, x : x + width]
    within += share * (beauty - within)
    return lit


def _share(size: tuple[int, int], corner: tuple[int, int], whole: tuple[int, int]) -> np.ndarray:
    """[h, w, 1] 1 inside the crop, falling to 0 at those of its sides that lie inside the frame."""
    (height, width), (x, y) = size, corner
    reach = BAND * max(size)
    down, across = np.arange(height) + 0.5, np.arange(width) + 0.5
    far = np.full(size, np.inf)
    for inside, distance in (
        (y > 0, down[:, None]),
        (y + height < whole[0], height - down[:, None]),
        (x > 0, across[None]),
        (x + width < whole[1], width - across[None]),
    ):
        if inside:
            far = np.minimum(far, distance)
    ramp = np.clip(far / reach, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)[..., None]
