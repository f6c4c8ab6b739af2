"""Clips: what a video file is, and its frames at one constant rate, upright, in display-referred RGB."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReliTalkError
from . import timeline
from .files import existing
from .lossless import LosslessReader, LosslessWriter
from .preview import write_preview

if TYPE_CHECKING:
    import av

__all__ = ["ClipInfo", "LosslessReader", "LosslessWriter", "probe", "read_frames", "write_preview"]

MATRIX_NAMES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020", 10: "BT2020"}
FULL_RANGE = 2
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
SEEK_MARGIN = 1.0


@dataclass(frozen=True)
class ClipInfo:
    """A video file as `read_frames` gives it.

    Attributes:
        path: the file.
        width: of an upright frame, in square pixels.
        height: of an upright frame.
        fps: the constant rate of the frames read: the file's own, halved until it is 60 or less.
        frames: how many frames `read_frames` gives.
        duration: frames / fps, in seconds.
        has_audio: whether there is a sound stream.
        rotation: degrees by which stored frames are turned counter-clockwise to stand upright: 0, 90, 180 or 270.
        variable: whether the file's own frame times are uneven.
        matrix: the YUV matrix it is decoded with, such as "ITU709"; "RGB" where there is none.
        matrix_guessed: the file does not name its matrix, so it was chosen by the number of lines.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int
    duration: float
    has_audio: bool
    rotation: int
    variable: bool = False
    matrix: str = "ITU709"
    matrix_guessed: bool = False


def probe(path: str | Path) -> ClipInfo:
    """Say what a video file is. Reads its packets once, decodes one frame.

    Raises:
        ReliTalkError: no such file; not a video; an HDR video (PQ or HLG).
    """
    with _Clip(Path(path)) as clip:
        return clip.info


def read_frames(path: str | Path, start: float = 0.0, duration: float | None = None) -> Iterator[np.ndarray]:
    """Read a clip's frames, one at a time, at the constant rate `probe(path).fps`.

    A clip of uneven frame times gives the frame nearest to each time; above 60 frames a second every second one is
    read. A frame that is damaged is replaced by its nearest neighbour in time.

    Args:
        path: the video file.
        start: seconds after its first frame, rounded to a frame.
        duration: seconds; None reads to the end.

    Yields:
        [H, W, 3] uint8, display-referred RGB, upright, square pixels.

    Raises:
        ReliTalkError: as `probe`; or `start` lies behind the end; or most frames are damaged.
    """
    with _Clip(Path(path)) as clip:
        first = round(start * clip.info.fps)
        last = clip.info.frames if duration is None else min(clip.info.frames, first + round(duration * clip.info.fps))
        if not 0 <= first < clip.info.frames:
            raise ReliTalkError(
                "start_outside", f"{path} is {clip.info.duration:.2f} s long and cannot be read from {start:g} s on.",
                "Choose a start inside the clip.",
            )
        yield from clip.read(first, last)


def _open(path: str | Path) -> av.container.InputContainer:
    import av

    path = existing(path, "video")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise ReliTalkError(
            "not_a_video", f"{path} is not a video that can be read.",
            "Give a video file such as MP4, MOV, MKV or WebM; if it is one, it may be cut short or damaged.",
        ) from error
    return container


