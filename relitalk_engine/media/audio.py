"""Sound in and out: mono float samples at a wanted rate from any file, WAV copies for subjects and takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReliTalkError
from .files import existing, replacing

SPEECH_RATE = 16000
SHORTEST = 0.3
QUIETEST = 1e-4
BLOCK = 65536


def read_blocks(
    path: str | Path, rate: int = SPEECH_RATE, start: float = 0.0, duration: float | None = None
) -> Iterator[np.ndarray]:
    """Read sound as mono samples in blocks, so that an hour of it needs no more memory than a second.

    Args:
        path: a sound file, or a video with sound; time 0 is then the video's first frame.
        rate: samples a second wanted.
        start: seconds to skip.
        duration: seconds to read; None reads to the end.

    Yields:
        [n] float32 in -1..1, the mean of the channels, n differing from block to block.

    Raises:
        ReliTalkError: no such file; not sound; a video without sound.
    """
    import av

    left = None if duration is None else round(duration * rate)
    skip = round(start * rate)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    blocks, source_rate = _open(path)
    for samples in _resampled(blocks, source_rate, resampler):
        if skip:
            skipped = min(skip, len(samples))
            samples, skip = samples[skipped:], skip - skipped
        if left is not None:
            samples = samples[:left]
            left -= len(samples)
        if len(samples):
            yield samples
        if left == 0:
            return


def read_audio(
    path: str | Path, rate: int = SPEECH_RATE, start: float = 0.0, duration: float | None = None
) -> np.ndarray:
    """Read sound as mono samples, [n] float32; see `read_blocks`."""
    blocks = list(read_blocks(path, rate, start, duration))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def audio_seconds(path: str | Path) -> float:
    """How long a sound is, in seconds, counted in samples.

    Raises:
        ReliTalkError: as `read_blocks`.
    """
    blocks, rate = _open(path)
    return sum(len(block) for block in blocks) / rate


def sound_tracks(path: str | Path) -> int:
    """How many sound tracks a file holds; the first is the one that is read.

    Raises:
        ReliTalkError: no such file.
    """
    import av

    path = existing(path, "sound")
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            return len(container.streams.audio)
    except (av.error.FFmpegError, OSError):
        return 1  # a sound file that only the other reader knows


def extract_audio(video: str | Path, wav: str | Path, start: float = 0.0, duration: float | None = None) -> bool:
    """Write a video's sound as a 16-bit WAV whose time 0 is the video's frame at `start`.

    Args:
        video: the video file.
        wav: the file to write.
        start: seconds after the video's first frame.
        duration: seconds; None takes all.

    Returns:
        False where the video has no sound; nothing is written then.

    Raises:
        ReliTalkError: no such file; not a video; the place cannot be written.
    """
    try:
        blocks, rate = _open(video)
    except ReliTalkError as error:
        if error.code == "no_sound":
            return False
        raise
    _write_wav(wav, blocks, rate, round(start * rate), None if duration is None else round(duration * rate))
    return True


def copy_as_wav(path: str | Path, wav: str | Path, start: float = 0.0, duration: float | None = None) -> None:
    """Write any sound file again as a 16-bit WAV with its own rate and channels.

    Raises:
        ReliTalkError: as `read_blocks`; the place cannot be written.
    """
    blocks, rate = _open(path)
    _write_wav(wav, blocks, rate, round(start * rate), None if duration is None else round(duration * rate))


def check_voice(samples: np.ndarray, rate: int, name: str | Path) -> None:
    """Refuse a sound that nothing can be said from.

    Args:
        samples: [n] float in -1..1.
        rate: samples a second.
        name: the file's name, for the sentence.

    Raises:
        ReliTalkError: shorter than 0.3 s, or silent.
    """
    seconds = len(samples) / rate
    if seconds < SHORTEST:
        raise ReliTalkError(
            "short_audio", f"The sound {name} is {seconds:.2f} s long; at least {SHORTEST} s are needed.",
            "Give a longer recording.",
        )
    if float(np.abs(samples).max()) < QUIETEST:
        raise ReliTalkError("silent_audio", f"The sound {name} is silent.", "Give a recording with a voice in it.")


def _resampled(blocks: Iterator[np.ndarray], rate: int, resampler: Any) -> Iterator[np.ndarray]:
    import av

    for block in blocks:
        mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32)[None])
        frame = av.AudioFrame.from_ndarray(mono, format="flt", layout="mono")
        frame.sample_rate = rate
        for out in resampler.resample(frame):
            yield out.to_ndarray()[0]
    with suppress(ValueError):  # there was no block at all
        for out in resampler.resample(None):
            yield out.to_ndarray()[0]


def _open(path: str | Path) -> tuple[Iterator[np.ndarray], int]:
    """Blocks [n, channels] float32 and their rate, through soundfile where it can, else PyAV."""
    import soundfile

    path = existing(path, "sound")
    try:
        sound = soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError:
        return _open_container(path)
    return _file_blocks(sound), sound.samplerate


def _file_blocks(sound: Any) -> Iterator[np.ndarray]:
    import soundfile

    with sound:
        while True:
            try:
                block = sound.read(BLOCK, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise ReliTalkError(
                    "torn_audio", f"{sound.name} is damaged and cannot be read to its end.", "Copy or export it again."
                ) from error
            if not len(block):
                return
            yield np.nan_to_num(block)


def _open_container(path: Path) -> tuple[Iterator[np.ndarray], int]:
    import av

    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise ReliTalkError(
            "not_audio", f"{path} is not sound that can be read.", "Give a sound file such as WAV, FLAC, MP3 or M4A."
        ) from error
    if not container.streams.audio or not container.streams.audio[0].codec_context:
        silent_film = bool(container.streams.video)
        container.close()
        if silent_film:
            raise ReliTalkError("no_sound", f"{path} has no sound.", "Give a file with sound.")
        raise ReliTalkError(
            "not_audio", f"{path} is not sound that can be read.", "Give a sound file such as WAV, FLAC, MP3 or M4A."
        )
    return _container_blocks(container), container.streams.audio[0].codec_context.sample_rate


def _container_blocks(container: Any) -> Iterator[np.ndarray]:
    """Decode a container's sound, padded or cut at its beginning so that it starts with the picture.

    Gaps in the stream's times longer than 50 ms are filled with silence, so that speech after them stays in sync.
    """
    import av

    with container:
        stream = container.streams.audio[0]
        rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
        videos = [s for s in container.streams.video if "attached_pic" not in str(s.disposition)]
        origin = float((videos[0].start_time or 0) * videos[0].time_base) if videos else None
        resampler = av.AudioResampler(format="flt", layout=stream.codec_context.layout.name, rate=rate)
        position: int | None = None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                time = None if frame.pts is None else float(frame.pts * frame.time_base)
                if position is None:
                    origin = time if origin is None else origin
                    position = 0
                for out in resampler.resample(frame):
                    block = np.nan_to_num(out.to_ndarray().reshape(-1, channels))
                    late = 0 if time is None or origin is None else round((time - origin) * rate) - position
                    if position == 0 and late < 0:
                        block, late = block[-late:], 0
                        if not len(block):
                            continue
                    if late > (0 if position == 0 else 0.05 * rate):
                        yield np.zeros((late, channels), np.float32)
                        position += late
                    yield block
                    position += len(block)


def _write_wav(wav: str | Path, blocks: Iterator[np.ndarray], rate: int, skip: int, left: int | None) -> None:
    import soundfile

    out: Any = None
    with replacing(wav) as part:
        try:
            for block in blocks:
                skipped = min(skip, len(block))
                block, skip = block[skipped:], skip - skipped
                if left is not None:
                    block = block[:left]
                    left -= len(block)
                if out is None:
                    out = soundfile.SoundFile(str(part), "w", rate, block.shape[1], "PCM_16", format="WAV")
                out.write(np.clip(block, -1.0, 1.0))
                if left == 0:
                    break
            if out is None:
                raise ReliTalkError("empty_audio", f"There is no sound to write to {wav}.", "Give a longer recording.")
        finally:
            if out is not None:
                out.close()
