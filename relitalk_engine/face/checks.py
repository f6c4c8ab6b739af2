"""Whether what was tracked can be a face that is of use: of flesh, from the front, large enough."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from ..errors import ReliTalkError

FLAT = 0.4
"""Share of the face without any shade of its own from which it is a drawing; filmed skin stays below 0.1."""
PATCH = 128
"""Side in pixels of the face that is looked at for it."""
KEYPOINTS = ((33, 133), (362, 263), (1,), (13, 14))
"""Landmarks that stand for the detector's right eye, left eye, nose and mouth."""
APART = 0.3
"""Landmarks and detector disagree from here on, over the distance of eyes and mouth."""
NOSE_ASIDE, EYES_NEAR = 0.52, 0.5
"""In a profile the nose lies this far beside the eyes' middle, or the eyes stand this near, likewise."""
SMALLEST_FACE = 60
"""Pixels across."""
ENOUGH = 6.0
"""Seconds of a free mouth below which a clip is called short."""
CHEEKS, CHIN_SKIN, UPPER_LIP = (50, 280, 205, 425, 101, 330), (18, 199, 200, 201, 421), (164, 167, 393)
LIP_SKIN = (0, 17, 37, 84, 267, 314)
"""Landmarks whose colours tell of a beard and of painted lips."""
BEARD = (9.0, 15.0)
"""How much darker than the cheeks chin and upper lip are under a beard, CIE lightness."""
PAINTED = 18.0
"""How much redder than the cheeks lips are that are painted, Lab."""
DARK, WHITE, CLIPPED = 9.0, 98.0, 0.2
"""CIE lightness of cheeks that are nearly black, and that are clipped white, and how much of them may be."""
CHIN, ROOM, OFTEN = 152, 0.03, 0.1
"""Outer-eye distances that chin and mouth keep from the frame's edge; in more than this share of frames they do not."""


@dataclass(frozen=True)
class Glance:
    """What the detector says of a face.

    Attributes:
        points: [4, 2] right eye, left eye, nose, mouth, pixels.
    """

    points: np.ndarray

    @property
    def _height(self) -> float:
        return float(np.linalg.norm(self.points[:2].mean(0) - self.points[3])) + 1e-6

    @property
    def from_the_side(self) -> bool:
        """Is it a profile?"""
        right, left, nose, mouth = self.points
        down = (mouth - (right + left) / 2) / self._height
        away = nose - (right + left) / 2
        aside = abs(down[0] * away[1] - down[1] * away[0])
        return bool(aside > NOSE_ASIDE * self._height or np.linalg.norm(left - right) < EYES_NEAR * self._height)

    def agrees(self, points: np.ndarray) -> bool:
        """Are landmarks [478, 2+] those of this face?"""
        mine = np.stack([points[list(group), :2].mean(0) for group in KEYPOINTS])
        return bool(np.linalg.norm(mine - self.points, axis=1).max() < APART * self._height)


class Detector:
    """mediapipe's face detector, which knows profiles too."""

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        import mediapipe

        self._detector = mediapipe.solutions.face_detection.FaceDetection(
            model_selection=0, min_detection_confidence=0.6
        )

    def close(self) -> None:
        """Release mediapipe's graph."""
        self._detector.close()

    def look(self, picture: np.ndarray) -> Glance | None:
        """The surest face of a picture [H, W, 3] uint8, in its pixels."""
        found = self._detector.process(picture).detections
        if not found:
            return None
        height, width = picture.shape[:2]
        points = found[0].location_data.relative_keypoints
        return Glance(np.array([(p.x * width, p.y * height) for p in points[:4]]))


def flatness(frame: np.ndarray, points: np.ndarray) -> float:
    """Share of a face's pixels that look just like their neighbours: small for skin, large for flat paint.

    Args:
        frame: [H, W, 3] uint8.
        points: [478, 2] landmarks.
    """
    import cv2

    low, high = points.min(0), points.max(0)
    scale = PATCH / float((high - low).max())
    matrix = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale]])
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    patch = cv2.warpAffine(grey, matrix, (PATCH, PATCH), flags=cv2.INTER_AREA)
    face = np.zeros(patch.shape, np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(((points - low) * scale).astype(np.int32)), 1)
    square = np.ones((3, 3), np.uint8)
    contrast = cv2.dilate(patch, square) - cv2.erode(patch, square)
    return float((contrast <= 1)[face > 0].mean())


