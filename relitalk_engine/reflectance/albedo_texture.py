"""One albedo texture in the head's UV, solved over all poses of a clip; frames follow it in their low frequencies.

A frame's own albedo is the image over its shading, and what the shading misses moves over the face as the head does.
What stays at its place on the face, whatever the pose, is paint. Eyes, the mouth's inside and hair have no such place,
and lips and brows lie a little beside theirs: these keep what their frame says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from ..errors import ReliTalkError
from ..face.head_model import HeadModel
from ..geometry.raster import Hits
from .texels import Texels, corner_uv, filled, look_up, place_in_texture

SIZE = 512
STAYS = ("skin", "lips", "brows", "beard")
"""Regions of a frame that keep their place on the head's mesh."""
MOVES = ("eye_l", "eye_r", "eye_cavity", "mouth_interior", "scalp", "ears", "neck")
"""Regions of the mesh that show something else from frame to frame, or do not lie where they are seen."""
ROUNDS = 10
SOFT = 0.15
"""Logarithm by which a frame may lie off before it counts for less."""
SURE = 0.4
"""Frames, facing the camera and well lit, at which a texel is half believed."""
GRAIN = SIZE / 400
"""Width in texels of what counts as around one."""
BROAD = SIZE / 128
"""Width in texels of what the two halves of a face share."""
ALIKE = 0.15
"""Logarithm by which the halves may differ before that is a mark on one of them."""
WIDTH = 0.008
"""Of the smoothing of what a frame takes from the texture, as a share of the image's."""
LEAST = 40
"""Pixels of a face, at the networks' size, from which its exposure is told."""
WHOLE = 0.1
"""Logarithm of a frame's mean distance from which on its exposure differs, so that all of it is corrected."""
OFF, HUE = 0.7, 0.2
"""Logarithms of level and of colour by which a frame lies so far from the texture that it shows something else there:
light that was missed is less, and has less of a colour."""
CONTRAST = 0.1
"""Deviation of the logarithm around a texel at which it is half believed: there a pixel beside the right one tells."""


@dataclass(frozen=True)
class Look:
    """One frame's decomposition at the networks' size, [S, S, C] float32, linear."""

    image: np.ndarray
    albedo: np.ndarray
    shading: np.ndarray
    shine: np.ndarray
    alpha: np.ndarray
    """[S, S]."""
    stays: np.ndarray
    """[S, S] 0..1, what keeps its place on the head (`STAYS`)."""

    def trust(self) -> np.ndarray:
        """[S, S] how much a pixel says of the paint: not where it is clipped, dark, shiny or at an edge."""
        solid = cv2.erode(self.alpha, np.ones((3, 3)))
        lit = self.shading.mean(-1)
        usual = float((lit * self.stays).sum() / max(self.stays.sum(), 1.0))
        trust = np.clip((self.stays - 0.6) / 0.4, 0, 1) * np.clip((solid - 0.8) / 0.2, 0, 1)
        trust *= np.clip((0.98 - self.image.max(-1)) / 0.08, 0, 1) * np.clip(lit / max(usual, 1e-4), 0, 1.2)
        return trust * np.clip(1 - 2 * self.shine.mean(-1) / np.maximum(self.image.mean(-1), 1e-3), 0.1, 1)


