"""Face landmarks of every frame, by mediapipe; the largest face is followed, short losses are bridged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import ReliTalkError
from ..events import Reporter
from .checks import Detector, flatness, refuse_drawing

COUNT = 478
"""Points of the refined face mesh; the last ten are the irises."""
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
        150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]  # fmt: skip
LIPS = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 78, 95, 88, 178,
        87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191]  # fmt: skip
EYELIDS = [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173,
           263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398]  # fmt: skip
IRISES = list(range(468, 478))
OUTER_EYES = (33, 263)
LIPS_INNER = (13, 14)
FOREHEAD_CHIN = (10, 152)
WINDOW, WIDE_WINDOW = 2.0, 3.0
"""Side of the square in which a face is looked for, over the face; after a loss the wide one too."""
LEAP = 0.35
"""A face goes on from the frame before where its points moved less than this share of its size."""
FAR, ALIKE = 1.5, 1.6
"""A face further away than so many faces, or so many times larger or smaller, is somebody else's."""
PROFILE = 0.3
"""Outer-eye distance over height of a face, below which it is seen from the side."""
FORGET = 25
"""Misses after which the place of a lost face is forgotten."""


@dataclass(frozen=True)
class Track:
    """Landmarks over a clip.

    Attributes:
        points: [T, 478, 2] float32, pixels of the tracked frames.
        valid: [T] bool, False where no face was found (points are bridged there).
        faces_seen: the most faces seen at once.
        depth: [T, 478] float32, pixels away from the viewer, of arbitrary origin; None where it is not known.
    """

    points: np.ndarray
    valid: np.ndarray
    faces_seen: int
    depth: np.ndarray | None = None

    def inter_ocular(self) -> np.ndarray:
        """[T] distance of the outer eye corners in pixels."""
        return np.linalg.norm(self.points[:, OUTER_EYES[0]] - self.points[:, OUTER_EYES[1]], axis=-1)


