"""The whole way through the command line, on a subject that is small but real."""

import wave

import numpy as np
import pytest

from relitalk_engine.evaluate.metrics import psnr
from relitalk_engine.media import images, lossless, video
from relitalk_engine.subject import Subject
from relitalk_engine.take import PASSES, Take


@pytest.fixture(scope="session")
def studio(sample_clip):
    return sample_clip.parent.parent / "lights" / "evening.exr"


def beauty(take: Take, frame: int) -> np.ndarray:
    return images.read_image(take.beauty_path(frame))


def test_a_subject_says_what_it_was_made_from(subject, run):
    info = Subject.open(subject).info
    assert (info.frames, float(info.fps)) == (50, 25.0) and info.consent.given
    code, events = run("inspect", subject)
    facts = events[-1]["result"]["facts"]
    assert code == 0 and facts["from"].endswith("sample.mp4") and "given" in facts["consent"]


def test_the_source_light_gives_the_clip_back(subject, run, tmp_path):
    place = tmp_path / "take"
    code, events = run("relight", subject, "--light", "source", "--background", "keep", "--frames", "0:4", "-o", place)
    assert code == 0, events[-1]
    take = Take.open(place)
    with lossless.LosslessReader(Subject.open(subject).frames_path) as frames:
        for frame in range(4):
            assert np.array_equal(beauty(take, frame)[..., :3], frames[frame])


def test_passes_add_up_and_give_the_clip_back(subject, run, tmp_path):
    place = tmp_path / "take"
    words = ("--exr", "--passes", "--frames", "3:4", "-o", place)
    code, events = run("relight", subject, "--light", "source", *words)
    assert code == 0, events[-1]
    take = Take.open(place)
    assert sorted(take.info.passes) == sorted(PASSES)
    layer = {}
    for name in PASSES:
        channels = images.read_exr(take.pass_path(name, 3))
        layer[name] = np.stack([channels[key] for key in "RGB" if key in channels] or list(channels.values()), axis=-1)
    alpha = layer["alpha"][..., :1]
    sum_of = layer["albedo"] * layer["shading"] + layer["specular"] + layer["residual"]
    with lossless.LosslessReader(Subject.open(subject).frames_path) as frames:
        clip = frames[3] / np.float32(255)
    inside = alpha[..., 0] > 0.999
    assert psnr(np.clip(images.linear_to_srgb(np.maximum(sum_of, 0)), 0, 1), clip, inside) > 45
    whole = images.read_exr(take.beauty_path(3))
    shown = np.stack([whole[key] for key in "RGB"], axis=-1)
    assert np.abs(shown - sum_of)[inside].max() < 2e-2


def test_twice_the_strength_is_twice_the_radiance(subject, run, tmp_path, studio):
    linear = []
    for strength in (1, 2):
        place = tmp_path / f"take{strength}"
        words = ("--light-strength", strength, "--exr", "--frames", "0:1", "-o", place)
        code, events = run("relight", subject, "--light", studio, *words)
        assert code == 0, events[-1]
        channels = images.read_exr(Take.open(place).beauty_path(0))
        linear.append(np.stack([channels[key] for key in "RGB"], axis=-1))
    bright = linear[0] > 0.02
    ratio = linear[1][bright] / linear[0][bright]
    assert np.median(ratio) == pytest.approx(2.0, abs=0.02)


def test_a_take_says_the_sentence_and_stays_the_clip_outside(subject, run, tmp_path, sample_voice):
    place = tmp_path / "take"
    words = ("--audio", sample_voice, "--background", "keep", "--frames", "0:6", "-o", place)
    code, events = run("render", subject, *words)
    assert code == 0, events[-1]
    take = Take.open(place)
    info = take.info
    assert (info.total, info.frames, info.kind) == (75, (0, 6), "render")
    assert take.sound is not None and take.preview_path.is_file()
    assert info.placement is not None and 0.1 < info.placement.metres_per_pixel * info.size[0] < 2
    base = info.base.get("frames") or list(range(*info.frames))
    differs_inside = 0
    with lossless.LosslessReader(Subject.open(subject).frames_path) as frames:
        for frame, source, (x, y, w, h) in zip(range(6), base, info.removed, strict=True):
            differs = (beauty(take, frame)[..., :3] != frames[source]).any(axis=-1)
            differs_inside += int(differs[y : y + h, x : x + w].sum())
            differs[y : y + h, x : x + w] = False
            assert not differs.any()
    assert differs_inside > 0
    assert "ReliTalk" in images.read_metadata(take.beauty_path(0))["Comment"]
    assert "ReliTalk" in images.read_metadata(take.preview_path)["comment"]


def test_any_range_comes_out_as_in_the_whole(subject, run, tmp_path, sample_voice, studio):
    takes = []
    for name, frames in (("whole", "0:8"), ("part", "5:7")):
        words = ("--audio", sample_voice, "--light", studio, "--frames", frames, "-o", tmp_path / name)
        code, events = run("render", subject, *words)
        assert code == 0, events[-1]
        takes.append(Take.open(tmp_path / name))
    for frame in (5, 6):
        assert np.array_equal(beauty(takes[0], frame), beauty(takes[1], frame))