@dataclass(frozen=True)
class AlbedoTexture:
    """The albedo of the head's surface."""

    paint: np.ndarray
    """[SIZE, SIZE, 3] logarithm of the linear albedo; where nothing was seen its surroundings go on."""
    sure: np.ndarray
    """[SIZE, SIZE] 0..1: how far frames follow it."""
    uv: np.ndarray
    """[F, 3, 2] of the corners of the head's triangles."""

    def tensors(self) -> dict[str, np.ndarray]:
        """For `weights.safetensors`."""
        return {"paint": self.paint.astype(np.float16), "sure": np.round(self.sure * 255).astype(np.uint8)}

    @classmethod
    def from_tensors(cls, values: dict[str, np.ndarray], head: HeadModel) -> AlbedoTexture:
        """The inverse of `tensors`.

        Raises:
            ReliTalkError: the tensors are not a whole texture.
        """
        shapes = {name: value.shape for name, value in values.items()}
        if shapes != {"paint": (SIZE, SIZE, 3), "sure": (SIZE, SIZE)}:
            raise ReliTalkError("bad_weights", "The subject's albedo texture is not whole.", "Train the subject again.")
        return cls(values["paint"].astype(np.float32), values["sure"] / np.float32(255), corner_uv(head))

    def at(self, hits: Hits, size: int) -> np.ndarray:
        """The texture as a frame sees it at the networks' size.

        Args:
            hits: what the frame's pixels see of the head.
            size: rows and columns wanted.

        Returns:
            [size, size, 4] float32: logarithm of the albedo, and how far to follow it.
        """
        rows, columns = (((np.arange(size) + 0.5) * n / size).astype(int) for n in hits.triangle.shape)
        some = np.ix_(rows, columns)
        hits = Hits(hits.triangle[some], hits.bary[some], hits.depth[some])
        at = place_in_texture(hits, self.uv) * SIZE - np.float32(0.5)
        maps = np.dstack([self.paint, self.sure])
        seen = cv2.remap(maps, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        seen[..., 3] *= hits.mask
        return seen


def follow(look: Look, texture: np.ndarray) -> np.ndarray:
    """What a frame's albedo lacks to have the texture's low frequencies.

    Args:
        look: the frame as it was decomposed.
        texture: [S, S, 4] of `AlbedoTexture.at`.

    Returns:
        [S, S, 3] logarithm of a smooth gain; at the head's border, and where something is before it, it fades to what
        the frame's exposure differs by, which is 0 where that is hardly anything.
    """
    weight = texture[..., 3] * np.clip((look.stays - 0.3) / 0.6, 0, 1) * np.clip((look.alpha - 0.7) / 0.3, 0, 1)
    miss = texture[..., :3] - np.log(np.maximum(look.albedo, 1e-4))
    sure = weight > 0.5
    whole = np.median(miss[sure], 0) if sure.sum() >= LEAST else np.zeros(3, np.float32)
    whole = whole**3 / (whole**2 + WHOLE**2)
    miss = miss - whole
    level = miss.mean(-1)
    hue = np.abs(miss - level[..., None]).max(-1)
    weight = weight / ((1 + (level / OFF) ** 4) * (1 + (hue / HUE) ** 4))
    sigma = WIDTH * len(weight)
    taken = cv2.GaussianBlur(miss * weight[..., None], (0, 0), sigma)
    return whole + taken / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 0.3)[..., None]


