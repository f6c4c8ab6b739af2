"""Seconds and gigabytes."""

from __future__ import annotations

from collections.abc import Iterator

from . import fidelity, runs


def sample(again: bool) -> Iterator[str]:
    """The sample clip from end to end."""
    shelf = runs.ROOT / "presets" / "sample"
    place = runs.RESULTS / "sample.relitalk"
    if again or not place.exists():
        call = ("train", shelf / "sample.mp4", "-o", place, "--preset", "draft", "--consent", "yes", "--force")
        yield f"train, draft: {runs.relitalk(*call)}"
    take = runs.RESULTS / "sample_take"
    light = runs.ROOT / "presets" / "lights" / "evening.exr"
    voice = shelf / "sentence.wav"
    yield f"render, 3 s: {runs.relitalk('render', place, '--audio', voice, '--light', light, '-o', take, '--force')}"
    yield from fidelity.compare_reconstruction("sample", place)


def train(again: bool) -> Iterator[str]:
    """hdtf_a with the draft preset; asked for: 12 minutes and 6 GB or less on two cores."""
    place = runs.RESULTS / "hdtf_a.relitalk"
    if place.exists() and not again:
        yield f"{place} is there; --again trains it anew"
        return
    call = ("train", runs.data("real/hdtf_a.mp4"), "-o", place, "--preset", "draft", "--consent", "yes", "--force")
    yield f"hdtf_a, draft: {runs.relitalk(*call)}"


def render(again: bool) -> Iterator[str]:
    """speech_a under a world HDRI; asked for: 4 minutes or less on two cores."""
    place = runs.subject(runs.data("real/hdtf_a.mp4"), "hdtf_a", again)
    take, voice = runs.RESULTS / "hdtf_a_speech", runs.data("real/speech_a.wav")
    light = ("--light", runs.world_hdri(), "-o", take, "--force")
    yield f"speech_a, 8 s, world HDRI: {runs.relitalk('render', place, '--audio', voice, *light)}"
