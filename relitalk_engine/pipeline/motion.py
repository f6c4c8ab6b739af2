"""The whole take's motion, planned before a pixel is painted: the base footage's head, the voice's mouth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..events import Reporter
from ..face.fitting import HeadFit
from ..media.audio import audio_seconds, read_blocks, sound_tracks
from ..speech.adapters import listener
from .base import Base
from .curves import read_mouth
from .options import OutOptions, VoiceOptions
from .person import Person
from .turning import blinks_of, frame_order

VOICE_RATE = 16000
STARING = 15.0
"""Seconds without a blink at which it is said."""
EASE = 0.16
"""Seconds in which a driven mouth goes over into one that is kept as it was filmed."""


@dataclass(frozen=True)
class Motion:
    """A take's motion.

    Attributes:
        order: [T] the base frame of each frame of the take.
        fit: the base's head in that order.
        psi: [T, E] its actions, the mouth's driven by the voice.
    """

    order: np.ndarray
    fit: HeadFit
    psi: np.ndarray

    def __len__(self) -> int:
        return len(self.order)


def take_length(audio: Path, fps: Fraction) -> int:
    """Frames of a take for a sound: round(t x fps), one at least."""
    return max(1, round(audio_seconds(audio) * float(fps)))


def name_the_track(sound: Path, reporter: Reporter) -> None:
    """Say which of several sound tracks is heard."""
    count = sound_tracks(sound)
    if count > 1:
        reporter.warning(f"{sound.name} has {count} sound tracks; the first is heard.")


def name_missing_blinks(person: Person, base: Base, frames: int, reporter: Reporter) -> None:
    """Say that nobody will blink in a take of some length whose footage has no blink to show."""
    seconds = frames / float(person.subject.info.fps)
    if seconds > STARING and not len(blinks_of(base.fit, person.head, float(base.fps))):
        reporter.warning(
            f"The footage shows no blink, so none can be painted: the eyes stay open for {seconds:.0f} s."
            " Footage with a blink or two, given by --video, would look more alive."
        )


def drive(person: Person, audio: Path, frames: int, voice: VoiceOptions) -> np.ndarray:
    """Mouth actions of a voice.

    Args:
        person: who speaks.
        audio: the sound.
        frames: T.
        voice: amplitude, smoothing, offset, transcript; or the motion of an earlier take, which is taken as it is.

    Returns:
        [T, M] for the head's mouth actions, 0..1.
    """
    fps = person.subject.info.fps
    if voice.motion is not None:
        return read_mouth(voice.motion, person, frames)
    model = person.speech
    transcript = voice.transcript.read_text(encoding="utf-8").strip() if voice.transcript else ""
    features = listener(model.kind, audio, transcript).extract(read_blocks(audio, VOICE_RATE), fps, frames)
    mouth = model.drive(features, voice.mouth, voice.smooth)
    if voice.offset_ms:
        then = np.arange(frames) - voice.offset_ms / 1000 * float(fps)
        mouth = np.stack([np.interp(then, np.arange(frames), column) for column in mouth.T], -1)
    return np.clip(mouth, 0, 1).astype(np.float32)


def plan_motion(person: Person, base: Base, frames: int, mouth: np.ndarray | None, out: OutOptions) -> Motion:
    """Lay the take's frames over the base's, and the mouth over its face.

    Args:
        person: the subject.
        base: the footage.
        frames: T.
        mouth: [T, M] driven mouth actions; None: the base's own.
        out: for --freeze.
    """
    order = frame_order(frames, base.fit, person.head, person.subject.info.fps, base.fps)
    if out.freeze is not None:
        order[:] = min(out.freeze, len(base.fit) - 1)
    bare = replace(base.fit, landmarks=base.fit.landmarks[:, :0])  # an hour of them would need more than all the rest
    fit = bare.select(order)
    psi = fit.psi.copy()
    if mouth is not None:
        actions = person.head.mouth_actions
        own = _ease(base.hidden[order], EASE * float(person.subject.info.fps))[:, None]
        psi[:, actions] = mouth + own * (psi[:, actions] - mouth)
    return Motion(order, fit, psi)


def _ease(kept: np.ndarray, reach: float) -> np.ndarray:
    """[T] float32: 1 in frames that are kept, falling to 0 over so many frames before and after them."""
    from scipy.ndimage import distance_transform_edt

    if not kept.any():
        return np.zeros(len(kept), np.float32)
    away = distance_transform_edt(~kept)
    return np.clip(1 - away / (reach + 1), 0, 1).astype(np.float32)
