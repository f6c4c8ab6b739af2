"""Sound: rates, parts, sync with the picture, files with none."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.media import audio


def chirp(seconds: float, rate: int) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * time + 400 * time**2))).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_any_rate_comes_at_the_wanted_one_without_delay(tmp_path, rate):
    path = tmp_path / "sound.wav"
    soundfile.write(path, chirp(1.5, rate), rate, "FLOAT")
    got, wanted = audio.read_audio(path, 16000), chirp(1.5, 16000)
    assert got.dtype == np.float32 and abs(len(got) - 24000) <= 2
    assert np.abs(got[200:23000] - wanted[200:23000]).max() < 0.01
    assert audio.audio_seconds(path) == pytest.approx(1.5)


def test_channels_are_averaged_and_parts_are_cut(tmp_path):
    left = chirp(2.0, 16000)
    path = tmp_path / "sound.flac"
    soundfile.write(path, np.stack([left, np.zeros_like(left)], 1), 16000)
    whole = audio.read_audio(path)
    assert np.abs(whole - left / 2).max() < 1e-3
    part = audio.read_audio(path, start=0.5, duration=1.0)
    assert len(part) == 16000 and (part == whole[8000:24000]).all()
    assert len(audio.read_audio(path, start=1.75, duration=1.0)) == 4000


def test_blocks_are_small_however_long_the_sound(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(16000 * 60, np.float32), 16000)
    sizes = [len(block) for block in audio.read_blocks(path)]
    assert sum(sizes) == 16000 * 60 and max(sizes) < 16000 * 10


def test_a_film_gives_its_sound_and_a_silent_film_says_so(make_clip, tmp_path):
    wav = tmp_path / "out.wav"
    silent = make_clip("silent.mp4")
    assert audio.extract_audio(silent, wav) is False and not wav.exists()
    with pytest.raises(ReliTalkError) as error:
        audio.read_audio(silent)
    assert error.value.code == "no_sound"
    tone = chirp(0.8, 16000)
    film = make_clip(sound=tone)
    assert audio.extract_audio(film, wav, start=0.2, duration=0.4)
    got, rate = soundfile.read(wav)
    assert rate == 16000 and len(got) == 6400
    assert np.abs(got - tone[3200:9600]).mean() < 0.03


@pytest.mark.parametrize("late", [0.0, 0.2])
def test_sound_that_starts_late_stays_in_sync_with_the_picture(make_clip, late):
    tone = np.zeros(16000 * 8 // 10, np.float32)
    tone[4000:4400] = 0.8
    heard = audio.read_audio(make_clip("film.mkv", sound=tone, sound_at=late, ticks=range(30)))
    click = np.flatnonzero(np.abs(heard) > 0.3)[0] / 16000
    assert click == pytest.approx(0.25 + late, abs=0.005)


def test_a_picture_that_starts_late_is_time_zero(make_clip):
    tone = np.zeros(16000, np.float32)
    tone[8000:8400] = 0.8
    heard = audio.read_audio(make_clip("film.mkv", sound=tone, ticks=range(5, 30)))
    click = np.flatnonzero(np.abs(heard) > 0.3)[0] / 16000
    assert click == pytest.approx(0.5 - 0.2, abs=0.005)


def test_a_copy_is_a_wav_of_the_same_sound(sample_voice, sample_clip, tmp_path):
    copy = tmp_path / "copy.wav"
    audio.copy_as_wav(sample_voice, copy)
    assert (soundfile.read(copy)[0] == soundfile.read(sample_voice)[0]).all()
    audio.copy_as_wav(sample_clip, copy)
    assert soundfile.info(copy).subtype == "PCM_16"
    assert audio.audio_seconds(copy) == pytest.approx(audio.audio_seconds(sample_clip))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.wav"]


def test_bad_sound_is_refused_in_sentences(tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("not sound")
    for path, code in ((tmp_path / "none.wav", "no_such_file"), (tmp_path, "not_a_file"), (text, "not_audio")):
        with pytest.raises(ReliTalkError) as error:
            audio.read_audio(path)
        assert error.value.code == code and str(path) in error.value.message
    with pytest.raises(ReliTalkError, match="0.20 s long"):
        audio.check_voice(np.ones(3200, np.float32), 16000, "short.wav")
    with pytest.raises(ReliTalkError, match="silent"):
        audio.check_voice(np.zeros(16000, np.float32), 16000, "silent.wav")
    audio.check_voice(chirp(1.0, 16000), 16000, "voice.wav")
    with pytest.raises(ReliTalkError, match="cannot be written"):
        audio.copy_as_wav(sample(tmp_path), tmp_path / "text.wav" / "out.wav")


def sample(folder):
    path = folder / "sample.wav"
    soundfile.write(path, chirp(0.5, 16000), 16000)
    return path
