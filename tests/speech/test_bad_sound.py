"""Sound as people have it: each kind is heard, or refused with a reason."""

from fractions import Fraction

import numpy as np
import pytest
import soundfile

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.events import Reporter
from relitalk_engine.media.audio import read_blocks
from relitalk_engine.pipeline.motion import name_the_track
from relitalk_engine.speech.features import PhoneFeatures

FPS = Fraction(25)
LAYOUT = PhoneFeatures().layout


def hear(path, frames: int = 75) -> np.ndarray:
    return PhoneFeatures(words=False, name=path.name).extract(read_blocks(path), FPS, frames)


def resampled(voice: np.ndarray, rate: int) -> np.ndarray:
    from scipy.signal import resample_poly

    return resample_poly(voice, rate // 8000, 2).astype(np.float32)


@pytest.fixture(scope="module")
def clean(sample_voice) -> np.ndarray:
    return hear(sample_voice)


@pytest.mark.parametrize("kind", ["telephone", "96 kHz", "7.1", "clipped", "blocks"])
def test_the_same_voice_is_heard_alike(kind, other_voice, clean, tmp_path):
    path, rate, sound = tmp_path / "voice.wav", 16000, other_voice
    if kind == "telephone":
        rate, sound = 8000, resampled(other_voice, 8000)
    elif kind == "96 kHz":
        rate, sound = 96000, resampled(other_voice, 96000)
    elif kind == "7.1":
        sound = np.zeros((len(other_voice), 8), np.float32)
        sound[:, 2] = other_voice  # the centre
    elif kind == "clipped":
        sound = np.clip(other_voice * 8, -1, 1)
    soundfile.write(path, sound, rate)
    heard = hear(path)
    assert np.isfinite(heard).all()
    jaw = LAYOUT.spoken.start
    assert np.corrcoef(heard[:, jaw], clean[:, jaw])[0, 1] > (0.6 if kind in ("telephone", "clipped") else 0.95)


def test_noise_and_music_leave_numbers(tmp_path):
    time = np.arange(32000) / 16000
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32000)
    music = sum(np.sin(2 * np.pi * f * time) for f in (220, 277, 330)) * (np.sin(6 * time) ** 2) / 4
    for sound in (noise, music):
        soundfile.write(tmp_path / "odd.wav", sound, 16000)
        heard = hear(tmp_path / "odd.wav", 50)
        assert np.isfinite(heard).all() and np.abs(heard).max() < 50


@pytest.mark.parametrize(
    ("sound", "reason"), [(np.ones(1600) * 0.3, r"0\.10 s long"), (np.zeros(32000), "is silent"), (None, "not sound")]
)
def test_what_says_nothing_is_refused_with_a_reason(sound, reason, tmp_path):
    path = tmp_path / "voice.wav"
    if sound is None:
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    else:
        soundfile.write(path, sound, 16000)
    with pytest.raises(ReliTalkError, match=reason) as refused:
        hear(path, 10)
    assert refused.value.exit_code == 2


def test_a_torn_file_is_heard_as_far_as_it_goes_or_refused(sample_voice, tmp_path):
    torn = tmp_path / "torn.wav"
    data = bytearray(sample_voice.read_bytes()[:60000])
    data[20000:20400] = bytes(400)
    torn.write_bytes(bytes(data))
    assert np.isfinite(hear(torn, 30)).all()


def test_a_damaged_flac_is_refused_by_name(sample_voice, tmp_path):
    damaged = tmp_path / "voice.flac"
    soundfile.write(damaged, *soundfile.read(sample_voice))
    data = bytearray(damaged.read_bytes())
    data[20000:20600] = np.random.default_rng(0).bytes(600)
    damaged.write_bytes(bytes(data))
    with pytest.raises(ReliTalkError, match=r"voice\.flac is damaged") as refused:
        hear(damaged)
    assert refused.value.exit_code == 2


def test_of_several_tracks_the_first_is_heard_and_named(other_voice, clean, tmp_path):
    import av

    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=16000, layout="mono") for _ in range(2)]
        for stream, sound in zip(streams, (other_voice, 0.3 * np.sin(np.arange(len(other_voice)))), strict=True):
            for start in range(0, len(sound), 1600):
                block = (np.asarray(sound[start : start + 1600]) * 32767).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="s16", layout="mono")
                frame.sample_rate, frame.pts = 16000, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    jaw = LAYOUT.spoken.start
    assert np.corrcoef(hear(path)[:, jaw], clean[:, jaw])[0, 1] > 0.95

    class Listening(Reporter):
        said = ""

        def warning(self, message: str) -> None:
            Listening.said = message

    name_the_track(path, Listening(quiet=True))
    assert "2 sound tracks; the first" in Listening.said


def test_blocks_are_heard_as_the_whole(other_voice, clean):
    blocks = (other_voice[k : k + 777] for k in range(0, len(other_voice), 777))
    assert np.array_equal(PhoneFeatures(words=False).extract(blocks, FPS, 75), clean)
