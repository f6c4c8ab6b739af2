"""What a clip is, and its frames: times, rates, rotation, sizes, matrices, damage."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.media import audio, images, video


def test_a_plain_clip_gives_each_frame_once(make_clip, numbers):
    path = make_clip()
    info = video.probe(path)
    assert (info.fps, info.frames, info.width, info.height, info.has_audio) == (Fraction(25), 20, 96, 64, False)
    assert info.duration == pytest.approx(0.8) and not info.variable
    assert numbers(path) == list(range(20))


def test_a_part_is_the_same_frames_as_in_the_whole(make_clip, numbers):
    path = make_clip(ticks=range(100))
    assert numbers(path, start=2.0, duration=0.4) == list(range(50, 60))
    assert numbers(path, start=3.8, duration=9.0) == list(range(95, 100))


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(24), Fraction(12)])
def test_a_rational_rate_is_kept(make_clip, name, rate, numbers):
    path = make_clip(name, ticks=range(50), base=1 / rate)
    info = video.probe(path)
    assert info.fps == rate and info.frames == 50
    assert numbers(path) == list(range(50))


def test_above_sixty_every_second_frame_is_read(make_clip, numbers):
    path = make_clip(base=Fraction(1, 120), ticks=range(41))
    assert video.probe(path).fps == 60
    assert numbers(path) == list(range(0, 41, 2))
    path = make_clip("fast.mp4", base=Fraction(1001, 240000), ticks=range(40))
    assert video.probe(path).fps == Fraction(60000, 1001)
    assert numbers(path) == list(range(0, 40, 4))


def test_a_variable_rate_becomes_constant_by_the_nearest_times(make_clip, numbers):
    ticks = [0, 33, 67, 100, 133, 233, 267, 300, 400, 433, 467, 500]  # 30 a second, some left out
    path = make_clip(ticks=ticks, base=Fraction(1, 1000), rate=30)
    info = video.probe(path)
    assert info.variable and info.fps == 30
    got = numbers(path)
    assert len(got) == info.frames == 16
    for index, frame in enumerate(got):
        time = index * 1000 / 30
        assert abs(ticks[frame] - time) <= min(abs(tick - time) for tick in ticks) + 1


def test_jitter_does_not_change_the_rate_or_lose_frames(make_clip, numbers):
    rng = np.random.default_rng(0)
    ticks = [round(i * 40 + rng.uniform(-9, 9)) for i in range(60)]
    ticks = [t - ticks[0] for t in ticks]
    path = make_clip(ticks=ticks, base=Fraction(1, 1000), rate=25)
    info = video.probe(path)
    assert info.fps == 25 and abs(info.frames - 60) <= 1
    assert len(set(numbers(path))) >= 57


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_turned_clip_stands_upright(make_clip, rotation, numbered):
    path = make_clip(rotation=rotation)
    info = video.probe(path)
    upright = next(video.read_frames(path))
    assert upright.shape == (info.height, info.width, 3)
    assert (info.width, info.height) == ((96, 64) if rotation == 180 else (64, 96))
    assert info.rotation == rotation % 360
    stored = np.rot90(upright, -rotation // 90).astype(int)
    assert np.abs(stored - numbered(0, 64, 96)).mean() < 6


@pytest.mark.parametrize("size", [(65, 97), (63, 96), (64, 97)])
def test_odd_sizes_are_read(make_clip, size, numbered):
    path = make_clip(size=size, pixels="yuv444p")
    info = video.probe(path)
    assert (info.height, info.width) == size
    assert np.abs(next(video.read_frames(path)).astype(int) - numbered(0, *size)).max() < 40


def test_pixels_that_are_not_square_are_made_so(make_clip):
    path = make_clip(setup=lambda context: setattr(context, "sample_aspect_ratio", Fraction(4, 3)))
    info = video.probe(path)
    assert (info.width, info.height) == (128, 64)
    assert next(video.read_frames(path)).shape == (64, 128, 3)


def test_the_named_matrix_is_used_and_a_missing_one_goes_by_the_lines(make_clip):
    from av.video.reformatter import Colorspace

    def colours(index, height, width):
        return np.full((height, width, 3), (200, 60, 40), np.uint8)

    for size, name in (((64, 96), "ITU601"), ((720, 96), "ITU709")):
        path = make_clip(size=size, ticks=range(2), picture=colours)
        info = video.probe(path)
        assert (info.matrix, info.matrix_guessed) == (name, True)
    # what reformat wrote is BT.601; naming it 709 must change what is read
    plain = next(video.read_frames(make_clip("a.mp4", ticks=range(2), picture=colours))).astype(int)
    path = make_clip(
        "b.mp4", ticks=range(2), picture=colours, setup=lambda c: setattr(c, "colorspace", Colorspace.ITU709)
    )
    assert (video.probe(path).matrix, video.probe(path).matrix_guessed) == ("ITU709", False)
    named = next(video.read_frames(path)).astype(int)
    assert np.abs(plain - (200, 60, 40)).max() <= 3
    assert np.abs(named - plain).max() > 5


def test_hdr_is_refused_in_words(make_clip):
    from av.video.reformatter import ColorTrc

    path = make_clip(setup=lambda context: setattr(context, "color_trc", ColorTrc.SMPTE2084))
    with pytest.raises(ReliTalkError, match="HDR video") as error:
        video.probe(path)
    assert error.value.code == "hdr_video" and error.value.exit_code == 2


def test_a_stream_without_times_is_counted(make_clip, numbers):
    path = make_clip("raw.h264", ticks=range(30))
    assert video.probe(path).frames == 30
    assert numbers(path) == list(range(30))


def test_a_clip_cut_short_gives_what_it_has(make_clip, numbers):
    path = make_clip("whole.mkv", ticks=range(60), size=(240, 320))
    cut = path.with_name("cut.mkv")
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    info = video.probe(cut)
    frames = numbers(cut)
    assert 10 < info.frames < 60 and len(frames) == info.frames
    assert frames[:10] == list(range(10))


def test_damage_in_the_middle_is_bridged(make_clip, numbers):
    path = make_clip("whole.mkv", ticks=range(60), size=(240, 320))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    assert len(numbers(path)) == video.probe(path).frames


def test_bad_files_are_refused_in_sentences(make_clip, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    sound = tmp_path / "sound.m4a"
    with av.open(str(sound), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    for path, code in (
        (tmp_path / "none.mp4", "no_such_file"), (tmp_path, "not_a_file"), (text, "not_a_video"),
        (empty, "not_a_video"), (sound, "not_a_video"),
    ):
        with pytest.raises(ReliTalkError) as error:
            video.probe(path)
        assert error.value.code == code and str(path) in error.value.message and error.value.hint
    clip = make_clip()
    for start in (5.0, -1.0):
        with pytest.raises(ReliTalkError, match="cannot be read from"):
            next(video.read_frames(clip, start=start))


def test_a_long_clip_is_not_held_in_memory(make_clip):
    import tracemalloc

    path = make_clip(ticks=range(250), size=(144, 192))
    next(video.read_frames(path))
    tracemalloc.start()
    for _ in video.read_frames(path):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 144 * 192 * 3


def test_lossless_frames_come_back_to_the_bit_in_any_order(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (12, 33, 47, 3), np.uint8)
    path = tmp_path / "frames.mkv"
    with video.LosslessWriter(path, Fraction(24000, 1001)) as writer:
        for frame in frames:
            writer.write(frame)
    with video.LosslessReader(path) as reader:
        assert len(reader) == 12 and reader.size == (33, 47)
        assert float(reader.fps) == pytest.approx(24000 / 1001, rel=1e-4)
        for order in (range(12), [11, 0, 5, 5, 6, 2, 1, -1], rng.permutation(12)):
            for index in order:
                assert (reader[index] == frames[index]).all()
        with pytest.raises(IndexError):
            reader[12]


def test_a_lossless_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "frames.mkv"
    frame = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(RuntimeError), video.LosslessWriter(path, Fraction(25)) as writer:
        writer.write(frame)
        raise RuntimeError
    with pytest.raises(ReliTalkError, match="no frame"), video.LosslessWriter(path, Fraction(25)):
        pass
    with pytest.raises(ValueError, match="all frames are"), video.LosslessWriter(path, Fraction(25)) as writer:
        writer.write(frame)
        writer.write(frame[:8])
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"nonsense")
    with pytest.raises(ReliTalkError, match="not a whole file"):
        video.LosslessReader(path)


def test_a_preview_says_that_it_is_synthetic_and_ends_with_its_frames(tmp_path, numbers, numbered):
    frames = [numbered(i, 65, 97) for i in range(30)]
    tone = np.sin(np.arange(48000) * 2 * np.pi * 440 / 16000).astype(np.float32) * 0.5
    sound = tmp_path / "tone.wav"
    import soundfile

    soundfile.write(sound, tone, 16000)
    path = tmp_path / "preview.mp4"
    assert video.write_preview(path, iter(frames), Fraction(25), sound, "Synthetic: made with ReliTalk") == 30
    info = video.probe(path)
    assert (info.width, info.height, info.frames, info.fps, info.has_audio) == (98, 66, 30, 25, True)
    assert info.matrix == "ITU709" and not info.matrix_guessed
    assert numbers(path) == list(range(30))
    assert images.read_metadata(path)["comment"].startswith("Synthetic")
    heard = audio.read_audio(path)
    assert abs(len(heard) / 16000 - 1.2) < 0.08
    assert np.abs(heard[1600:16000] - tone[1600:16000]).mean() < 0.05
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_preview_keeps_its_colours(tmp_path):
    colour = np.full((64, 64, 3), (200, 90, 60), np.uint8)
    path = tmp_path / "preview.mp4"
    video.write_preview(path, [colour] * 5, Fraction(25))
    assert not video.probe(path).has_audio
    assert np.abs(next(video.read_frames(path)).astype(int) - colour).max() <= 2
