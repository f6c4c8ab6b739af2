"""Preview videos that play everywhere: H.264 and AAC in MP4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReliTalkError
from .files import existing, replacing

QUALITY = {"crf": "18", "preset": "veryfast"}


def write_preview(
    path: str | Path, frames: Iterable[np.ndarray], fps: Fraction, audio: str | Path | None = None, comment: str = ""
) -> int:
    """Write frames and sound as an MP4 that ends with its last frame. Sizes are padded to even ones.

    Args:
        path: the .mp4 file; it appears when it is whole.
        frames: [H, W, 3] uint8 each, display-referred RGB, all of one size; taken one at a time.
        fps: frames per second.
        audio: a sound file; None for no sound.
        comment: kept in the file's metadata; here goes that the video is synthetic.

    Returns:
        The number of frames written.

    Raises:
        ReliTalkError: there is no frame, the sound cannot be read, or the place cannot be written.
    """
    import av

    fps = Fraction(fps)
    count = 0
    with replacing(path) as part, av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        if comment:
            out.metadata["comment"] = comment
        sound = _Sound(out, audio) if audio is not None else None
        video: Any = None
        for rgb in frames:
            height, width = rgb.shape[:2]
            if video is None:
                video = _add_video(out, fps, height + height % 2, width + width % 2)
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            out.mux(video.encode(_to_yuv(rgb, count, fps)))
            count += 1
            if sound is not None:
                sound.write_until(count / fps)
        if video is None:
            raise ReliTalkError("no_frames", f"There was no frame to write to {path}.")
        out.mux(video.encode(None))
        if sound is not None:
            sound.finish()
    return count


def _add_video(out: Any, fps: Fraction, height: int, width: int) -> Any:
    from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

    video = out.add_stream("libx264", rate=fps, options=QUALITY)
    video.height, video.width, video.pix_fmt = height, width, "yuv420p"
    context = video.codec_context
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return video


def _to_yuv(rgb: np.ndarray, index: int, fps: Fraction) -> Any:
    import av
    from av.video.reformatter import ColorRange, Colorspace, Interpolation

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        format="yuv420p", src_colorspace=Colorspace.ITU709, dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
    )
    frame.pts, frame.time_base = index, 1 / fps
    return frame


class _Sound:
    """The sound of a preview, encoded in step with its frames so that nothing piles up."""

    def __init__(self, out: Any, path: str | Path) -> None:
        import av

        path = existing(path, "sound")
        try:
            self.source = av.open(str(path))
            stream = self.source.streams.audio[0]
        except (av.error.FFmpegError, OSError, IndexError) as error:
            raise ReliTalkError(
                "not_audio", f"{path} holds no sound that can be read.", "Give a sound file."
            ) from error
        self.out = out
        layout = "stereo" if stream.codec_context.channels > 1 else "mono"
        rate = stream.codec_context.sample_rate
        self.rate = rate if rate in (16000, 22050, 24000, 32000, 44100, 48000) else 48000
        self.stream = out.add_stream("aac", rate=self.rate, layout=layout, options={"b": "160000"})
        self.blocks = self._blocks(stream, av.AudioResampler(format="fltp", layout=layout, rate=self.rate))
        self.rest: np.ndarray | None = None
        self.written = 0

    def _blocks(self, stream: Any, resampler: Any) -> Iterator[np.ndarray]:
        for frame in self.source.decode(stream):
            for block in resampler.resample(frame):
                yield block.to_ndarray()
        for block in resampler.resample(None):
            yield block.to_ndarray()

    def write_until(self, time: Fraction) -> None:
        """Encode sound up to a time in seconds; the block that reaches over it is cut there."""
        import av

        wanted = round(time * self.rate)
        while self.written < wanted:
            samples = self.rest
            if samples is None or not samples.shape[1]:
                samples = next(self.blocks, None)
                if samples is None:
                    return
            room = wanted - self.written
            self.rest = samples[:, room:]
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[:, :room]), format="fltp", layout=self.stream.layout.name
            )
            frame.sample_rate, frame.pts, frame.time_base = self.rate, self.written, Fraction(1, self.rate)
            self.out.mux(self.stream.encode(frame))
            self.written += frame.samples

    def finish(self) -> None:
        """Encode what is left in the encoder and close the source."""
        self.out.mux(self.stream.encode(None))
        self.source.close()
