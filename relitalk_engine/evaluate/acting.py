"""What a rendered person does: a sentence said with the head turning, as curves over frames; the voice too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.head_model import HeadModel
from ..speech import visemes
from ..speech.espeak import say
from ..speech.utterances import mouth

TURN = (18.0, 7.0, 5.0)
"""Degrees that the head turns to either side, nods and leans."""
BLINK = (0.0, 0.5, 1.0, 0.85, 0.4, 0.15)
"""A blink, frame by frame at 25 fps."""
SENTENCES = (
    "Good morning, and welcome to a short walk through the old part of our town.",
    "Five big blue boats moved past the quiet harbour before the evening bells began.",
    "We often wonder why people choose to live above the busy market square.",
    "Perhaps you would like a warm cup of tea while we wait for the bus to come.",
)


@dataclass(frozen=True)
class Performance:
    """What happens in a clip of T frames.

    Attributes:
        samples: [n] float32, the voice.
        rate: its samples a second.
        psi: [T, E] actions.
        rotation: [T, 3, 3] head to camera.
        gaze: [T, 2] radians that the eyes look to the viewer's right and up of where the head points.
        phones: IPA of each phone, empty for a pause, with the second at which it begins.
    """

    samples: np.ndarray
    rate: int
    psi: np.ndarray
    rotation: np.ndarray
    gaze: np.ndarray
    phones: tuple[tuple[str, float], ...]


def perform(
    head: HeadModel, frames: int, fps: float, sentence: int, voice: str, rng: np.random.Generator
) -> Performance:
    """Say one of SENTENCES with a moving head.

    Args:
        head: whose actions are moved.
        frames: T.
        fps: frames per second.
        sentence: number of the sentence; the next ones follow where there is time.
        voice: one of espeak-ng's, such as "en-us+f3".
        rng: of this clip.
    """
    seconds = frames / fps
    pieces, phones, clock, rate = [], [], 0.0, 22050
    while clock < seconds:
        spoken = say(SENTENCES[sentence % len(SENTENCES)], voice)
        rate = spoken.rate
        phones += [(name, clock + at) for name, at in spoken.phones]
        pieces.append(spoken.samples)
        clock += len(spoken.samples) / rate
        sentence += 1
    samples = np.concatenate(pieces)[: round(seconds * rate)]
    at = (np.arange(frames) + 0.5) / fps
    lips = mouth(phones, round(seconds * 100) + 1)[0][np.minimum((at * 100).astype(int), round(seconds * 100))]
    psi = lips @ visemes.expand(head.expression_names)
    for names, most in (
        (("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), 0.6), (("browDownLeft", "browDownRight"), 0.15),
        (("mouthSmileLeft", "mouthSmileRight"), 0.3), (("cheekSquintLeft", "cheekSquintRight"), 0.3),
        (("eyeSquintLeft", "eyeSquintRight"), 0.15),
    ):
        psi[:, head.index(*names)] += most * np.maximum(_wander(at, 1.5, rng), 0.0)[:, None]
    closed = np.zeros(frames)
    start = int(rng.integers(8, 40))
    while start < frames:
        length = min(len(BLINK), frames - start)
        closed[start : start + length] = BLINK[:length]
        start += int(rng.uniform(2.0, 4.0) * fps)
    psi[:, head.index("eyeBlinkLeft", "eyeBlinkRight")] = closed[:, None]
    angles = np.radians(np.stack([most * _wander(at, 2.2, rng) for most in TURN], -1))
    gaze = -0.6 * angles[:, :2] * (1.0, -1.0) + 0.05 * np.stack([_wander(at, 0.8, rng), _wander(at, 0.8, rng)], -1)
    psi = np.clip(psi, 0.0, 1.0).astype(np.float32)
    shown = tuple((name, when) for name, when in phones if when < seconds)
    return Performance(samples, rate, psi, _rotations(angles), gaze, shown)


def _wander(at: np.ndarray, period: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth curve within -1..1 over the seconds `at`, [T]."""
    phases, speeds = rng.uniform(0, 2 * np.pi, 3), 2 * np.pi / (period * np.array([1.9, 1.0, 0.57]))
    return (np.array([0.55, 0.3, 0.15]) * np.sin(at[:, None] * speeds + phases)).sum(-1)


def _rotations(angles: np.ndarray) -> np.ndarray:
    """[T, 3, 3] from yaw, pitch and roll [T, 3] in radians."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("YXZ", angles).as_matrix()
