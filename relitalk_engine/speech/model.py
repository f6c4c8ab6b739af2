"""Speech to motion for one person: trained on their clip, driven by any voice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..config import SpeechConfig
from ..errors import ReliTalkError
from . import visemes
from .features import Layout, PhoneFeatures
from .lip_mesh import LipMesh, Lips
from .regression import Inputs, Kernel, Scaling

if TYPE_CHECKING:
    from ..events import Reporter
    from ..face.head_model import AnnyHead
    from .expression import Pupil

MOTIONS = 10
"""C: independent motions of the lips that are predicted."""

FEWEST = 50
"""Good frames below which a speaker cannot be learned."""

PUPILS = 2
FOLDS = 3
PIECE = 4096
"""Frames that are driven at once, in flat memory."""

_MARGIN = 64


@dataclass(frozen=True)
class Held:
    """What the inner validation saw: parts of the clip that were not learned from.

    Attributes:
        opening: correlation of the mouth's opening, predicted against fitted.
        width: the same of its width.
        network: share of the network in the prediction, 0..1; the rest is the kernel regression.
        steps: training steps that served best.
    """

    opening: float
    width: float
    network: float
    steps: int


@dataclass
class SpeechModel:
    """F_mesh and F_exp of one person.

    Attributes:
        mesh: F_mesh on their head.
        fps: frames a second of their clip, and so of what is driven.
        mean: [M] mouth actions on average.
        to_psi: [C, M] from lip motion to actions.
        gain: [C] what gives the motion back the range that regression takes.
        rest: [M] the mouth in silence.
        most: [M] the largest value of each action that is allowed.
        kernel: the regression; None: the rule alone (a clip with no voice to learn from).
        pupils: the networks.
        held: figures of the inner validation.
    """

    mesh: LipMesh
    fps: Fraction
    mean: np.ndarray
    to_psi: np.ndarray
    gain: np.ndarray
    rest: np.ndarray
    most: np.ndarray
    kernel: Kernel | None = None
    pupils: list[Pupil] = field(default_factory=list)
    held: Held | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the M mouth actions."""
        return self.mesh.lips.actions

    def drive(self, features: np.ndarray) -> np.ndarray:
        """Mouth actions of a voice.

        Args:
            features: f_pho [T, F] at this model's frame rate.

        Returns:
            psi of the mouth, [T, M], 0..1; the columns are `actions` (a head's ``mouth_actions``).

        Raises:
            ReliTalkError: the features are of another kind than those learned from.
        """
        if features.ndim != 2 or features.shape[1] != self.mesh.layout.width:
            raise ReliTalkError(
                "speech_features",
                f"The speech features have {features.shape[-1]} columns, this subject knows {self.mesh.layout.width}.",
                "Train the subject again with this engine.",
            )
        result = np.empty((len(features), len(self.mean)), np.float32)
        for start in range(0, len(features), PIECE):
            low = max(0, start - _MARGIN)
            piece = features[low : start + PIECE + _MARGIN]
            result[start : start + PIECE] = self._motion(piece)[start - low : start - low + PIECE]
        quiet = quietness(features, self.mesh.layout, self.fps)[:, None]
        return np.clip(quiet * self.rest + (1 - quiet) * result, 0.0, self.most).astype(np.float32)

    def _motion(self, features: np.ndarray) -> np.ndarray:
        if self.kernel is None:
            return self.mesh.actions(features)
        inputs = see(features, self.mesh)
        motion = self.kernel(inputs)
        if self.pupils and self.held is not None and self.held.network > 0:
            drawn = np.mean([pupil(inputs) for pupil in self.pupils], 0)
            motion = motion + self.held.network * (drawn - motion)
        return self.mean + (motion * self.gain) @ self.to_psi

    @classmethod
    def generic(cls, head: AnnyHead, beta: np.ndarray, fps: Fraction) -> SpeechModel:
        """A speaker that nothing was learned of: the rule alone."""
        mesh = LipMesh(Lips.of(head, beta), PhoneFeatures().layout)
        zero = np.zeros(len(mesh.lips.actions), np.float32)
        rest = visemes.table(("SIL",), mesh.lips.actions)[0]
        motions = np.zeros((MOTIONS, len(zero)), np.float32)
        return cls(mesh, fps, zero, motions, np.ones(MOTIONS, np.float32), rest, zero + 1.0)

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything that `from_tensors` needs, for a safetensors file."""
        data = {
            "fps": np.array([self.fps.numerator, self.fps.denominator], np.int64),
            "phones": np.frombuffer(",".join(self.mesh.layout.phones).encode(), np.uint8).copy(),
            **{k: getattr(self, k).astype(np.float32) for k in ("mean", "to_psi", "gain", "rest", "most")},
        }
        if self.held is not None:
            held = self.held
            data["held"] = np.array([held.opening, held.width, held.network, held.steps], np.float32)
        if self.kernel is not None:
            kernel = self.kernel
            data |= {f"kernel.{k}": getattr(kernel, k) for k in ("weights", "anchors", "dual", "mean")}
            data |= {"kernel.scaling": np.stack([kernel.scaling.mean, kernel.scaling.spread])}
            data |= {"kernel.step": np.array([kernel.step], np.int64)}
        for i, pupil in enumerate(self.pupils):
            data |= {f"pupil{i}.net.{k}": v.numpy() for k, v in pupil.net.state_dict().items()}
            data |= {f"pupil{i}.lips": np.stack([pupil.lips.mean, pupil.lips.spread])}
            data |= {f"pupil{i}.sound": np.stack([pupil.sound.mean, pupil.sound.spread])}
            shape = [pupil.net.channels, pupil.net.window, pupil.net.stride]
            data |= {f"pupil{i}.shape": np.array(shape, np.int64), f"pupil{i}.spread": np.array([pupil.spread])}
        return {k: np.ascontiguousarray(v) for k, v in data.items()}

    @classmethod
    def from_tensors(cls, data: dict[str, np.ndarray], head: AnnyHead, beta: np.ndarray) -> SpeechModel:
        """Inverse of `tensors`.

        Raises:
            ReliTalkError: a tensor is missing or has another size than this head asks for.
        """
        try:
            return cls._read(data, head, beta)
        except (KeyError, ValueError, RuntimeError, IndexError) as error:
            raise ReliTalkError(
                "speech_weights", f"The speech weights do not fit this engine ({error}).", "Train the subject again."
            ) from error

    @classmethod
    def _read(cls, data: dict[str, np.ndarray], head: AnnyHead, beta: np.ndarray) -> SpeechModel:
        import torch

        from .expression import ExpressionNet, Pupil

        layout = Layout(tuple(bytes(data["phones"]).decode("ascii").split(",")))
        mesh = LipMesh(Lips.of(head, beta), layout)
        if data["mean"].shape != (len(mesh.lips.actions),):
            raise ValueError(f"{len(data['mean'])} mouth actions, the head has {len(mesh.lips.actions)}")
        numerator, denominator = (int(x) for x in data["fps"])
        plain = [data[k] for k in ("mean", "to_psi", "gain", "rest", "most")]
        model = cls(mesh, Fraction(numerator, denominator), *plain)
        if "held" in data:
            opening, width, network, steps = (float(x) for x in data["held"])
            model.held = Held(opening, width, network, int(steps))
        if "kernel.dual" in data:
            parts = [data[f"kernel.{k}"] for k in ("weights", "anchors", "dual", "mean")]
            model.kernel = Kernel(Scaling(*data["kernel.scaling"]), *parts, int(data["kernel.step"][0]))
        while f"pupil{len(model.pupils)}.shape" in data:
            stem = f"pupil{len(model.pupils)}."
            lips, sound = Scaling(*data[stem + "lips"]), Scaling(*data[stem + "sound"])
            channels, window, stride = (int(x) for x in data[stem + "shape"])
            net = ExpressionNet(len(lips.mean), len(sound.mean), MOTIONS, channels, window, stride)
            prefix = stem + "net."
            state = {k.removeprefix(prefix): torch.from_numpy(v) for k, v in data.items() if k.startswith(prefix)}
            net.load_state_dict(state)
            model.pupils.append(Pupil(net, lips, sound, float(data[stem + "spread"][0])))
        return model


def see(features: np.ndarray, mesh: LipMesh) -> Inputs:
    """What F_exp sees of f_pho [T, F]: V_lip, articulatory traits, spectrum, level, voice."""
    layout = mesh.layout
    traits = visemes.traits(layout.phones)
    lips = [mesh.coordinates(mesh.vertices(features, by_words)) for by_words in (True, False)]
    said = [features[:, layout.understood] @ traits, features[:, layout.heard] @ traits]
    return Inputs(
        lips=np.concatenate(lips, 1).astype(np.float32),
        traits=np.concatenate(said, 1).astype(np.float32),
        spectrum=features[:, layout.mel],
        level=features[:, layout.level],
        voice=features[:, [layout.voicing, layout.speech]],
    )


def quietness(features: np.ndarray, layout: Layout, fps: Fraction) -> np.ndarray:
    """How far each frame lies inside a pause, [T]: 0 within 0.12 s of speech, 1 from 0.4 s on, smooth between."""
    speaking = (features[:, layout.speech] > 0.3) & (features[:, layout.level.start] > -2.2)
    if not speaking.any():
        return np.ones(len(features), np.float32)
    where = np.flatnonzero(speaking)
    frames = np.arange(len(features))
    after = np.searchsorted(where, frames)
    to_next = where[np.minimum(after, len(where) - 1)] - frames
    to_last = frames - where[np.maximum(after - 1, 0)]
    distance = np.minimum(np.abs(to_next), np.abs(to_last)) / float(fps)
    ramp = np.clip((distance - 0.12) / 0.28, 0.0, 1.0)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def train_speech(
    features: np.ndarray,
    psi: np.ndarray,
    head: AnnyHead,
    beta: np.ndarray,
    fps: Fraction,
    config: SpeechConfig,
    rng: np.random.Generator,
    valid: np.ndarray | None = None,
    reporter: Reporter | None = None,
) -> SpeechModel:
    """Learn how one person's mouth follows their voice, from their clip alone.

    Args:
        features: f_pho [T, F] of the clip's own sound.
        psi: [T, E] fitted actions of the head.
        head: the head model.
        beta: [S] the person's shape.
        fps: frames a second.
        config: size and weights of F_exp.
        rng: drawn from once, for the seed.
        valid: [T] False where the fit is a bridge only.
        reporter: told of the steps.

    Returns:
        The model, with the figures of its inner validation.

    Raises:
        ReliTalkError: fewer than 50 good frames.
    """
    from .expression import Pupil, train_network

    seed = int(rng.integers(2**31))
    count = min(len(features), len(psi))
    features, psi = features[:count], psi[:count, head.mouth_actions].astype(np.float64)
    rows = np.flatnonzero(np.ones(count, bool) if valid is None else valid[:count])
    if len(rows) < FEWEST:
        raise ReliTalkError(
            "too_little_speech",
            f"Only {len(rows)} good frames show how this person speaks; {FEWEST} are needed, 200 are better.",
            "Give a longer clip in which the face can be seen while it speaks.",
        )
    mesh = LipMesh(Lips.of(head, beta), PhoneFeatures().layout)
    inputs = see(features, mesh)
    mean, to_psi, motion = _motions(psi, mesh.lips, rows)
    step, stride = max(1, round(float(fps) * 0.08)), max(1, round(float(fps) / 25))

    done, total = 0, (FOLDS + PUPILS) * config.steps

    def tick() -> None:
        nonlocal done
        done += 1
        if reporter is not None:
            reporter.progress("speech", done, total)

    kernel_guess = np.zeros_like(motion)
    third: dict[int, np.ndarray] = {}
    folds = np.array_split(rows, FOLDS)
    gap = max(1, round(0.2 * float(fps)))
    for fold in folds:
        learn = rows[(rows < fold[0] - gap) | (rows > fold[-1] + gap)]
        kernel_guess[fold] = Kernel.fit(inputs, motion, learn, step)(inputs)[fold]

        def watch(at: int, pupil: Pupil, fold: np.ndarray = fold) -> None:
            third.setdefault(at, np.zeros_like(motion))[fold] = pupil(inputs)[fold]

        train_network(inputs, motion, to_psi, learn, config, stride, seed, watch, tick)
    held, guess = _weigh(kernel_guess, third, motion, rows, mesh.lips, mean, to_psi)

    best = replace(config, steps=held.steps)
    pupils = []
    for i in range(PUPILS if held.network > 0 else 0):
        pupils.append(train_network(inputs, motion, to_psi, rows, best, stride, seed + i, None, tick))
    if reporter is not None:
        reporter.progress("speech", total, total)
    quiet = quietness(features, mesh.layout, fps)[rows] > 0.9
    rest = psi[rows][quiet].mean(0) if quiet.sum() >= 5 else _closed(psi[rows], mesh.lips)
    return SpeechModel(
        mesh=mesh,
        fps=fps,
        mean=mean.astype(np.float32),
        to_psi=to_psi.astype(np.float32),
        gain=_gains(guess[rows], motion[rows]),
        rest=rest.astype(np.float32),
        most=np.clip(1.25 * np.percentile(psi[rows], 99.5, axis=0), 0.05, 1.0).astype(np.float32),
        kernel=Kernel.fit(inputs, motion, rows, step),
        pupils=pupils,
        held=held,
    )


def _motions(psi: np.ndarray, lips: Lips, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal motions of the lips: mean psi [M], from motion to psi [C, M], motion [T, C] in metres.

    Actions that the lips do not show, and the fit's jitter among actions that cancel, fall away.
    """
    mean = psi[rows].mean(0)
    moved = np.tensordot(psi - mean, lips.basis.astype(np.float64), 1).reshape(len(psi), -1)
    axes = np.linalg.svd(moved[rows], full_matrices=False)[2][:MOTIONS]
    motion = moved @ axes.T
    ridge = 1e-4 * (motion[rows] ** 2).sum() / MOTIONS * np.eye(MOTIONS)
    to_psi = np.linalg.solve(motion[rows].T @ motion[rows] + ridge, motion[rows].T @ (psi[rows] - mean))
    return mean, to_psi, motion


