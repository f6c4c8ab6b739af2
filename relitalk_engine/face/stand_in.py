"""Following a face whose own mouth must not matter: another mouth of the same person stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from ..events import Reporter
from .landmarks import EYELIDS, IRISES, FaceTracker, Track, bridge

ANCHORS = (33, 263, 133, 362, 168, 6, 70, 300, 105, 334)
"""Corners of the eyes, bridge of the nose, brows: nothing that is ever covered, or the cover would follow itself."""
NOSE_BASE = 2
BROWS = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
BELOW, ASIDE = 1.6, 1.05
"""The covered box about the nose's base reaches to below the chin, in outer-eye distances."""
HIDE_NOSE, HIDE_MOUTH = -0.32, -0.27
"""Its upper edge lies above all that a take removes; for the coarse look a little higher."""
UPPER_FACE, BESIDE = np.array([0.45, 0.2]), 0.75
"""What is followed reaches this far above, below and beside the eyes, in outer-eye distances."""
PATCH, WINDOW = 256, 21
"""Columns of the patch in which points are followed, and of the surroundings by which each is known."""
FEWEST = 12
"""Points that must be found again."""
GRID = np.array([0.1, 0.1, np.radians(5), np.log(1.1)])
"""Steps in which the cover moves: outer-eye distances (twice), radians, log of the size."""
STICKY = 0.8
"""Steps by which the face must move before the cover follows."""
LOOKS = 3
"""Looks at a frame at most, each with the cover where the last one saw the face."""
RUN_UP = 60
"""Frames from which the coarse look comes back to the first."""


Item_co = TypeVar("Item_co", covariant=True)


