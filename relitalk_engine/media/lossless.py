"""Lossless RGB video (FFV1 in Matroska): every frame a key frame, so that any frame is read exactly and at once."""

from __future__ import annotations

from array import array
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import ReliTalkError
from .files import existing, replacing


class LosslessWriter:
    """Write RGB frames losslessly; the file appears at its place when the block ends well.

    Args:
        path: a .mkv file.
        fps: frames per second.
    """

    def __init__(self, path: str | Path, fps: Fraction) -> None:
        self.path = Path(path)
        self.fps = Fraction(fps)
        self.frames = 0
        self._size: tuple[int, ...] | None = None
        self._stack = ExitStack()
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> LosslessWriter:
        import av

        part = self._stack.enter_context(replacing(self.path))
        self._container = self._stack.enter_context(av.open(str(part), "w", format="matroska"))
        return self

    def write(self, rgb: np.ndarray) -> None:
        """Append a frame, [H, W, 3] uint8.

        Raises:
            ValueError: another type, or another size than the first frame's.
        """
        import av

        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise ValueError(f"a frame is [H, W, 3] uint8, not {rgb.shape} {rgb.dtype}")
        if self._stream is None:
            self._size = rgb.shape[:2]
            self._stream = self._container.add_stream("ffv1", rate=self.fps)
            self._stream.height, self._stream.width = rgb.shape[:2]
            self._stream.pix_fmt = "bgr0"
            self._stream.gop_size = 1
            self._stream.options = {"level": "3", "slices": "4", "slicecrc": "1", "coder": "1", "context": "0"}
        if rgb.shape[:2] != self._size:
            raise ValueError(f"all frames are {self._size}, this one is {rgb.shape[:2]}")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="bgr0")
        frame.pts, frame.time_base = self.frames, 1 / self.fps
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is None:
            try:
                if self._stream is None:
                    raise ReliTalkError("no_frames", f"There was no frame to write to {self.path}.")
                self._container.mux(self._stream.encode(None))
            except BaseException as late:
                self._stack.__exit__(type(late), late, late.__traceback__)
                raise
        return self._stack.__exit__(kind, error, trace)


class LosslessReader:
    """Read any frame of a file that `LosslessWriter` wrote. Holds the times of the frames, and no frame.

    Quick from frame to frame in order; a jump costs one seek. One reader belongs to one thread.

    Args:
        path: the .mkv file.

    Raises:
        ReliTalkError: no such file, or not one of these.
    """

    def __init__(self, path: str | Path) -> None:
        import av

        self.path = existing(path, "frames")
        times = array("q")
        try:
            self._container = av.open(str(self.path))
            self._stream = self._container.streams.video[0]
            if self._stream.codec_context.name != "ffv1":
                raise self._damaged()
            for packet in self._container.demux(self._stream):
                if packet.size and packet.pts is not None:
                    times.append(packet.pts)
        except (av.error.FFmpegError, IndexError) as error:
            raise self._damaged() from error
        if not times:
            raise self._damaged()
        self._stream.thread_type = "SLICE"
        self._times = times
        self._packets: Any = None
        self._next = -1
        context = self._stream.codec_context
        self.size = (context.height, context.width)
        self.fps = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)

    def __len__(self) -> int:
        return len(self._times)

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame `index`, [H, W, 3] uint8; negative numbers count from the end.

        Raises:
            IndexError: there is no such frame.
            ReliTalkError: the file is damaged there.
        """
        import av

        index = index + len(self) if index < 0 else index
        if not 0 <= index < len(self):
            raise IndexError(f"{self.path} has {len(self)} frames, not frame {index}")
        try:
            if self._packets is None or index != self._next:
                self._stream.codec_context.flush_buffers()
                self._container.seek(self._times[index], stream=self._stream)
                self._packets = self._container.demux(self._stream)
            for packet in self._packets:
                if packet.size and packet.pts == self._times[index]:
                    frames = packet.decode()
                    self._next = index + 1
                    return frames[0].to_ndarray(format="rgb24")
        except (av.error.FFmpegError, IndexError) as error:
            self._packets = None
            raise self._damaged() from error
        self._packets = None
        raise self._damaged()

    def close(self) -> None:
        """Let go of the file."""
        self._packets = None
        self._container.close()

    def __enter__(self) -> LosslessReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _damaged(self) -> ReliTalkError:
        return ReliTalkError(
            "bad_frames", f"{self.path} is not a whole file of lossless frames.", "Train the subject again."
        )
