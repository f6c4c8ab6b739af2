"""A clip made ready: found, followed, cropped, stored lossless, its head fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from ..config import FitConfig
from ..errors import ReliTalkError
from ..events import Reporter
from ..face.checks import refuse_small, remarks
from ..face.crop import find_crop
from ..face.fitting import HeadFit, fit
from ..face.head_model import HeadModel
from ..face.landmarks import Track, track
from ..face.occlusion import face_colours, hidden_frames
from ..media.lossless import LosslessReader
from ..media.video import ClipInfo, LosslessWriter, probe, read_frames

SHORTEST = 1.0
"""Seconds of film from which something can be learnt."""


@dataclass(frozen=True)
class Footage:
    """A cropped clip and where its face is.

    Attributes:
        clip: what the file is.
        fps: its constant rate.
        crop: x, y, width, height in the clip's pixels.
        track: landmarks in pixels of the crop.
        start: seconds into the file.
        stored: the lossless film of the crop.
    """

    clip: ClipInfo
    fps: Fraction
    crop: tuple[int, int, int, int]
    track: Track
    start: float
    stored: Path

    def __len__(self) -> int:
        return len(self.track.points)


def count_frames(clip: ClipInfo, start: float, duration: float | None) -> int:
    """Frames that `read_frames` gives for a part of the clip.

    Raises:
        ReliTalkError: the part lies outside the clip or is too short.
    """
    left = clip.duration - start
    if left <= 0:
        raise ReliTalkError(
            "start_too_late",
            f"{clip.path} is {clip.duration:.1f} s long; there is nothing at {start:g} s.",
            "Choose an earlier --start.",
        )
    seconds = left if duration is None else min(duration, left)
    if seconds < SHORTEST:
        raise ReliTalkError(
            "clip_too_short",
            f"Only {seconds:.2f} s of {clip.path} are left to use; {SHORTEST:g} s is the least.",
            "Use a longer clip; 8 s or more of one person talking is good.",
        )
    return max(1, min(round(seconds * float(clip.fps)), clip.frames))


def ingest(video: Path, start: float, duration: float | None, frames_path: Path, reporter: Reporter) -> Footage:
    """Follow the face, choose the crop and store its frames.

    Args:
        video: the clip.
        start: seconds into it.
        duration: seconds, None to its end.
        frames_path: the lossless film to write.
        reporter: hears the progress and may cancel.

    Raises:
        ReliTalkError: not a video, too short, no face, a face lost, too small, drawn or in profile only.
    """
    clip = probe(video)
    total = count_frames(clip, start, duration)
    if clip.matrix_guessed:
        reporter.warning(f"{video.name} does not say how its colours are coded; {clip.matrix} is assumed by its size.")
    followed = track(islice(read_frames(video, start, duration), total), total, reporter)
    if followed.faces_seen > 1:
        reporter.warning(f"{followed.faces_seen} faces are seen in {video.name}; the largest is followed.")
    bridged = int((~followed.valid).sum())
    if bridged:
        reporter.warning(f"The face was lost in {bridged} of {len(followed.valid)} frames; they are bridged.")
    refuse_small(followed.points[followed.valid], video.name)
    crop = find_crop(followed, clip.width, clip.height)
    x, y, width, height = crop
    points: np.ndarray = followed.points - np.array([x, y], np.float32)
    with LosslessWriter(frames_path, clip.fps) as writer:
        for index, frame in enumerate(islice(read_frames(video, start, duration), total)):
            reporter.progress("store", index, total)
            writer.write(np.ascontiguousarray(frame[y : y + height, x : x + width]))
    reporter.progress("store", total, total)
    return Footage(clip, clip.fps, crop, replace(followed, points=points), start, frames_path)


def fit_footage(footage: Footage, head: HeadModel, config: FitConfig, device: str, reporter: Reporter) -> HeadFit:
    """Fit the head to the whole clip."""
    size = footage.crop[3], footage.crop[2]
    with LosslessReader(footage.stored) as frames:
        return fit(
            footage.track, head, size, config, reporter,
            fps=float(footage.fps), device=device, frames=frames.__getitem__,
        )  # fmt: skip


def find_hidden(footage: Footage, reporter: Reporter) -> np.ndarray:
    """Frames in which something crosses the mouth; warnings say what else makes it hard to learn.

    Args:
        footage: a clip to learn from.
        reporter: hears the progress and the warnings, and may cancel.

    Returns:
        [T] bool.

    Raises:
        ReliTalkError: too little of the mouth is left to be seen.
    """
    points, fps = footage.track.points, float(footage.fps)
    colours = np.empty((*points.shape[:2], 3), np.float16)
    with LosslessReader(footage.stored) as frames:
        for index in reporter.steps("mouth", range(len(footage))):
            colours[index] = face_colours(frames[index], points[index])
    hidden = hidden_frames(points, colours, footage.track.valid, fps)
    free = ~hidden & footage.track.valid
    if hidden.any() and free.sum() < SHORTEST * fps:
        raise ReliTalkError(
            "mouth_hidden",
            f"Something crosses the mouth in {hidden.sum()} of {len(hidden)} frames of {footage.clip.path.name}.",
            "Film with hands and microphone below the chin, or cut the clip with --start and --duration.",
        )
    size = footage.crop[3], footage.crop[2]
    for sentence in remarks(footage.clip.path.name, points, colours, ~hidden, size, fps):
        reporter.warning(sentence)
    return hidden
