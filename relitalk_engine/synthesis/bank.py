"""The clip's real mouths, brought to a driven frame: warped to its landmarks, freed of the light of the clip."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property

import cv2
import numpy as np

from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..media.images import linear_to_srgb, srgb_to_linear
from .bands import FINE, mix_bands
from .beside import Beside
from .boxes import window
from .guides import Guides, SourceLight, guides, head_normals, shading_map
from .motion import Motion
from .warp import CONTROL, LIPS_INNER, Spline, blurred, pull, window_map

Frames = Callable[[int], np.ndarray]
CELLS = 72
EDGE = 0.06
"""Over so much (outer-eye distances) a mouth fades in from the edge of its picture; beyond, it goes on blurred."""
ALIAS = 1.3
"""Samples further apart than this many pixels are averaged from finer ones."""
LOOSE, TORN = 2.0, 3.5
"""Stretched by the first factor, what is between the lips begins to give way to the dark behind it; by the second, it
has: a mouth opened wider than its frame had it uncovers what that frame does not show."""
OPENED = 8
"""That dark is read off so many of the clip's most open mouths,"""
DARKEST = 0.2
"""off this share of what they show,"""
UNSEEN = (0.12, 0.06, 0.05)
"""or it is this, where the clip's mouths are all closed."""


class Driven:
    """One driven frame, as bank and networks need it: its window, guides, shading and spline."""

    def __init__(
        self,
        head: HeadModel,
        fit: HeadFit,
        motion: Motion,
        frame: int,
        light: SourceLight,
        size: int,
        device: str = "cpu",
    ):
        """Frame `frame` of `motion`, posed by `fit`; `size` samples a side; `device` may cast the rays."""
        self.size = size
        self.view, self.unit = window(motion, frame), float(motion.unit[frame])
        vertices, normals = head_normals(head, fit, frame, motion.psi[frame])
        self.guides: Guides = guides(head, fit, vertices, normals, self.view, size, device)
        self.shading = shading_map(head, self.guides, light.on(normals)) if light.sh is not None else None
        self.spline = Spline(motion.select(np.array([frame])).knots[0], self.view, CELLS)
        self.hold = cv2.resize(self.guides.hold, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
        self.beside = Beside(motion, frame, window_map(self.view, CELLS))
        self.between_lips = cv2.resize(self.guides.planes[..., 5], (CELLS, CELLS), interpolation=cv2.INTER_AREA)

    def at(self, field: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """A smooth field of the window [n, n, C] at pixel positions [h, w, 2]."""
        x, y, side = self.view
        cells = (positions - np.array([x, y], np.float32)) * np.array([field.shape[0] / side], np.float32)
        return pull(field, cells, sharp=False)

    def normalise(self, rgb: np.ndarray, positions: np.ndarray, shading: np.ndarray | None) -> np.ndarray:
        """Encoded RGB as filmed to encoded, light-normalised RGB, given the shading over the window."""
        if shading is None:
            return rgb
        return linear_to_srgb(srgb_to_linear(np.clip(rgb, 0, 1)) / self.at(shading, positions))

    def light(self, rgb: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Encoded, light-normalised RGB to encoded RGB as filmed."""
        if self.shading is None:
            return rgb
        return linear_to_srgb(srgb_to_linear(np.maximum(rgb, 0)) * self.at(self.shading, positions))

    def grid(self) -> tuple[np.ndarray, int]:
        """Positions of the window's samples, finer by a whole factor where they lie wide apart, and that factor."""
        factor = 2 if self.view[2] / self.size > ALIAS else 1
        return window_map(self.view, self.size * factor), factor

    def crop(self, image: np.ndarray) -> np.ndarray:
        """The window of an image [H, W, 3 or 4] uint8, sampled without aliasing and freed of its light.

        Returns:
            [S, S, 3 or 4] float32, encoded.
        """
        positions, _ = self.grid()
        found = self.shrink(pull(image, positions).astype(np.float32) / 255)
        found[..., :3] = self.normalise(found[..., :3], window_map(self.view, self.size), self.shading)
        return found

    def shrink(self, fine: np.ndarray) -> np.ndarray:
        """From the positions of `grid` to the window's samples."""
        shrunk = cv2.resize(fine, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return shrunk.reshape(self.size, self.size, -1)


class Bank:
    """The frames of a clip as a source of mouths.

    Args:
        head: the head model.
        fit: the clip's fit.
        motion: `Motion.of` it.
        light: the clip's own light.
        rgb: frame number to [H, W, 3] uint8.
        alpha: frame number to [H, W] matte, float 0..1 or uint8; None: all is foreground.
        keep: how many frames to hold in memory.
    """

    def __init__(
        self,
        head: HeadModel,
        fit: HeadFit,
        motion: Motion,
        light: SourceLight,
        rgb: Frames,
        alpha: Frames | None,
        keep: int = 16,
    ):
        """Nothing is read yet."""
        self.head, self.fit, self.motion, self.light = head, fit, motion, light
        self._knots = motion.knots
        self._rgb, self._alpha, self._keep = rgb, alpha, keep
        self._held: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def frame(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """RGB and matte [H, W, 4] uint8 and vertex shading [V, 3] of a frame of the clip."""
        if index in self._held:
            self._held.move_to_end(index)
            return self._held[index]
        rgb = self._rgb(index)
        rgba = np.dstack([rgb, matte_uint8(self._alpha, index, rgb)])
        shading = np.ones(0, np.float32)
        if self.light.sh is not None:
            _, normals = head_normals(self.head, self.fit, index, self.fit.psi[index])
            shading = self.light.on(normals)
        self._held[index] = rgba, shading
        while len(self._held) > self._keep:
            self._held.popitem(last=False)
        return rgba, shading

    @cached_property
    def dark(self) -> np.ndarray:
        """[3] encoded RGB of the deep mouth, as the clip's most open mouths show it."""
        lips = self.motion.landmarks[:, [CONTROL.index(point) for point in LIPS_INNER]]
        upper, lower = (self.motion.landmarks[:, CONTROL.index(point), 1] for point in (13, 14))
        opening = np.where(self.fit.valid, (lower - upper) / self.motion.unit, -np.inf)
        found = []
        for index in (n for n in np.argsort(-opening)[:OPENED] if opening[n] > 0):
            rgb = self._rgb(int(index))
            inside = np.zeros(rgb.shape[:2], np.uint8)
            cv2.fillPoly(inside, [np.rint(lips[index]).astype(np.int32)], 1)
            seen = rgb[inside > 0].astype(np.float32) / 255
            if len(seen):
                found.append(seen[seen.mean(1) <= np.quantile(seen.mean(1), DARKEST)].mean(0))
        return np.median(found, 0).astype(np.float32) if found else np.array(UNSEEN, np.float32)

    def layers(
        self,
        driven: Driven,
        positions: np.ndarray,
        source: np.ndarray,
        weight: np.ndarray,
        flows: np.ndarray | None = None,
    ) -> np.ndarray:
        """The planned mouths of one driven frame.

        Args:
            driven: the frame.
            positions: [h, w, 2] pixels of the driven frame.
            source: [K, 2] frames of the clip (`retrieval.Plan`).
            weight: [K, 2] their shares.
            flows: [K, S, S, 2] of `align.rim_flow`, in samples of the window.

        Returns:
            [K, h, w, 5] float32: encoded light-normalised RGB, matte, 1 well inside the clip's picture and 0 outside.
        """
        found = np.zeros((len(source), *positions.shape[:2], 5), np.float32)
        for layer, (frames, shares) in enumerate(zip(source, weight, strict=True)):
            wanted = positions
            if flows is not None:
                wanted = positions + driven.at(flows[layer], positions) * np.float32(driven.view[2] / driven.size)
            shown = np.flatnonzero(shares > 0)
            mouths = [self._warped(driven, wanted, int(frames[n])) for n in shown]
            if len(mouths) > 1:
                fine = FINE * driven.unit / float(positions[0, 1, 0] - positions[0, 0, 0])
                mouths = [mix_bands(np.stack(mouths), np.broadcast_to(shares[shown], (*positions.shape[:2], 2)), fine)]
            found[layer] = mouths[0]
        return found

    def _warped(self, driven: Driven, positions: np.ndarray, index: int) -> np.ndarray:
        rgba, vertex_shading = self.frame(index)
        moved = driven.spline.displacement(self._knots[index], driven.hold)
        moved = driven.beside.moved(moved, driven.hold, self.motion, index, rgba[..., 3])
        places = positions + driven.at(moved, positions)
        pixels = pull(rgba, places).astype(np.float32) / 255
        torn = driven.between_lips * np.clip((_stretch(moved, driven.view[2] / CELLS) - LOOSE) / (TORN - LOOSE), 0, 1)
        if torn.any():
            pixels[..., :3] += driven.at(torn[..., None], positions) * (self.dark - pixels[..., :3])
        if self.light.sh is not None:
            shading = shading_map(self.head, driven.guides, vertex_shading)
            pixels[..., :3] = driven.normalise(pixels[..., :3], positions, shading)
        height, width = rgba.shape[:2]
        u, v = places[..., 0], places[..., 1]
        edge = np.minimum(np.minimum(u, width - u), np.minimum(v, height - v))
        reach = EDGE * float(self.motion.unit[index])
        inside = np.clip(edge / reach, 0, 1)[..., None]
        if inside.min() < 1:  # a repeated border would be streaks
            spread = blurred(pixels, reach / float(positions[0, 1, 0] - positions[0, 0, 0]))
            pixels = spread + inside * (pixels - spread)
        return np.dstack([pixels, inside])


def _stretch(moved: np.ndarray, cell: float) -> np.ndarray:
    """[n, n] how many times the area of what is read a driven cell covers, by displacements [n, n, 2] in pixels."""
    down, right = np.gradient(moved, cell, axis=(0, 1))
    area = (1 + right[..., 0]) * (1 + down[..., 1]) - right[..., 1] * down[..., 0]
    return 1 / np.maximum(area, 1 / TORN)


def matte_uint8(alpha: Frames | None, index: int, rgb: np.ndarray) -> np.ndarray:
    """[H, W] uint8 matte of a frame; opaque where there is none."""
    if alpha is None:
        return np.full(rgb.shape[:2], 255, np.uint8)
    matte = np.asarray(alpha(index))
    return matte if matte.dtype == np.uint8 else np.rint(np.clip(matte, 0, 1) * 255).astype(np.uint8)
