"""How well the painted mouth follows the speaker's own held-out speech, over its own footage, as mediapipe sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from relitalk_engine.evaluate import metrics
from relitalk_engine.events import Reporter
from relitalk_engine.face import landmarks
from relitalk_engine.media import audio, images, video
from relitalk_engine.media.preview import write_preview
from relitalk_engine.speech.features import loudness
from relitalk_engine.take import Take

from .held_out import Held, held, pictures
from .voice_clips import RATE, lag

UPPER_LIP, LOWER_LIP, EYES = 13, 14, (33, 263)
"""mediapipe's numbers: inner lips in the middle, outer eye corners."""
EVERY, ACROSS, SIDE = 2, 12, 144
"""A strip shows every second frame, twelve beside each other, each so many pixels wide."""


def mouth(again: bool) -> Iterator[str]:
    """talk_a and talk_b, one fold each; asked for: 0.75."""
    yield "one fold a clip: its last fifth, learnt from the first four; four would train eight subjects"
    for name in ("talk_a", "talk_b"):
        who = held(name, "draft", again)
        take = who.heard
        true = cropped(who, take)
        driven = [pictures(take)(t) for t in range(len(true))]
        voice = audio.read_audio(who.place.with_suffix(".wav"), RATE)
        yield f"{name}: {follows(true, driven, voice, take.info.fps)}"
        yield f"{name}: {strip(who, take, true, driven)}, true above driven; {film(who, take, true, driven)}"


def cropped(who: Held, take: Take) -> list[np.ndarray]:
    """The true frames in the take's crop, [H, W, 3] uint8 each."""
    x, y, width, height = take.info.crop
    frames = islice(video.read_frames(who.clip, who.start), take.info.frames[1])
    return [np.ascontiguousarray(frame[y : y + height, x : x + width]) for frame in frames]


def follows(true: Sequence[np.ndarray], driven: Sequence[np.ndarray], voice: np.ndarray, fps: Fraction) -> str:
    """How the driven frames' mouth follows the true one's."""
    own, mine = opening(true), opening(driven)
    loud = loudness(voice, fps, len(own))
    return (
        f"aperture {metrics.correlation(mine, own):.3f} over {len(own)} frames"
        f" (loudness jaw {metrics.correlation(loud, own):.3f}), spread {np.std(mine) / np.std(own):.2f} of the"
        f" speaker's, lag {1000 / float(fps) * lag(mine, own):+.0f} ms"
    )


def opening(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Distance of the inner lips over that of the outer eye corners, [T], measured by mediapipe."""
    points = landmarks.track(frames, len(frames), Reporter(quiet=True)).points
    lips = np.linalg.norm(points[:, UPPER_LIP, :2] - points[:, LOWER_LIP, :2], axis=-1)
    return lips / np.linalg.norm(points[:, EYES[0], :2] - points[:, EYES[1], :2], axis=-1)


def strip(who: Held, take: Take, true: Sequence[np.ndarray], driven: Sequence[np.ndarray]) -> Path:
    """Mouths beside each other in time, true above driven, as a PNG."""
    import cv2

    boxes = np.array(take.info.removed[: len(true)], float)
    centre, half = boxes[:, :2] + boxes[:, 2:] / 2, float(np.median(boxes[:, 2:])) / 2
    scale = SIDE / (2 * half)
    lines: list[list[np.ndarray]] = []
    shown = np.arange(0, len(true) // EVERY * EVERY, EVERY)
    shown = shown[: len(shown) // ACROSS * ACROSS]
    for start in range(0, len(shown), ACROSS):
        for frames in (true, driven):
            cells = []
            for t in shown[start : start + ACROSS]:
                shift = SIDE / 2 - scale * centre[t]
                matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
                cells.append(cv2.warpAffine(frames[t], matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC))
            lines.append(cells)
        lines.append([np.full((8, SIDE, 3), 255, np.uint8)] * ACROSS)
    path = who.place.with_name(f"{who.place.stem}_mouths.png")
    images.write_png(path, np.concatenate([np.concatenate(cells, 1) for cells in lines]))
    return path


def film(who: Held, take: Take, true: Sequence[np.ndarray], driven: Sequence[np.ndarray]) -> Path:
    """True and driven frames side by side with the sound, as an MP4."""
    path = who.place.with_name(f"{who.place.stem}_mouths.mp4")
    pairs = (np.concatenate(pair, 1) for pair in zip(true, driven, strict=True))
    write_preview(path, pairs, take.info.fps, who.place.with_suffix(".wav"), "true and driven; synthetic on the right")
    return path
