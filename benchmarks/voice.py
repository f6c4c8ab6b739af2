"""How well the mouth follows a voice: the speaker's own unseen sentences, strangers, languages, silence, speed."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from relitalk_engine.evaluate.metrics import correlation
from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.media import audio
from relitalk_engine.speech.features import PhoneFeatures, loudness
from relitalk_engine.speech.model import SpeechModel

from . import runs
from .voice_clips import RATE, Clip, Voice, by_words, contacts, hear, in_language, lag, learn, seen
from .voice_plots import Curves, plot

FOLDS = 4
GAP = 5
"""Frames beside a held-out part that are not learned from either."""
PARTS = {"audio + mesh": "both", "audio only": "sound", "mesh only": "lips"}
RULE = "no clip of the speaker"
JAW = "loudness jaw"
RECALL = "auto-regressive"
SENTENCES = {
    "en": "My mother put a big apple on the table, but Bob may have moved it far away.",
    "de": "Am Abend haben wir im Park beim Bahnhof Äpfel und Pflaumen gekauft.",
    "fr": "Ma femme prépare un bon repas pour papa, avec du poisson et des pommes.",
    "es": "Mañana por la mañana vamos a pasar por la playa para nadar un poco más.",
    "cmn": "爸爸妈妈明天要去八百米外的大码头买白米。",
}
HUMAN = {"speech_a.wav": "real/speech_a.wav", "hdtf_a": "real/hdtf_a.mp4"}

Row = dict[str, list[float]]
"""Per figure: one value a fold."""


def voice(again: bool, hour: bool) -> Iterator[str]:
    """The table, at will with an hour of speech; the curves are left in the results folder."""
    head = HeadModel.read()
    yield "aperture and width: correlation with the truth; lips: error over the distance of the outer eye corners, %"
    found = {"subject_a": subject_a(head, again)}
    yield "subject_a, held-out sentence, true lips (aim: aperture 0.90, width 0.75)"
    yield from table(found["subject_a"])
    clips = {name: seen(f"real/{name}", again) for name in ("talk_a", "talk_b")}
    for name, clip in clips.items():
        found[name] = folds(head, clip)
        yield f"{name}, {FOLDS} folds, held-out speech of the same person (aim: aperture 0.75 in the mean)"
        yield from table(found[name])
    for names in (tuple(clips), tuple(found)):
        means = {
            label: np.mean([np.mean(found[name][label]["aperture"]) for name in names])
            for label in (*PARTS, RECALL, RULE, JAW)
        }
        yield f"mean of {', '.join(names)}: " + ", ".join(f"{label} {value:.3f}" for label, value in means.items())
    models = {name: learn(head, clip) for name, clip in clips.items()}
    yield from strangers(models, clips)
    yield from closures(models, clips)
    yield from silence(models["talk_a"], clips["talk_a"])
    yield from speed(models["talk_a"], clips["talk_a"])
    if hour:
        yield from an_hour()


def subject_a(head: HeadModel, again: bool) -> dict[str, Row]:
    """The rendered speaker's held-out sentence against true lips; the curves are left in the results folder."""
    train, test = (seen(f"synthetic/subject_a/{name}", again) for name in ("train", "test"))
    truth = np.load(runs.data("synthetic/subject_a/test_truth.npz"))
    eyes = float(truth["outer_eye_distance_cm"])
    rows: dict[str, Row] = defaultdict(lambda: defaultdict(list))
    aperture, width = truth["lip_aperture_cm"] / eyes, truth["lip_width_cm"] / eyes
    curves = Curves.empty()
    measure(rows, curves, ways(head, train), test, 0, len(test), aperture, width)
    plot("subject_a", curves)
    return rows


def folds(head: HeadModel, clip: Clip) -> dict[str, Row]:
    """Learn from all but a part of the clip and drive that part, heard on its own; the curves are left likewise."""
    rows: dict[str, Row] = defaultdict(lambda: defaultdict(list))
    curves = Curves.empty()
    edges = np.linspace(0, len(clip), FOLDS + 1).astype(int)
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        known = np.ones(len(clip), bool)
        known[max(0, start - GAP) : end + GAP] = False
        models = ways(head, clip, known)
        measure(rows, curves, models, clip, start, end, clip.opening[start:end], clip.width[start:end])
    plot(clip.name, curves)
    return rows


def ways(head: HeadModel, clip: Clip, known: np.ndarray | None = None) -> dict[str, SpeechModel]:
    """All ways to drive one speaker."""
    models = {label: learn(head, clip, known, part) for label, part in PARTS.items()}
    models[RECALL] = learn(head, clip, known, recall=True)
    models[RULE] = SpeechModel.of_anyone(head, clip.fit.beta, clip.fps)
    return models


def measure(
    rows: dict[str, Row],
    curves: Curves,
    models: dict[str, SpeechModel],
    said: Clip,
    start: int,
    end: int,
    aperture: np.ndarray,
    width: np.ndarray,
) -> None:
    """Drive frames [start, end) of a clip in every way, and measure against the truth."""
    level = loudness(said.voice(start, end), said.fps, end - start)
    rows[JAW]["aperture"].append(correlation(level, aperture))
    rows[JAW]["lag"].append(lag(level, aperture))
    features = said.features(start, end)
    for label, model in models.items():
        psi, lips = model.drive(features), model.mesh.lips
        own, row = lips.opening(psi), rows[label]
        row["aperture"].append(correlation(own, aperture))
        row["width"].append(correlation(lips.width(psi), width))
        row["lag"].append(lag(own, aperture))
        row["spread"].append(float(own.std() / aperture.std()))
        off = np.linalg.norm(lips.vertices(psi) - lips.vertices(said.mouth(start, end)), axis=-1).mean() / lips.scale
        row["lips"].append(100 * float(off))
    curves.add(aperture, models["audio + mesh"], features)