class Rows(Protocol[Item_co]):
    """Things by number: frames of a film, read when they are asked for."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: int, /) -> Item_co:
        """One of them."""
        ...


def _similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Log scale, angle and where source's mean goes, least squares (Umeyama 1991); source and target [N, 2]."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    a, b = source - source.mean(0), target - target.mean(0)
    c, s = (a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    return float(np.log(np.hypot(c, s) / (a * a).sum())), float(np.arctan2(s, c)), target.mean(0)


@dataclass(frozen=True)
class StandIn:
    """A frame of the same person from the training clip.

    Attributes:
        image: [H, W, 3] uint8 RGB.
        points: [478, 2] its landmarks.
    """

    image: np.ndarray
    points: np.ndarray

    @property
    def reach(self) -> float:
        """Distance of the outer eye corners, pixels."""
        return float(np.linalg.norm(self.points[ANCHORS[1]] - self.points[ANCHORS[0]]))

    def place(
        self, points: np.ndarray, carried: np.ndarray | None = None, found: np.ndarray | None = None
    ) -> np.ndarray:
        """Where it belongs over a face, in steps of GRID: middle of the anchors x, y, angle, log size.

        Args:
            points: [478, 2] landmarks, of which only ANCHORS are read.
            carried: [478, 2] landmarks found again by `carry_over`, which count instead where they are enough.
            found: [478] bool, which of these.
        """
        anchors = list(ANCHORS)
        chosen, target = anchors, points
        if carried is not None and found is not None and found.sum() >= FEWEST:
            chosen, target = list(np.flatnonzero(found)), carried
        zoom, turn, middle = _similarity(self.points[chosen], target[chosen])
        offset = self.points[anchors].mean(0) - self.points[chosen].mean(0)
        c, s = np.exp(zoom) * np.cos(turn), np.exp(zoom) * np.sin(turn)
        middle = middle + np.array([[c, -s], [s, c]]) @ offset
        return np.array([*middle / self.reach, turn, zoom]) / GRID

    def cover(
        self, frame: np.ndarray, place: np.ndarray, above: float, row: float | None = None
    ) -> tuple[np.ndarray, tuple[slice, slice]]:
        """Replace a frame's lower face by this one's.

        Args:
            frame: [H, W, 3] uint8.
            place: [4] as `place` gives it.
            above: upper edge of the cover over the nose's base, in outer-eye distances, negative upwards.
            row: the upper edge itself, where it is known.

        Returns:
            The covered frame, and the rows and columns that are covered.
        """
        import cv2

        x, y, turn, zoom = place * GRID
        scale = np.exp(zoom)
        linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        middle = self.points[list(ANCHORS)].mean(0)
        matrix = np.column_stack([linear, np.array([x, y]) * self.reach - linear @ middle])
        nose = matrix @ np.append(self.points[NOSE_BASE], 1)
        height, width = frame.shape[:2]
        x0, x1 = (int(np.clip(nose[0] + s * ASIDE * scale * self.reach, 0, width)) for s in (-1, 1))
        y0, y1 = (int(np.clip(nose[1] + s * scale * self.reach, 0, height)) for s in (above, BELOW))
        y0 = y0 if row is None else int(np.clip(row, 0, y1))
        covered = frame.copy()
        warped = cv2.warpAffine(self.image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        where = slice(y0, y1), slice(x0, x1)
        covered[where] = warped[where]
        return covered, where


def track_coarsely(frames: Rows[np.ndarray], stand_in: StandIn, reporter: Reporter) -> Track:
    """Follow a face whose lower half is never looked at.

    Each frame is covered where the frame before had its eyes. The cover moves in coarse steps, so that a hair's breadth
    in the landmarks, which is all that a hidden mouth could still change, changes nothing; and it starts further on in
    the clip and comes back, so that the first look, which had to see the whole face, is forgotten.

    Args:
        frames: uint8 RGB [H, W, 3] each, in which the face is large.
        stand_in: the mouth to show instead.
        reporter: hears the progress and may cancel.

    Raises:
        ReliTalkError: no face, or too few good frames.
    """
    tracker = FaceTracker()
    total = len(frames)
    points: list[np.ndarray | None] = [None] * total
    near: np.ndarray | None = None
    place: np.ndarray | None = None
    try:
        for index in [*range(min(RUN_UP, total) - 1, -1, -1), *range(total)]:
            reporter.progress("track", index, 2 * total)
            frame = frames[index]
            if near is None or place is None:
                near = tracker.detect(frame)
                if near is None:
                    continue
                place = np.round(stand_in.place(near[:, :2]))
            for _ in range(LOOKS):  # a quick head has left the place where it was covered
                near = tracker.detect(stand_in.cover(frame, place, HIDE_NOSE)[0])
                if near is None:
                    break
                steps = stand_in.place(near[:, :2])
                followed = np.where(np.abs(steps - place) > STICKY, np.round(steps), place)
                if np.array_equal(followed, place):
                    break
                place = followed
            points[index] = near
    finally:
        tracker.close()
    return bridge(points)


def nearest_pose(points: np.ndarray, known: np.ndarray) -> int:
    """The known landmarks [N, 478, 2] whose ANCHORS lie most like those of points [478, 2], up to a similarity."""

    def shape(p: np.ndarray) -> np.ndarray:
        p = p[..., list(ANCHORS), :].astype(np.float64)
        p = p - p.mean(-2, keepdims=True)
        return (p[..., 0] + 1j * p[..., 1]) / np.linalg.norm(p, axis=(-2, -1))[..., None]

    return int(np.argmax(np.abs(shape(known) @ shape(points).conj())))


def carry_over(known: StandIn, frame: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the upper face's landmarks of a known frame in another frame, to a fraction of a pixel.

    Each point is followed by its own surroundings, from the brows to the cheekbones; below that nothing is looked at.

    Args:
        known: a frame of like pose, its landmarks known.
        frame: [H, W, 3] uint8.
        near: [478, 2] landmarks in it, of which only ANCHORS are read, right to some pixels.

    Returns:
        [478, 2] landmarks in the frame, and [478] bool, which of them were found.

    Source: Lucas & Kanade 1981 in pyramids, checked forwards and backwards.
    """
    import cv2

    anchors = known.points[list(ANCHORS)].astype(np.float64)
    zoom, turn, middle = _similarity(anchors, near[list(ANCHORS)])
    linear = np.exp(zoom) * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    there = np.column_stack([linear, middle - linear @ anchors.mean(0)])
    above, below = UPPER_FACE * known.reach
    scale = PATCH / (2 * BESIDE * known.reach)
    corner = anchors[:2].mean(0) - (BESIDE * known.reach, above)
    size = PATCH, int((above + below) * scale)
    to_known = np.array([[1 / scale, 0, corner[0]], [0, 1 / scale, corner[1]]])
    to_frame = there @ np.vstack([to_known, [0, 0, 1]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patches = []
    for picture, matrix in ((known.image, to_known), (frame, to_frame)):
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        patches.append(cv2.warpAffine(grey, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))
    start = ((known.points - corner) * scale).astype(np.float32)
    inside = (start > 4).all(1) & (start < np.array(size) - 4).all(1)
    inside[[*EYELIDS, *BROWS, *IRISES]] = False
    asked = np.ascontiguousarray(start[inside][:, None])
    found = np.zeros(len(start), bool)
    result = start @ to_frame[:, :2].T + to_frame[:, 2]
    if not inside.any():
        return result, found
    size_seen, levels = (WINDOW, WINDOW), 2
    nothing: Any = None
    moved, ok, _ = cv2.calcOpticalFlowPyrLK(
        patches[0], patches[1], asked, nothing, winSize=size_seen, maxLevel=levels
    )
    back, again, _ = cv2.calcOpticalFlowPyrLK(
        patches[1], patches[0], moved, nothing, winSize=size_seen, maxLevel=levels
    )
    good = (ok[:, 0] > 0) & (again[:, 0] > 0) & (np.linalg.norm(back - asked, axis=-1)[:, 0] < 0.7)
    found[np.flatnonzero(inside)[good]] = True
    result[found] = moved[good][:, 0] @ to_frame[:, :2].T + to_frame[:, 2]
    return result, found


def track_covered(
    frames: Rows[np.ndarray], coarse: Track, stand_ins: Rows[StandIn], reporter: Reporter
) -> Track:
    """Place the face exactly: the upper face of a known frame of like pose is found again in each frame, and its lower
    face covers the frame's own there while the landmarks are looked for once more.

    Args:
        frames: as for `track_coarsely`.
        coarse: its track.
        stand_ins: one per frame, of nearly the same head pose.
        reporter: hears the progress and may cancel.
    """
    tracker = FaceTracker()
    points: list[np.ndarray | None] = []
    total = len(frames)
    try:
        for index in range(total):
            reporter.progress("track", total + index, 2 * total)
            known, frame, seen = stand_ins[index], frames[index], coarse.points[index]
            if not coarse.valid[index]:
                points.append(None)
                continue
            carried, found = carry_over(known, frame, seen)
            place = known.place(seen, carried, found)
            again = tracker.detect(known.cover(frame, place, HIDE_MOUTH)[0])
            points.append(seen if again is None else again)
    finally:
        tracker.close()
    return bridge(points)
