"""What retrieval, warp and boxes know of the head: its landmarks, lips and pose in every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..face.trunk import Trunk
from .outline import Outline
from .warp import CONTROL, LIPS

_EYES = (33, 263)
_MOUTH = (13, 14)
_UPPER_INNER, _LOWER_INNER = (81, 13, 311), (178, 14, 402)
"""Inner lips, above and below the front teeth."""
_CHIN = 152
_NECK_DEPTH = -0.08
"""Where the neck's axis is at the chin's height, metres behind the eyes."""
_TEETH = 0.05
"""The upper teeth are in sight down to so far (outer-eye distances) below the resting upper lip."""
_ABOVE_LIP = 0.8
"""What is behind the lips begins to move with the lower one at this share of the gap, or where the teeth end."""
_JAW_LINES = (
    (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127),
    (152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)  # fmt: skip
"""Mediapipe's points from the chin up to the ears, on the head's right and left:"""
_BEHIND_JAW = 0.025
"""what is further behind them is neck, metres. Seen from the front, the outline lies a little behind them."""
_BANDS = 8
"""Heights at which the outline's two sides are looked for."""
_SOFT = 0.02
"""Outline points are means over what lies within about this (outer-eye distances) of the outermost: they glide."""
_CHUNK = 256
"""Frames whose vertices are held at once."""


@dataclass(frozen=True)
class Motion:
    """The head over T frames, as its fitted model has it (never as a mouth was tracked).

    Attributes:
        landmarks: [T, L, 2] in pixels: the landmarks `warp.CONTROL`.
        teeth: [T, 3, 2] in pixels: edge of the upper teeth, which the skull holds still while the jaw opens.
        outline: [T, P, 2] in pixels: points of the outline of cheeks and jaw as it is seen.
        outwards: [T, 2 x bands, 2] the way out of the face at each of these.
        lips: [T, L, 3] the landmarks `warp.LIPS` in the head frame, in outer-eye distances.
        rotation: [T, 3, 3] head to camera.
        neck: [T, 2] in pixels: a place of the neck that stays with the trunk, not with the head.
        centre: [T, 2] the resting mouth's middle in pixels: it moves with the head, not with the mouth.
        unit: [T] pixels per outer-eye distance at the mouth's depth.
        psi: [T, E] the actions that it was computed from.
    """

    landmarks: np.ndarray
    teeth: np.ndarray
    outline: np.ndarray
    outwards: np.ndarray
    lips: np.ndarray
    rotation: np.ndarray
    neck: np.ndarray
    centre: np.ndarray
    unit: np.ndarray
    psi: np.ndarray

    def __len__(self) -> int:
        return len(self.unit)

    @classmethod
    def of(
        cls, head: HeadModel, fit: HeadFit, psi: np.ndarray | None = None, outline: Outline | None = None
    ) -> Motion:
        """Pose of `fit`, actions `psi` [T, E] (the fit's own if absent), the person's own `outline` if it is known."""
        psi = fit.psi if psi is None else psi
        chosen = list(CONTROL)
        rest = head.at_landmarks(_rest(head, fit))
        eyes = float(np.linalg.norm(rest[_EYES[0]] - rest[_EYES[1]]))
        middle = rest[list(_MOUTH)].mean(0)
        basis = head.at_landmarks(head.expression_basis)
        points = (rest + np.tensordot(psi, basis, 1)).astype(np.float32)  # [T, 478, 3]
        turn = fit.rotation.astype(np.float32)

        def placed(p: np.ndarray) -> np.ndarray:
            return np.einsum("tij,tkj->tki", turn, p) + fit.translation[:, None]

        mouth = placed(np.broadcast_to(middle.astype(np.float32), (len(psi), 1, 3)))
        unit = (fit.focal * eyes / -mouth[:, 0, 2]).astype(np.float32)
        rim, outwards = _outline(head, fit, psi, unit)
        if outline is not None:
            rim += (outline.at(turn) * unit[:, None])[..., None] * outwards
        trunk = Trunk.of(head, fit) if outline is None else outline.trunk
        throat = np.array([0.0, rest[_CHIN, 1], _NECK_DEPTH])
        poses = (trunk.place(r, t) for r, t in zip(fit.rotation, fit.translation, strict=True))
        necks = np.stack([rotation @ throat + translation for rotation, translation in poses])
        return cls(
            landmarks=fit.project(placed(points[:, chosen])).astype(np.float32),
            teeth=fit.project(placed(_teeth(points, rest, eyes))).astype(np.float32),
            outline=rim,
            outwards=outwards,
            lips=points[:, list(LIPS)] / eyes,
            rotation=turn,
            neck=fit.project(necks).astype(np.float32),
            centre=fit.project(mouth)[:, 0].astype(np.float32),
            unit=unit,
            psi=psi,
        )

    @property
    def knots(self) -> np.ndarray:
        """[T, L + 3 + P, 2] in pixels: what `warp.Spline` goes through."""
        return np.concatenate([self.landmarks, self.teeth, self.outline], 1)

    def select(self, frames: slice | np.ndarray) -> Motion:
        """Some of the frames."""
        return Motion(**{name: getattr(self, name)[frames] for name in self.__dataclass_fields__})