def table(rows: dict[str, Row]) -> Iterator[str]:
    """One line a way of driving; means over folds."""
    for label, row in rows.items():
        mean = {name: float(np.mean(values)) for name, values in row.items()}
        parts = [f"  {label:22} aperture {mean['aperture']:5.3f}"]
        parts += [f"{name} {mean[name]:5.3f}" for name in ("width", "spread") if name in mean]
        parts += [f"lips {mean['lips']:4.1f} %"] if "lips" in mean else []
        parts += [f"lag {1000 / 25 * mean['lag']:+4.0f} ms"]
        yield "  ".join(parts) + "   (" + " ".join(f"{value:.2f}" for value in row["aperture"]) + ")"


def strangers(models: dict[str, SpeechModel], clips: dict[str, Clip]) -> Iterator[str]:
    """One person's speech on the other, against the true speaker's own lips."""
    yield "strangers: one's speech on the other, against the true speaker's lips (aim: aperture 0.6)"
    for owner, speaker in (("talk_a", "talk_b"), ("talk_b", "talk_a")):
        model, said = models[owner], clips[speaker]
        psi = model.drive(said.features())
        own = model.mesh.lips.opening(psi)
        level = loudness(said.voice(), said.fps, len(said))
        yield (
            f"  {speaker}'s speech on {owner}: aperture {correlation(own, said.opening):.3f},"
            f" width {correlation(model.mesh.lips.width(psi), said.width):.3f},"
            f" lag {1000 / float(said.fps) * lag(own, said.opening):+.0f} ms"
            f" ({JAW} {correlation(level, said.opening):.3f})"
        )


def closures(models: dict[str, SpeechModel], clips: dict[str, Clip]) -> Iterator[str]:
    """Lips that touch on p, b, m and open on vowels: human voices by their sure words, five languages by espeak-ng."""
    yield "closures on p, b, m that touch; open vowels that open (aim: 85 % of both)"
    voices = {name: by_words(name, clip.voice()) for name, clip in clips.items()}
    voices |= {name: by_words(name, audio.read_audio(runs.data(path), RATE)) for name, path in HUMAN.items()}
    try:
        voices |= {f"espeak-ng, {name}": in_language(name, text) for name, text in SENTENCES.items()}
    except FileNotFoundError as error:
        yield f"  five languages skipped: {error}"
    total: dict[str, list[bool]] = defaultdict(list)
    for name, said in voices.items():
        found: dict[str, list[bool]] = defaultdict(list)
        features = hear(said, models["talk_a"].fps)
        for owner, model in models.items():
            if owner != name:
                for kind, met in contacts(model, said, model.drive(features)):
                    found[kind].append(met)
                    total[kind].append(met)
        yield f"  {name:16} " + _shares(found)
    yield f"  {'all':16} " + _shares(total)


def _shares(found: dict[str, list[bool]]) -> str:
    return ", ".join(f"{kind} {np.mean(met):4.0%} of {len(met)}" for kind, met in sorted(found.items()))


def silence(model: SpeechModel, clip: Clip) -> Iterator[str]:
    """Two seconds of nothing, and of a room's noise, in the midst of speech."""
    said = clip.voice()[: 6 * RATE]
    room = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    for label, pause in (("digital silence", 0 * room), ("room noise at -50 dB", room * 10 ** (-50 / 20) * said.std())):
        spoken = Voice("pause", np.concatenate([said, pause, said]), ())
        opening = model.mesh.lips.opening(model.drive(hear(spoken, model.fps)))
        fps = float(model.fps)
        still, speech = opening[round(6.6 * fps) : round(7.4 * fps)], opening[: round(5.8 * fps)]
        whole = opening[round(6 * fps) : round(8 * fps)]
        yield (
            f"silence, {label}: aperture's deviation {still.std() / speech.std():.1%} of that in speech in its midst,"
            f" {whole.std() / speech.std():.1%} with its edges; opening {still.mean():.3f} (aim: 3 %)"
        )


def speed(model: SpeechModel, clip: Clip) -> Iterator[str]:
    """Motion alone of 60 s of speech (aim: 10 times faster than real time), and of ten minutes, in blocks."""
    said = np.tile(clip.voice(), 5)[: 60 * RATE]
    for seconds in (60, 600):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, worked = time.monotonic(), time.process_time()
        blocks = (np.roll(said, k)[: 60 * RATE] for k in range(seconds // 60))
        model.drive(PhoneFeatures().extract(blocks, Fraction(25), 25 * seconds))
        took = time.monotonic() - began
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
        work = time.process_time() - worked
        yield (
            f"{seconds} s of speech: {took:.1f} s, {seconds / took:.1f} times faster than real time;"
            f" {work:.1f} s of one core's work; {more:.0f} MB more"
        )


def an_hour() -> Iterator[str]:
    """An hour of a stranger, now loud, now soft, through the command line."""
    import soundfile

    subject = runs.subject(runs.data("real/hdtf_a.mp4"), "hdtf_a", False)
    said, dice = audio.read_audio(runs.data("real/speech_a.wav"), RATE), np.random.default_rng(0)
    sound = runs.RESULTS / "hour.wav"
    with soundfile.SoundFile(sound, "w", RATE, 1, "PCM_16") as file:
        while file.tell() < 3600 * RATE:
            file.write(dice.uniform(0.1, 1.0) * said[: 3600 * RATE - file.tell()])
    run = runs.relitalk("render", subject, "--audio", sound, "--motion-only", "-o", runs.RESULTS / "hour", "--force")
    yield f"3600 s of speech: {run}, {3600 / run.seconds:.1f} times faster than real time"