def refuse_small(points: np.ndarray, name: str) -> None:
    """Raise where the face is too small to be of use.

    Args:
        points: [T, 478, 2] landmarks.
        name: what the clip is called.

    Raises:
        ReliTalkError: fewer than SMALLEST_FACE pixels across; says how many.
    """
    width = np.linalg.norm(points[:, 234] - points[:, 454], axis=-1)
    height = np.linalg.norm(points[:, 10] - points[:, 152], axis=-1)
    across = float(np.median(np.maximum(width, 0.8 * height)))
    if across < SMALLEST_FACE:
        raise ReliTalkError(
            "face_too_small",
            f"The face in {name} is only about {across:.0f} pixels wide; {SMALLEST_FACE} is the least.",
            "Film from nearer, or use a clip of higher resolution; 200 pixels or more are good.",
        )


def refuse_drawing(flat: list[float]) -> None:
    """Raise where the face is drawn, not filmed.

    Args:
        flat: `flatness` of some frames.

    Raises:
        ReliTalkError: it is a drawing.
    """
    if flat and float(np.median(flat)) > FLAT:
        raise ReliTalkError(
            "not_filmed",
            "The face in the video is drawn, not filmed: it has flat colours where skin has shades.",
            "Use a clip of a real person, or of one rendered like a real person.",
        )


def remarks(
    name: str, points: np.ndarray, colours: np.ndarray, free: np.ndarray, size: tuple[int, int], fps: float
) -> list[str]:
    """What makes a clip harder to learn, each with what to film instead.

    Args:
        name: what the clip is called.
        points: [T, 478, 2] landmarks, pixels.
        colours: [T, 478, 3] Lab at the landmarks.
        free: [T] bool, frames in which the mouth is seen.
        size: height and width of the frames.
        fps: frames per second.

    Returns:
        Sentences; none for a good clip.
    """
    found = []
    crossed = np.flatnonzero(~free)
    if len(crossed):
        runs = np.split(crossed, np.flatnonzero(np.diff(crossed) > 1) + 1)
        spans = ", ".join(f"{run[0] / fps:.1f} to {(run[-1] + 1) / fps:.1f} s" for run in runs[:4])
        found.append(
            f"Something crosses the mouth in {len(crossed)} of {len(free)} frames ({spans}"
            f"{', and more' if len(runs) > 4 else ''}). Nothing is learnt from them, and takes keep them as they were"
            " filmed. Film with hands and microphone below the chin."
        )
    if free.sum() < ENOUGH * fps:
        found.append(
            f"{name} shows the mouth for only {free.sum() / fps:.1f} s: few of the shapes that speech needs."
            " Film 10 s or more of one person talking."
        )
    height, width = size
    unit = np.linalg.norm(points[:, 33] - points[:, 263], axis=-1)
    around = points[:, [61, 291, CHIN]]
    room = np.min([around[..., 0], width - around[..., 0], height - around[..., 1]], axis=(0, 2)) / unit
    if (room < ROOM).mean() > OFTEN:
        found.append(
            f"Mouth or chin lies at the frame's edge in {(room < ROOM).sum()} of {len(room)} frames, and what is cut"
            " off cannot be painted. Film the whole head, with some neck below the chin."
        )
    cheeks, chin, lip, mouth = (
        np.median(colours[:, list(group)].astype(np.float32), axis=(0, 1))
        for group in (CHEEKS, CHIN_SKIN, UPPER_LIP, LIP_SKIN)
    )
    if cheeks[0] < DARK:
        found.append(
            f"The face in {name} is nearly black, and noise will be taken for skin. Film with more light, or expose"
            " the face as you would want to see it."
        )
    if (colours[:, list(CHEEKS), 0] > WHITE).mean() > CLIPPED:
        found.append(
            f"Much of the face in {name} is clipped to white: skin and light cannot be told apart there. Film with"
            " less exposure; a face a little too dark is better than one too bright."
        )
    if cheeks[0] - chin[0] > BEARD[0] and cheeks[0] - lip[0] > BEARD[1]:
        found.append(
            "A beard hides how the skin about the mouth moves, and its hairs may look softer where they are painted."
            " Film 15 s or more, near and in soft light, so that it is seen with every shape of the mouth."
        )
    if mouth[1] - cheeks[1] > PAINTED:
        found.append(
            "The lips are painted, and are lit like skin of that colour: their gloss may stay where the clip has it."
            " Film without lipstick, or with a matt one, for other lights."
        )
    return found