def _rest(head: HeadModel, fit: HeadFit) -> np.ndarray:
    """[V, 3] the person's head without expression."""
    return fit.shape(head, np.zeros(len(head.expression_names), np.float32))


def _teeth(points: np.ndarray, rest: np.ndarray, eyes: float) -> np.ndarray:
    """[T, 3, 3] where the upper teeth end between the lips of points [T, 478, 3], `rest` [478, 3] among them.

    It stays with the skull as long as the lips are that far open: a lower jaw uncovers teeth and does not stretch them.
    """
    upper, lower = points[:, list(_UPPER_INNER)], points[:, list(_LOWER_INNER)]
    edge = rest[list(_UPPER_INNER), 1] - _TEETH * eyes
    gap = np.maximum(upper[..., 1] - lower[..., 1], 1e-6)
    share = np.clip((upper[..., 1] - edge) / gap, 0, _ABOVE_LIP)[..., None]
    return upper + share * (lower - upper)


def _outline(head: HeadModel, fit: HeadFit, psi: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[T, 2 x bands, 2] pixels: at several heights the outermost points of cheeks and jaw on either side; the way out.

    Which points of the skin these are changes as the head turns; what is seen beside them is not the head.
    """
    place, rest = head.template, _rest(head, fit)
    face = _face(head)
    chin = head.at_landmarks(place)[_CHIN, 1]
    edges = np.linspace(chin + 0.004, -0.015, _BANDS + 1)
    found, outwards = (np.empty((len(psi), 2 * _BANDS, 2), np.float32) for _ in range(2))
    for start in range(0, len(psi), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(psi)))
        for band in range(_BANDS):
            chosen = np.flatnonzero(face & (place[:, 1] >= edges[band]) & (place[:, 1] < edges[band + 1]))
            points = rest[chosen] + np.tensordot(psi[part], head.expression_basis[:, chosen], 1)
            points = np.einsum("tij,tkj->tki", fit.rotation[part], points) + fit.translation[part, None]
            pixels = fit.project(points)
            across = fit.rotation[part, :2, 0] * np.array([1, -1])  # the head's own horizontal in the picture
            across /= np.linalg.norm(across, axis=-1, keepdims=True)
            along = np.einsum("tkc,tc->tk", pixels, across)
            for side, sign in enumerate((-1.0, 1.0)):
                reach = sign * along / (_SOFT * unit[part, None])
                share = np.exp(reach - reach.max(1, keepdims=True))
                share /= share.sum(1, keepdims=True)
                found[part, 2 * band + side] = np.einsum("tk,tkc->tc", share, pixels)
                outwards[part, 2 * band + side] = sign * across
    return found, outwards


def _face(head: HeadModel) -> np.ndarray:
    """[V] bool: bare skin of face and jaw, without what lies behind jaw and ears: that is the neck's."""
    regions, place = head.regions, head.template
    bare = (regions["skin"] > 0.5) & (regions["ears"] + regions["scalp"] + regions["neck"] < 0.1)
    lines = (head.at_landmarks(place)[list(line), 1:] for line in _JAW_LINES)
    right, left = (np.interp(place[:, 1], *line[line[:, 0].argsort()].T) for line in lines)
    return bare & (place[:, 2] >= np.where(place[:, 0] < 0, right, left) - _BEHIND_JAW)