@dataclass
class Samples:
    """What the frames of a clip say of each texel; N texels, grows by a frame at a time."""

    head: HeadModel
    texels: Texels
    paint: list[np.ndarray] = field(default_factory=list)
    """[N, 3] float16 each, logarithm of the albedo."""
    weight: list[np.ndarray] = field(default_factory=list)
    """[N] float16 each."""

    @classmethod
    def of(cls, head: HeadModel) -> Samples:
        """None yet."""
        return cls(head, Texels.of(head, SIZE))

    def add(self, look: Look, hits: Hits, vertices: np.ndarray, project: Callable[[np.ndarray], np.ndarray]) -> None:
        """Read a frame.

        Args:
            look: its decomposition.
            hits: what its pixels see.
            vertices: [V, 3] of the head, camera frame.
            project: camera frame [N, 3] to pixels [N, 2].
        """
        view = self.texels.view(vertices, hits, project)
        maps = np.dstack([np.log(np.maximum(look.albedo, 1e-3)), look.trust()]).astype(np.float32)
        seen = look_up(maps, view.pixels * np.float32(len(look.alpha) / hits.depth.shape[0]))
        weight = seen[:, 3] * np.clip((view.facing - 0.2) / 0.8, 0, 1) ** 1.5
        self.paint.append(seen[:, :3].astype(np.float16))
        self.weight.append(weight.astype(np.float16))

    def solve(self) -> AlbedoTexture | None:
        """The texture that most frames agree on; None where hardly any of the face was seen."""
        moves = np.maximum.reduce([self.head.regions[name] for name in MOVES])
        stays = 1 - np.clip(2 * self.texels.read(moves[:, None])[:, 0], 0, 1)
        said, weight = np.stack(self.paint), np.stack(self.weight) * stays
        seen = weight.sum(0) > 1e-3
        if seen.sum() < 100:
            return None
        paint, known = np.zeros((len(seen), 3), np.float32), np.zeros(len(seen), np.float32)
        paint[seen], known[seen] = _agreed(said[:, seen].astype(np.float32), weight[:, seen].astype(np.float32))
        paint, known = self._halves(paint, known)
        whole = filled(self.texels.picture(np.column_stack([paint * known[:, None], known])))
        uneven = cv2.GaussianBlur(whole**2, (0, 0), GRAIN) - cv2.GaussianBlur(whole, (0, 0), GRAIN) ** 2
        uneven = uneven.clip(0).mean(-1) / CONTRAST**2
        sure = self.texels.picture((known / (known + SURE))[:, None])
        sure = cv2.GaussianBlur(sure, (0, 0), GRAIN) / (1 + uneven)
        return AlbedoTexture(whole.astype(np.float32), sure, corner_uv(self.head))

    def _halves(self, paint: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Broadly the halves of a face are alike: each leans on the other, as far as that is known better."""
        other, there = self.texels.mirror(self.head.template)
        wide = cv2.GaussianBlur(self.texels.picture(np.column_stack([paint * known[:, None], known])), (0, 0), BROAD)
        wide = wide.reshape(-1, 4)[self.texels.places]
        here, much = wide[:, :3] / np.maximum(wide[:, 3:], 1e-6), wide[:, 3]
        beyond, more = here[other], much[other] * there
        differ = np.abs(beyond - here).max(1)
        share = more / np.maximum(more + much, 1e-6) / (1 + (differ / ALIKE) ** 4)
        unseen = np.clip(1 - known / (0.1 * known[other] * there + 1e-6), 0, 1)[:, None]
        leaning = paint + share[:, None] * (beyond - here)
        return leaning + unseen * (paint[other] - leaning), np.maximum(known, 0.5 * known[other] * there)


def _agreed(said: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Robust mean over frames, beside one gain for each frame: a camera may change its exposure.

    Args:
        said: [T, N, 3].
        weight: [T, N].

    Returns:
        [N, 3], and [N] the weight of what agrees with it.
    """
    paint = _medians(said, weight)
    gain = np.zeros((len(said), 1, 3), np.float32)
    for _ in range(ROUNDS):
        miss = said - paint - gain
        belief = weight / (1 + (miss.mean(-1) / SOFT) ** 2)
        total = belief.sum(0)
        paint = paint + np.einsum("tn,tnc->nc", belief, miss) / np.maximum(total, 1e-6)[:, None]
        miss = said - paint - gain
        much = belief.sum(1)
        gain += (np.einsum("tn,tnc->tc", belief, miss) / (much + 0.01 * much.mean())[:, None])[:, None]
        gain -= gain.mean(0)
    return paint, total


def _medians(said: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted median over frames, [N, 3]."""
    found = np.empty(said.shape[1:], np.float32)
    for channel in range(3):
        values = said[..., channel]
        order = np.argsort(values, axis=0)
        grown = np.cumsum(np.take_along_axis(weight, order, 0), 0)
        middle = (grown >= 0.5 * grown[-1]).argmax(0)[None]
        found[:, channel] = np.take_along_axis(values, np.take_along_axis(order, middle, 0), 0)[0]
    return found