class FaceTracker:
    """mediapipe's face mesh, opened once for a run of frames.

    On large or half-body frames the face is small for the detector, so the search widens from the place where the face
    was last seen: a square window around it is tracked first, then the whole frame, then a grid of overlapping tiles.
    A face found afresh is believed only where a second detector, which knows profiles too, sees it in the same place.
    """

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import mediapipe

        self._mesh = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=3, refine_landmarks=True, min_detection_confidence=0.5
        )
        self._detector = Detector()
        self.faces_seen = 0
        self.from_the_side = False

    def close(self) -> None:
        """Release mediapipe's graphs."""
        self._mesh.close()
        self._detector.close()

    def _find(self, frame: np.ndarray, window: tuple[int, int, int]) -> list[np.ndarray]:
        x, y, side = window
        found = self._mesh.process(_cut(frame, window)).multi_face_landmarks or []
        return [
            np.array([(p.x * side + x, p.y * side + y, p.z * side) for p in face.landmark], np.float32)
            for face in found
        ]

    def detect(
        self, frame: np.ndarray, near: np.ndarray | None = None, last: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Landmarks of the largest face, or of the face nearest to where it was.

        Where no face can be followed, `from_the_side` tells afterwards whether a profile is seen.

        Args:
            frame: [H, W, 3] uint8 RGB.
            near: [478, 3] landmarks of the frame before, if any.
            last: [478, 3] landmarks of the last frame in which the face was seen, if that is not long ago.

        Returns:
            [478, 3] pixels, the third away from the viewer; or None.
        """
        height, width = frame.shape[:2]
        known = last if near is None else near
        windows: list[tuple[int, int, int]] = []
        if known is not None:
            windows += [_window(known, reach) for reach in ((WINDOW,) if near is not None else (WINDOW, WIDE_WINDOW))]
        whole = max(height, width)
        windows.append(((width - whole) // 2, (height - whole) // 2, whole))
        if near is None:
            side = min(height, width)
            for part in (side, side // 2):
                for y in range(0, height - part + 1, max(part // 2, 1)):
                    for x in range(0, width - part + 1, max(part // 2, 1)):
                        windows.append((x, y, part))
        self.from_the_side = False
        for window in windows:
            faces = self._find(frame, window)
            self.faces_seen = max(self.faces_seen, len(faces))
            if faces:
                face = faces[int(np.argmax([self._score(face, known) for face in faces]))]
                if self._believed(frame, face, known, near is not None):
                    return face
        if not self.from_the_side:
            glance = self._detector.look(_cut(frame, windows[0]))
            self.from_the_side = glance is not None and glance.from_the_side
        return None

    def _believed(self, frame: np.ndarray, face: np.ndarray, known: np.ndarray | None, followed: bool) -> bool:
        """Is it no profile, and goes on from the frame before, or is like the last one and seen by the detector too?"""
        if _eyes_over_height(face) < PROFILE:
            self.from_the_side = True
            return False
        if known is not None:
            side = float(np.ptp(known[:, :2], axis=0).max())
            moved = float(np.linalg.norm((face - known)[:, :2], axis=1).mean())
            if followed and moved < LEAP * side:
                return True
            if moved > FAR * side or not 1 / ALIKE < float(np.ptp(face[:, :2], axis=0).max()) / side < ALIKE:
                return False  # somebody else
        window = _window(face, WINDOW)
        glance = self._detector.look(_cut(frame, window))
        if glance is None:
            return True  # small or dim: the mesh alone found it
        self.from_the_side |= glance.from_the_side
        return not glance.from_the_side and glance.agrees(face[:, :2] - np.array(window[:2]))

    @staticmethod
    def _score(face: np.ndarray, known: np.ndarray | None) -> float:
        size = float(np.ptp(face[:, 0]) * np.ptp(face[:, 1]))
        return size if known is None else -float(np.linalg.norm((face - known)[:, :2].mean(0)))


def _window(face: np.ndarray, reach: float) -> tuple[int, int, int]:
    """x, y and side of the square about a face [478, 2+]."""
    low, high = face[:, :2].min(0), face[:, :2].max(0)
    side = int(reach * (high - low).max())
    middle = (low + high) / 2
    return int(middle[0] - side / 2), int(middle[1] - side / 2), side


def _cut(frame: np.ndarray, window: tuple[int, int, int]) -> np.ndarray:
    """A square of a frame, black beyond its edges."""
    x, y, side = window
    height, width = frame.shape[:2]
    crop = np.zeros((max(side, 1), max(side, 1), 3), np.uint8)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if x1 > x0 and y1 > y0:
        crop[y0 - y : y1 - y, x0 - x : x1 - x] = frame[y0:y1, x0:x1]
    return crop


def _eyes_over_height(face: np.ndarray) -> float:
    """Distance of the outer eye corners over the face's height, in the picture: small for profiles."""
    eyes, height = (float(np.linalg.norm(face[a, :2] - face[b, :2])) for a, b in (OUTER_EYES, FOREHEAD_CHIN))
    return eyes / max(height, 1e-6)


def track(frames: Iterable[np.ndarray], total: int, reporter: Reporter, stage: str = "track") -> Track:
    """Follow one face through the frames.

    Args:
        frames: uint8 RGB [H, W, 3] each.
        total: their number, for the progress.
        reporter: hears the progress and may cancel.
        stage: the progress's name.

    Raises:
        ReliTalkError: no face at all, too few good frames (says how many), only profiles, or a drawing.
    """
    tracker = FaceTracker()
    points: list[np.ndarray | None] = []
    flat: list[float] = []
    near = last = None
    misses = sideways = 0
    try:
        for index, frame in enumerate(frames):
            reporter.progress(stage, index, total)
            if near is None and misses > 8 and index % 5:  # searching a face-less stretch: look at every fifth frame
                points.append(None)
                sideways += tracker.from_the_side
                continue
            near = tracker.detect(frame, near, last if misses < FORGET else None)
            points.append(near)
            misses = misses + 1 if near is None else 0
            sideways += near is None and tracker.from_the_side
            if near is not None:
                last = near
                if index % max(total // 12, 1) == 0:
                    flat.append(flatness(frame, near[:, :2]))
        reporter.progress(stage, total, total)
    finally:
        tracker.close()
    refuse_drawing(flat)
    return bridge(points, tracker.faces_seen, sideways=sideways)


def bridge(
    points: list[np.ndarray | None], faces_seen: int = 1, least: float = 0.7, sideways: int = 0
) -> Track:
    """A track from what was found in each frame; lost frames are filled linearly in time.

    Args:
        points: [478, 3] (or 2, without depth) or None per frame.
        faces_seen: the most faces seen at once.
        least: share of the frames in which the face must be found.
        sideways: frames without landmarks in which a profile was seen.

    Raises:
        ReliTalkError: no face at all, or too few good frames (says how many).
    """
    valid = np.array([p is not None for p in points], bool)
    good, count = int(valid.sum()), len(points)
    enough = max(12, least * count) if least else 1
    if good < enough and sideways > 0.5 * (count - good):
        raise ReliTalkError(
            "profile",
            f"The face is seen from the side in {sideways} of {count} frames.",
            "Film the person from the front; turns of up to 45 degrees to either side are followed.",
        )
    if good == 0:
        raise ReliTalkError(
            "no_face",
            "No face was found in the video.",
            "Film one person from the front, well lit, the face 200 pixels wide or more and nothing in front of it.",
        )
    if good < enough:
        raise ReliTalkError(
            "face_lost",
            f"The face is seen in only {good} of {count} frames.",
            "Film it with nothing in front of it, or cut the clip to where it is seen, with --start and --duration.",
        )
    times = np.flatnonzero(valid)
    known = np.stack([points[i] for i in times]).reshape(len(times), -1)  # type: ignore[misc]
    every = np.arange(count)
    filled = np.stack([np.interp(every, times, known[:, k]) for k in range(known.shape[1])], -1)
    filled = filled.reshape(count, COUNT, -1).astype(np.float32)
    depth = filled[..., 2] if filled.shape[2] == 3 else None
    return Track(np.ascontiguousarray(filled[..., :2]), valid, faces_seen, depth)
