"""Clips made for the tests: every frame carries its number as eight black or white blocks along its top."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from relitalk_engine.media import video


def draw_number(index: int, height: int, width: int) -> np.ndarray:
    """[height, width, 3] uint8: eight blocks for the bits of `index`; below them red on the left, blue on the right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 :, : width // 2] = (200, 40, 40)
    image[height // 2 :, width // 2 :] = (40, 40, 200)
    step = width // 8
    for bit in range(8):
        image[: height // 2, bit * step : (bit + 1) * step] = 255 * (index >> bit & 1)
    return image


def read_number(image: np.ndarray) -> int:
    """The number that `draw_number` wrote."""
    height, width = image.shape[:2]
    step = width // 8
    centres = [image[height // 4, bit * step + step // 2].mean() > 127 for bit in range(8)]
    return sum(int(on) << bit for bit, on in enumerate(centres))


@pytest.fixture
def numbered():
    """The picture of frame `index`: numbered(index, height, width)."""
    return draw_number


@pytest.fixture
def numbers():
    """The numbers of the frames that are read: numbers(path, start=…, duration=…)."""
    return lambda path, **part: [read_number(frame) for frame in video.read_frames(path, **part)]


@pytest.fixture
def make_clip(tmp_path):
    """Make a clip: ticks are the frames' times in units of `base`; sound is [n] at 16 kHz, starting at `sound_at` s."""

    def make(
        name="clip.mp4", ticks=range(20), base=Fraction(1, 25), size=(64, 96), rate=None, rotation=0, sound=None,
        sound_at=0.0, pixels="yuv420p", codec="libx264", setup=None, picture=draw_number,
    ):
        path = tmp_path / name
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=rate or 1 / base)
            stream.height, stream.width, stream.pix_fmt = *size, pixels
            stream.time_base = stream.codec_context.time_base = base
            if codec == "libx264":
                stream.options = {"crf": "8", "preset": "veryfast", "g": "10"}
            if setup:
                setup(stream.codec_context)
            if rotation:
                stream.set_display_rotation(rotation)
            audio = out.add_stream("aac", rate=16000, layout="mono") if sound is not None else None
            for index, tick in enumerate(ticks):
                frame = av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24").reformat(format=pixels)
                frame.pts, frame.time_base = tick, base
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
            if audio is not None:
                frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 16000, round(sound_at * 16000), Fraction(1, 16000)
                out.mux(audio.encode(frame))
                out.mux(audio.encode(None))
        return path

    return make