def _weigh(
    kernel: np.ndarray,
    network: dict[int, np.ndarray],
    motion: np.ndarray,
    rows: np.ndarray,
    lips: Lips,
    mean: np.ndarray,
    to_psi: np.ndarray,
) -> tuple[Held, np.ndarray]:
    """Choose the steps and the network's share by the squared error on unseen parts; figures of that choice."""
    best_error, best = np.inf, (0.0, 0)
    for steps, guess in sorted(network.items()):
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            mixed = kernel + share * (guess - kernel)
            error = float(((mixed - motion)[rows] ** 2).sum())
            if error < best_error * 0.995:
                best_error, best = error, (share, steps)
    share, steps = best
    guess = kernel + share * (network[steps] - kernel)
    predicted, true = mean + guess[rows] @ to_psi, mean + motion[rows] @ to_psi
    opening = _correlation(lips.opening(predicted), lips.opening(true))
    width = _correlation(lips.width(predicted), lips.width(true))
    return Held(opening, width, share, steps), guess


def _gains(guess: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """[C] widen each motion to its true range as far as it can be trusted: regression shrinks what it is unsure of."""
    gain = np.ones(motion.shape[1], np.float32)
    for i in range(motion.shape[1]):
        trust = max(0.0, _correlation(guess[:, i], motion[:, i]))
        ratio = motion[:, i].std() / max(float(guess[:, i].std()), 1e-9)
        gain[i] = 1.0 + trust * (np.clip(ratio, 1.0, 1.8) - 1.0)
    return gain


def _closed(psi: np.ndarray, lips: Lips) -> np.ndarray:
    """[M] the mouth when it is closed, from the least open tenth of the frames."""
    opening = lips.opening(psi)
    return psi[opening <= np.percentile(opening, 10)].mean(0)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 1e-12 else 0.0
