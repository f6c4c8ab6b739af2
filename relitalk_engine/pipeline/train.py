"""From a clip to a subject: the stages in order, each kept on disk so that training can go on where it was left."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import ReliTalkError
from ..events import Reporter
from ..face.backdrop import find_backdrop
from ..face.head_model import HeadModel
from ..face.heads import load_head
from ..face.identity import chip_matrix, face_trunk
from ..face.observation import Observer
from ..face.residuals import fitted_landmarks, reprojection
from ..face.surface.training import train_surface
from ..face.surface.views import View, view
from ..media.audio import extract_audio, read_blocks
from ..media.lossless import LosslessReader
from ..reflectance.decompose import ClipFrame, train_reflectance
from ..reflectance.passes import read_frame_passes, write_frame_passes
from ..speech import voca
from ..speech.adapters import LOGITS, best_kind, listener
from ..speech.training import train_speech
from ..subject import Consent, Source, Subject, SubjectInfo
from ..synthesis import wav2lip
from ..synthesis.spoken import Spoken
from ..synthesis.training import train_synthesis
from .footage import find_hidden, fit_footage, ingest
from .motion import name_the_track
from .options import Result, TrainOptions
from .person import REFLECTANCE, SPEECH, SURFACE, Person, add_weights, head_shadow, write_tensors
from .report import write_report
from .texture import solve_albedo, write_texture

VOICE_RATE = 16000


def train(options: TrainOptions, reporter: Reporter) -> Result:
    """Learn a subject from a clip.

    Args:
        options: what to train on, and how.
        reporter: hears the progress and may cancel.

    Returns:
        The subject's folder and its figures.

    Raises:
        ReliTalkError: the clip cannot be learned from; what was done stays for --resume where it can.
        Cancelled: by the user; the unfinished subject stays for --resume.
    """
    if options.resume and (options.output / "subject.json").is_file():
        finished = Subject.open(options.output)
        return _result(finished)
    _check_own_weights(options, reporter)
    subject = _begin(options, reporter)
    person = Person(subject, options.device)
    stages = {
        "surface": _learn_surface,
        "speech": _learn_speech,
        "reflectance": _learn_reflectance,
        "passes": _write_passes,
        "synthesis": _learn_synthesis,
        "report": _write_report,
    }
    for name, stage in stages.items():
        if not subject.stage_done(name):
            stage(person, options, reporter)
            subject.mark_done(name)
    person.frames.close()
    return _result(subject.finish(options.output))


def _check_own_weights(options: TrainOptions, reporter: Reporter) -> None:
    """Say what of the user's own weights is wrong or has to be left out: now, not after minutes."""
    if (own := wav2lip.checkpoint()) is not None:
        wav2lip.load_wav2lip(own)
    if (own := voca.checkpoint()) is None:
        return
    voca.load_voca(own)
    kind = _hearing(options)
    if kind.startswith(voca.KIND):
        listener(kind, options.video)  # reads its logits
    else:
        reporter.warning(
            f"VOCA is here and cannot be used: it needs DeepSpeech's logits, {options.video.with_suffix(LOGITS).name}"
            " beside the clip, and the whole of the clip. The built-in F_mesh is used instead."
        )


def _hearing(options: TrainOptions) -> str:
    return best_kind(options.video, whole=not options.start and options.duration is None)


def _result(subject: Subject) -> Result:
    return {"subject": str(subject.path), "frames": subject.info.frames, "metrics": subject.info.metrics}


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _begin(options: TrainOptions, reporter: Reporter) -> Subject:
    """The subject with its frames and its fitted head: taken up again, or made."""
    digest = _digest(options.video)
    if options.resume and (left := Subject.resume(options.output)) is not None:
        same = left.info.source.sha256 == digest and left.info.preset == options.preset.name
        same = same and left.info.head_model.partition("-")[0] == options.preset.fit.head
        if not same or left.info.start != options.start:
            raise ReliTalkError(
                "other_training",
                f"What was left at {options.output} is a training of another clip, start or preset.",
                "Leave out --resume to begin anew.",
            )
        if left.stage_done("head"):
            return left
    head = load_head(options.preset.fit.head)
    subject, footage = _store(options, head, digest, reporter)
    hidden = find_hidden(footage, reporter)
    fit = fit_footage(footage, head, options.preset.fit, options.device, reporter)
    subject.info.metrics["bridged_frames"] = int((~fit.valid).sum())
    subject.info.metrics["hidden_frames"] = int(hidden.sum())
    fit = replace(fit, valid=fit.valid & ~hidden)
    write_tensors(
        subject.head_path, fit.tensors() | head_shadow(head, fit) | {"hidden": hidden.astype(np.uint8)}
    )
    errors = reprojection(fitted_landmarks(head, fit), fit.landmarks)[fit.valid]
    subject.info.metrics["landmark_error"] = round(float(np.sqrt((errors**2).mean())), 5)
    subject.mark_done("head")
    return subject