class _Clip:
    """An open video file with the plan of which stored frame stands at which time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()
        try:
            self._look()
        except BaseException:
            self.container.close()
            raise

    def __enter__(self) -> _Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def _open(self) -> None:
        self.container = _open(self.path)
        streams = [s for s in self.container.streams.video if not _is_cover(s)]
        if not streams:
            self.container.close()
            raise ReliTalkError("not_a_video", f"{self.path} has no picture in it, only sound.", "Give a video file.")
        self.stream = streams[0]
        self.stream.thread_type = "AUTO"

    def _look(self) -> None:
        path = self.path
        transfer = self.stream.codec_context.color_trc
        if transfer in HDR_TRANSFERS:
            raise ReliTalkError(
                "hdr_video", f"{path} is an HDR video ({HDR_TRANSFERS[transfer]}), which is not read yet.",
                "Convert it to standard range (SDR, BT.709) first, or record without HDR.",
            )
        times, count = self._packet_times()
        self.timed = times is not None
        stream = self.stream
        named = [Fraction(r) for r in (stream.average_rate, stream.guessed_rate, stream.base_rate) if r]
        if times is None:
            line = timeline.counted(count, named)
        else:
            line = timeline.timed(times, Fraction(stream.time_base or 1), named)
        self.plan = line.times
        frame = self._first_frame()
        self.rotation = round(frame.rotation / 90) * 90 % 360
        self.matrix, guessed = _matrix(frame)
        aspect = self.stream.codec_context.sample_aspect_ratio or Fraction(1)
        self.stored_size = (max(1, round(frame.width * aspect)), frame.height)
        width, height = self.stored_size if self.rotation % 180 == 0 else self.stored_size[::-1]
        self.info = ClipInfo(
            path, width, height, line.fps, len(self.plan), float(len(self.plan) / line.fps),
            bool(self.container.streams.audio), self.rotation, line.variable, self.matrix, guessed,
        )

    def _packet_times(self) -> tuple[np.ndarray | None, int]:
        """Frame times in the stream's units, [n] int64 rising (None: it has none), and the count of frames."""
        import av

        found, count = array("q"), 0
        try:
            for packet in self.container.demux(self.stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                count += 1
                if packet.pts is not None:
                    found.append(packet.pts)
        except av.error.FFmpegError:
            pass  # cut short: what came before the damage counts
        if count == 0:
            raise ReliTalkError("not_a_video", f"{self.path} holds no frame.", "Give another video file.")
        return (np.unique(np.frombuffer(found, np.int64)) if len(found) == count else None), count

    def _first_frame(self) -> av.VideoFrame:
        import av

        try:
            self._seek(0)
            for frame in self._decoded():
                return frame
        except av.error.FFmpegError:
            pass
        raise ReliTalkError("damaged_video", f"No frame of {self.path} can be decoded.", "Give another copy of it.")

    def _seek(self, index: int) -> None:
        """Go to a key frame before frame `index` of the plan; to the beginning where the file cannot be searched."""
        import av

        if self.timed:
            margin = int(SEEK_MARGIN / float(self.stream.time_base or 1))
            try:
                self.container.seek(int(self.plan[index]) - margin, stream=self.stream)
                return
            except av.error.FFmpegError:
                pass
        self.container.close()
        self._open()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Frames as they come, passing over damaged packets."""
        import av

        for packet in self.container.demux(self.stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue

    def read(self, first: int, last: int) -> Iterator[np.ndarray]:
        """Yield frames `first` up to `last` (half-open) of the plan."""
        from av.video.reformatter import VideoReformatter

        if first >= last:
            return
        self._seek(first)
        reformatter = VideoReformatter()
        held: tuple[int, av.VideoFrame] | None = None
        rgb: tuple[int, np.ndarray] | None = None  # the last converted, for frames that are shown twice
        index, found = first, 0
        for number, frame in enumerate(self._decoded()):
            time = frame.pts if self.timed else number
            if time is None:
                continue
            while index < last and self.plan[index] <= time:
                wanted = int(self.plan[index])
                chosen = (time, frame)
                if held is not None and wanted - held[0] < time - wanted:
                    chosen = held
                found += chosen[0] == wanted
                if rgb is None or rgb[0] != chosen[0]:
                    rgb = (chosen[0], self._upright(chosen[1], reformatter))
                yield rgb[1].copy()
                index += 1
            if index >= last:
                break
            held = (time, frame)
        if found < 0.5 * (last - first):
            raise ReliTalkError(
                "damaged_video", f"Only {found} of {last - first} frames of {self.path} can be decoded.",
                "Give another copy of it.",
            )
        if held is not None:
            for _ in range(index, last):
                yield self._upright(held[1], reformatter)

    def _upright(self, frame: av.VideoFrame, reformatter: Any) -> np.ndarray:
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        quality = (Interpolation.BICUBIC | Interpolation.ACCURATE_RND
                   | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP)
        matrix = Colorspace[self.matrix] if self.matrix != "RGB" else None
        full = frame.color_range == FULL_RANGE or frame.format.name.startswith(("yuvj", "gray")) or matrix is None
        width, height = self.stored_size
        rgb = reformatter.reformat(
            frame, width, height, "rgb24", src_colorspace=matrix, dst_colorspace=matrix, interpolation=quality,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG, dst_color_range=ColorRange.JPEG,
        ).to_ndarray()
        return np.ascontiguousarray(np.rot90(rgb, self.rotation // 90))


def _is_cover(stream: Any) -> bool:
    """Whether a video stream is the cover picture of a sound file."""
    return "attached_pic" in str(stream.disposition)


def _matrix(frame: av.VideoFrame) -> tuple[str, bool]:
    """The name of a frame's YUV matrix, and whether it had to be guessed."""
    if frame.format.is_rgb:
        return "RGB", False
    named = MATRIX_NAMES.get(int(frame.colorspace))
    return (named, False) if named else ("ITU709" if frame.height >= 720 else "ITU601", True)
