"""How well the painted mouth follows the speaker's own held-out speech, over its own footage, as mediapipe sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from relitalk_engine.evaluate import metrics
from relitalk_engine.events import Reporter
from relitalk_engine.face import landmarks
from relitalk_engine.media import audio, images, video
from relitalk_engine.take import Take

from . import runs

LEARNT = 11.0
"""Seconds to train on; the rest is driven."""
UPPER_LIP, LOWER_LIP, EYES = 13, 14, (33, 263)
"""mediapipe's numbers: inner lips in the middle, outer eye corners."""


def mouth(again: bool) -> Iterator[str]:
    """talk_a and talk_b; asked for: 0.5 or more."""
    for name in ("talk_a", "talk_b"):
        clip = runs.data(f"real/{name}.mp4")
        place = runs.subject(clip, f"{name}_{LEARNT:g}s", again, "--duration", LEARNT)
        voice, folder = runs.RESULTS / f"{name}_rest.wav", runs.RESULTS / f"{name}_rest"
        audio.extract_audio(clip, voice, LEARNT)
        words = ("--video", clip, "--start", LEARNT, "--background", "keep", "-o", folder, "--force")
        run = runs.relitalk("render", place, "--audio", voice, *words)
        take = Take.open(folder)
        driven = opening(images.read_image(take.beauty_path(i))[..., :3] for i in range(*take.info.frames))
        own = opening(video.read_frames(clip, LEARNT))
        frames = min(len(driven), len(own))
        loud = loudness(voice, take.info.fps, frames)
        own, driven = own[:frames], driven[:frames]
        yield (
            f"{name}: {metrics.correlation(driven, own):.3f} over {frames} frames"
            f" (loudness jaw {metrics.correlation(loud, own):.3f};"
            f" spread {np.std(driven) / np.std(own):.2f} of the speaker's); {run}"
        )


def opening(frames: Iterable[np.ndarray]) -> np.ndarray:
    """Distance of the inner lips over that of the outer eye corners, [T], measured by mediapipe."""
    pictures = [np.ascontiguousarray(frame) for frame in frames]
    points = landmarks.track(pictures, len(pictures), Reporter(quiet=True)).points
    lips = np.linalg.norm(points[:, UPPER_LIP, :2] - points[:, LOWER_LIP, :2], axis=-1)
    return lips / np.linalg.norm(points[:, EYES[0], :2] - points[:, EYES[1], :2], axis=-1)


def loudness(voice: Path, fps: Fraction, frames: int) -> np.ndarray:
    """Loudness of each frame in dB, [frames]: the simplest jaw there is."""
    samples = audio.read_audio(voice)
    edges = (np.arange(frames + 1) * audio.SPEECH_RATE / float(fps)).astype(int)
    power = [np.mean(samples[a:b] ** 2) if b > a else 0.0 for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return 10 * np.log10(np.array(power) + 1e-6)