def _store(options: TrainOptions, head: HeadModel, digest: str, reporter: Reporter):
    """Begin the subject's folder; frames and sound go into it."""
    info = SubjectInfo(
        name=options.output.stem,
        source=Source(str(options.video.resolve()), digest),
        fps=Fraction(25),  # this and the sizes are known once the clip is read
        frames=1,
        size=(1, 1),
        source_size=(1, 1),
        crop=(0, 0, 1, 1),
        start=options.start,
        head_model=head.name,
        preset=options.preset.name,
        seed=options.seed,
        device=options.device,
        consent=Consent.now(options.consent),
    )
    subject = Subject.create(options.output, info)
    footage = ingest(options.video, options.start, options.duration, subject.frames_path, reporter)
    info.fps, info.frames, info.crop = footage.fps, len(footage), footage.crop
    info.size = footage.crop[2:]
    info.source_size = footage.clip.width, footage.clip.height
    with LosslessReader(subject.frames_path) as frames:
        find_backdrop(frames, reporter).save(subject.backdrop_path)
    seconds = float(info.frames / info.fps)
    if not extract_audio(options.video, subject.audio_path, options.start, seconds):
        reporter.warning(f"{options.video.name} has no sound: the subject can be relit, but no voice can drive it.")
    return subject, footage


def _learn_surface(person: Person, options: TrainOptions, reporter: Reporter) -> None:
    """The implicit surface around the head, from which the normals come."""
    config = options.preset.surface
    if not config.steps:
        return
    with Observer(person.head, person.fit, person.backdrop, options.device) as observer:

        def look(index: int) -> View:
            rgb = person.frames[index]
            seen = observer.observe(index, rgb)
            return view(index, rgb, seen.alpha, seen.regions["skin"])

        surface = train_surface(look, person.head, person.fit, config, options.device, options.seed, reporter)
    add_weights(person.subject, {SURFACE + name: value for name, value in surface.tensors().items()})


def _learn_speech(person: Person, options: TrainOptions, reporter: Reporter) -> None:
    """F_mesh and F_exp from the clip's own sound."""
    subject, config = person.subject, options.preset.speech
    if not subject.audio_path.exists():
        return
    name_the_track(options.video, reporter)
    kind = _hearing(options)
    try:
        blocks = read_blocks(subject.audio_path, VOICE_RATE)
        features = listener(kind, options.video).extract(blocks, subject.info.fps, subject.info.frames)
        rng = np.random.default_rng(options.seed)
        fit = person.fit
        model = train_speech(
            features, fit.psi, person.head, fit.beta, subject.info.fps, config, rng, valid=fit.valid, reporter=reporter,
            kind=kind,
        )  # fmt: skip
    except ReliTalkError as error:
        if error.exit_code != 2:
            raise
        reporter.warning(f"{error.message} The subject can be relit, but no voice can drive it.")
        return
    add_weights(subject, {SPEECH + name: value for name, value in model.tensors().items()})
    if model.held is not None:
        subject.info.metrics["speech_opening"] = round(model.held.opening, 4)
        subject.info.metrics["speech_width"] = round(model.held.width, 4)
    if kind.startswith(voca.KIND):
        subject.info.metrics["voca"] = kind.removeprefix(f"{voca.KIND}-")


def _learn_reflectance(person: Person, options: TrainOptions, reporter: Reporter) -> None:
    """The clip's light, and F_normal, F_albedo, F_cspec."""
    subject, fit = person.subject, person.fit
    config = options.preset.reflectance
    usable = np.flatnonzero(fit.valid) if fit.valid.any() else np.arange(len(fit))
    with person.observer() as observer:

        def frame(number: int) -> ClipFrame:
            index = int(usable[number])
            rgb = person.frames[index]
            seen = observer.observe(index, rgb)
            shadow = person.shadow.at(seen.hits, fit.rotation[index])
            return ClipFrame(rgb, seen.normal, seen.alpha, seen.regions, shadow, chip_matrix(fit.landmarks[index]))

        trunk = face_trunk(options.device) if config.steps_consistency else None
        trained = train_reflectance(
            frame, len(usable), config, options.device, options.seed, trunk, reporter=reporter
        )
    trained.model.clip_light().save(subject.light_path)
    add_weights(subject, {REFLECTANCE + name: value for name, value in trained.model.tensors().items()})
    subject.info.metrics["skin_albedo"] = [round(float(x), 4) for x in trained.gauge.skin]


def _write_passes(person: Person, options: TrainOptions, reporter: Reporter) -> None:
    """Decompose every frame of the clip once, all after one albedo."""
    with person.observer() as observer:
        if options.preset.reflectance.use_texture:
            solve_albedo(person, observer, reporter)
        for index in reporter.steps("passes", range(person.subject.info.frames)):
            rgb = person.frames[index]
            found, _ = person.decompose(rgb, observer.observe(index, rgb), person.fit.rotation[index])
            write_frame_passes(person.subject.passes_dir, index, found)
    write_texture(person.subject.albedo_path, person)


def _learn_synthesis(person: Person, options: TrainOptions, reporter: Reporter) -> None:
    """F_local and F_blend on the clip."""
    subject, spoken = person.subject, None
    if subject.audio_path.exists():
        spoken = Spoken.of(read_blocks(subject.audio_path, VOICE_RATE), subject.info.fps, options.device)
    synthesis = train_synthesis(
        person.head,
        person.fit,
        person.frames.__getitem__,
        lambda index: read_frame_passes(subject.passes_dir, index).alpha,
        np.asarray(person.light.sh, np.float32),
        options.preset.synthesis,
        float(subject.info.fps),
        options.seed,
        options.device,
        subject.checkpoint_path,
        spoken,
        reporter=reporter,
    )
    add_weights(subject, synthesis.tensors())
    if synthesis.wav2lip:
        subject.info.metrics["wav2lip"] = synthesis.wav2lip


def _write_report(person: Person, options: TrainOptions, reporter: Reporter) -> None:
    """What a person would look at before trusting the subject."""
    write_report(person, reporter)
    if not person.subject.weights_path.exists():
        raise ReliTalkError("nothing_learned", "Nothing was learned from this clip.", "Use another clip.")


