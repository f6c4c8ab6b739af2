"""Face landmarks of every frame, by mediapipe; the largest face is followed, short losses are bridged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import ReliTalkError
from ..events import Reporter

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
    """

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import mediapipe

        self._mesh = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=3, refine_landmarks=True, min_detection_confidence=0.5
        )
        self.faces_seen = 0

    def close(self) -> None:
        """Release mediapipe's graph."""
        self._mesh.close()

    def _find(self, frame: np.ndarray, window: tuple[int, int, int]) -> list[np.ndarray]:
        x, y, side = window
        height, width = frame.shape[:2]
        crop = np.zeros((side, side, 3), np.uint8)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
        if x1 <= x0 or y1 <= y0:
            return []
        crop[y0 - y : y1 - y, x0 - x : x1 - x] = frame[y0:y1, x0:x1]
        found = self._mesh.process(crop).multi_face_landmarks or []
        return [
            np.array([(p.x * side + x, p.y * side + y, p.z * side) for p in face.landmark], np.float32)
            for face in found
        ]

    def detect(self, frame: np.ndarray, near: np.ndarray | None = None) -> np.ndarray | None:
        """Landmarks of the largest face, or of the face nearest to where it was.

        Args:
            frame: [H, W, 3] uint8 RGB.
            near: [478, 3] landmarks of the frame before, if any.

        Returns:
            [478, 3] pixels, the third away from the viewer; or None.
        """
        height, width = frame.shape[:2]
        windows: list[tuple[int, int, int]] = []
        if near is not None:
            low, high = near[:, :2].min(0), near[:, :2].max(0)
            side = int(2.0 * (high - low).max())
            middle = (low + high) / 2
            windows.append((int(middle[0] - side / 2), int(middle[1] - side / 2), side))
        whole = max(height, width)
        windows.append(((width - whole) // 2, (height - whole) // 2, whole))
        if near is None:
            side = min(height, width)
            for part in (side, side // 2):
                for y in range(0, height - part + 1, max(part // 2, 1)):
                    for x in range(0, width - part + 1, max(part // 2, 1)):
                        windows.append((x, y, part))
        for window in windows:
            faces = self._find(frame, window)
            if faces:
                self.faces_seen = max(self.faces_seen, len(faces))
                return max(faces, key=lambda face: self._score(face, near))
        return None

    @staticmethod
    def _score(face: np.ndarray, near: np.ndarray | None) -> float:
        size = float(np.ptp(face[:, 0]) * np.ptp(face[:, 1]))
        return size if near is None else -float(np.linalg.norm((face - near)[:, :2].mean(0)))


def track(frames: Iterable[np.ndarray], total: int, reporter: Reporter, stage: str = "track") -> Track:
    """Follow one face through the frames.

    Args:
        frames: uint8 RGB [H, W, 3] each.
        total: their number, for the progress.
        reporter: hears the progress and may cancel.
        stage: the progress's name.

    Raises:
        ReliTalkError: no face at all, or too few good frames (says how many).
    """
    tracker = FaceTracker()
    points: list[np.ndarray | None] = []
    near = None
    misses = 0
    try:
        for index, frame in enumerate(frames):
            reporter.progress(stage, index, total)
            if near is None and misses > 8 and index % 5:  # searching a face-less stretch: look at every fifth frame
                points.append(None)
                continue
            near = tracker.detect(frame, near)
            misses = 0 if near is not None else misses + 1
            points.append(near)
        reporter.progress(stage, total, total)
    finally:
        tracker.close()
    return bridge(points, tracker.faces_seen)


def bridge(points: list[np.ndarray | None], faces_seen: int = 1, least: float = 0.7) -> Track:
    """A track from what was found in each frame; lost frames are filled linearly in time.

    Args:
        points: [478, 3] (or 2, without depth) or None per frame.
        faces_seen: the most faces seen at once.
        least: share of the frames in which the face must be found.

    Raises:
        ReliTalkError: no face at all, or too few good frames (says how many).
    """
    valid = np.array([p is not None for p in points], bool)
    good, count = int(valid.sum()), len(points)
    if good == 0:
        raise ReliTalkError(
            "no_face",
            "No face was found in the video.",
            "Use a clip in which one person's face is seen from the front, at least 80 pixels wide and well lit.",
        )
    if least and good < max(12, least * count):
        raise ReliTalkError(
            "face_lost",
            f"The face is seen in only {good} of {count} frames.",
            "Cut the clip to the part in which the face is seen, with --start and --duration.",
        )
    times = np.flatnonzero(valid)
    known = np.stack([points[i] for i in times]).reshape(len(times), -1)  # type: ignore[misc]
    every = np.arange(count)
    filled = np.stack([np.interp(every, times, known[:, k]) for k in range(known.shape[1])], -1)
    filled = filled.reshape(count, COUNT, -1).astype(np.float32)
    depth = filled[..., 2] if filled.shape[2] == 3 else None
    return Track(np.ascontiguousarray(filled[..., :2]), valid, faces_seen, depth)