def test_a_transparent_background_holds_nothing_of_the_old_one(subject, run, tmp_path, studio):
    code, events = run("relight", subject, "--light", studio, "--frames", "0:1", "-o", tmp_path / "take")
    assert code == 0, events[-1]
    picture = beauty(Take.open(tmp_path / "take"), 0)
    assert picture.shape[2] == 4
    assert picture[..., 3].max() == 255 and picture[..., 3].min() == 0


def test_colours_and_full_frames(subject, run, tmp_path, sample_clip):
    words = ("--background", "#204060", "--full-frame", "--frames", "0:1", "-o", tmp_path / "take")
    code, events = run("relight", subject, *words)
    assert code == 0, events[-1]
    picture, clip = beauty(Take.open(tmp_path / "take"), 0), next(video.read_frames(sample_clip))
    assert picture.shape[:2] == clip.shape[:2]
    assert (picture[0, 0, :3] == (0x20, 0x40, 0x60)).all() and (picture[..., 3:] == 255).all()


def test_olat_makes_a_folder_for_each_light(subject, run, tmp_path):
    code, events = run("relight", subject, "--light", "olat", "--frames", "0:1", "-o", tmp_path / "take")
    assert code == 0, events[-1]
    take = Take.open(tmp_path / "take")
    assert len(take.info.lights) > 3


def test_an_existing_take_is_kept_without_force(subject, run, tmp_path):
    words = ("relight", subject, "--frames", "0:1", "-o", tmp_path / "take")
    assert run(*words)[0] == 0
    code, events = run(*words)
    assert (code, events[-1]["code"]) == (2, "exists")
    assert run(*words, "--force")[0] == 0


@pytest.mark.parametrize("words", [("--frames", "70:90"), ("--freeze", "5000")])
def test_frames_that_are_not_there_are_refused(subject, run, tmp_path, words):
    code, events = run("relight", subject, *words, "-o", tmp_path / "take")
    assert code == 2 and events[-1]["event"] == "error"
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_render_leaves_nothing(subject, run, tmp_path, sample_voice):
    job = tmp_path / "job"
    job.mkdir()
    (job / "cancel").touch()
    code, events = run("render", subject, "--audio", sample_voice, "-o", tmp_path / "take", "--job", job)
    assert (code, events[-1]["code"]) == (3, "cancelled")
    assert [path.name for path in tmp_path.iterdir()] == ["job"]


def noise_clip(path, frames=40):
    rng = np.random.default_rng(0)
    with lossless.LosslessWriter(path, 25) as out:
        for _ in range(frames):
            out.write(rng.integers(0, 256, (96, 96, 3), np.uint8))
    return path


def test_a_clip_without_a_face_is_refused(run, tmp_path, tiny_preset):
    clip = noise_clip(tmp_path / "noise.mkv")
    code, events = run("train", clip, "-o", tmp_path / "a.relitalk", "--preset", tiny_preset)
    assert code == 2 and events[-1]["event"] == "error" and "face" in events[-1]["message"]
    assert not (tmp_path / "a.relitalk").exists()


def test_a_face_lost_half_way_is_counted(run, tmp_path, tiny_preset, sample_clip):
    clip = tmp_path / "lost.mkv"
    with lossless.LosslessWriter(clip, 25) as out:
        for number, frame in enumerate(video.read_frames(sample_clip, 0.0, 2.0)):
            out.write(frame if number < 12 else np.full_like(frame, 90))
    code, events = run("train", clip, "-o", tmp_path / "a.relitalk", "--preset", tiny_preset)
    assert code == 2 and "12" in events[-1]["message"]


def test_a_clip_without_sound_is_told_at_once_and_ctrl_c_leaves_its_training_to_resume(
    tmp_path, tiny_preset, sample_clip, interrupt
):
    clip, place = tmp_path / "mute.mkv", tmp_path / "a.relitalk"
    with lossless.LosslessWriter(clip, 25) as out:
        for frame in video.read_frames(sample_clip, 0.0, 1.2):
            out.write(frame)
    words = ["train", clip, "-o", place, "--preset", tiny_preset, "--consent", "yes"]
    code, seconds, events = interrupt(words, lambda event: event["event"] == "warning" and "sound" in event["message"])
    assert (code, events[-1]["code"]) == (3, "cancelled") and seconds < 5.5
    assert not place.exists() and (tmp_path / "a.relitalk.building" / "subject.json").is_file()


def test_a_wav_is_not_a_video(run, tmp_path, sample_voice):
    with wave.open(str(sample_voice)) as sound:
        assert sound.getnframes() > 0
    code, events = run("train", sample_voice, "-o", tmp_path / "a.relitalk")
    assert code == 2 and events[-1]["event"] == "error"
