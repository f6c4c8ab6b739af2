"""Speech to motion for one person: trained on their clip, driven by any voice."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ReliTalkError
from . import visemes
from .features import Layout, PhoneFeatures
from .lip_mesh import LipMesh, Lips
from .regression import Inputs, Kernel, Scaling
from .voca import mesh_of

if TYPE_CHECKING:
    from ..face.head_model import HeadModel
    from .expression import Pupil

MOTIONS = 10
"""C: independent motions of the lips that are predicted."""

PIECE = 4096
"""Frames that are driven at once, in flat memory."""

_MARGIN = 64

TABLES = ("mean", "to_psi", "generic", "gain", "rest", "closed", "most")
"""A model's plain arrays, as their tensors are named."""

KERNEL = ("weights", "anchors", "dual", "mean")
"""The same of its regression."""

ANYONE = {"words": 0.25, "sound": 0.25, "ear": 0.5, "voca": 1.0}
"""Shares of a mesh's ways in the mouth of anyone: English is sure by words, and no language is mute."""

TOUCH_BY_WORDS, TOUCH_BY_EAR = (0.35, 0.6), (0.78, 0.84)
"""Belief in p, b or m from which the lips begin to meet, and at which they touch; the ear is wrong more often."""

CLOSING = 0.057
"""Seconds that lips need to meet and to part."""

SMOOTHING = 0.02
"""Seconds of the Gaussian that smooths the mouth at ``smooth`` 1."""

PAUSE, HOLD = (0.9, 1.4), (0.25, 0.08)
"""Seconds that a pause lasts, and for how long the mouth then holds its shape at either end."""

REST_WITHIN = 0.32
"""Seconds from holding to rest."""


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
        generic: [M + 1, C] from anyone's mouth actions, and 1, to the motion that learning starts from.
        gain: [C] what gives the motion back the range that regression takes.
        rest: [M] the mouth in silence.
        closed: [M] the mouth when its lips touch.
        most: [M] the largest value of each action that is allowed.
        regression: in closed form; None: F_mesh alone (a clip with no voice to learn from).
        pupils: the networks.
        held: figures of the inner validation.
        part: what F_exp sees: "both", "lips" (E_lip alone) or "sound" (E_pho alone); for ablations.
        kind: how it hears, one of `adapters.KINDS`.
    """

    mesh: LipMesh
    fps: Fraction
    mean: np.ndarray
    to_psi: np.ndarray
    generic: np.ndarray
    gain: np.ndarray
    rest: np.ndarray
    closed: np.ndarray
    most: np.ndarray
    regression: Kernel | None = None
    pupils: list[Pupil] = field(default_factory=list)
    held: Held | None = None
    part: str = "both"
    kind: str = "phones"

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the M mouth actions."""
        return self.mesh.lips.actions

    def drive(self, features: np.ndarray, mouth: float = 1.0, smooth: float = 1.0) -> np.ndarray:
        """Mouth actions of a voice. Lips that touch do so at any amplitude and smoothing.

        Args:
            features: f_pho [T, F] at this model's frame rate.
            mouth: amplitude about the mouth in silence.
            smooth: how strongly in time, 0: not at all.

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
        from scipy.ndimage import gaussian_filter1d

        result = np.empty((len(features), len(self.mean)), np.float32)
        for start in range(0, len(features), PIECE):
            low = max(0, start - _MARGIN)
            piece = features[low : start + PIECE + _MARGIN]
            result[start : start + PIECE] = self._motion(piece)[start - low : start - low + PIECE]
        result = np.clip(result, 0.0, self.most)
        if smooth > 0:
            result = gaussian_filter1d(result, SMOOTHING * smooth * float(self.fps), axis=0, mode="nearest")
        result = self.rest + mouth * (result - self.rest)
        result += contact(features, self.mesh.layout, self.fps)[:, None] * (self.closed - result)
        result += quietness(features, self.mesh.layout, self.fps)[:, None] * (self.rest - result)
        return np.clip(result, 0.0, 1.0).astype(np.float32)

    def _motion(self, features: np.ndarray) -> np.ndarray:
        if self.regression is None:
            return anyone(features, self.mesh)
        inputs = see(features, self.mesh, self.part)
        begun = anyone(features, self.mesh) @ self.generic[:-1] + self.generic[-1]
        motion = self.regression(inputs)
        if self.pupils and self.held is not None and self.held.network > 0:
            drawn = np.mean([pupil(inputs) for pupil in self.pupils], 0)
            motion = motion + self.held.network * (drawn - motion)
        return self.mean + ((begun + motion) * self.gain) @ self.to_psi

    @classmethod
    def of_anyone(cls, head: HeadModel, beta: np.ndarray, fps: Fraction) -> SpeechModel:
        """A speaker that nothing was learned of: the rule by words and sound, the ear that knows any language."""
        mesh = LipMesh(Lips.of(head, beta), PhoneFeatures().layout)
        zero = np.zeros(len(mesh.lips.actions), np.float32)
        rest = visemes.table(("SIL",), mesh.lips.actions)[0]
        motions = np.zeros((MOTIONS, len(zero)), np.float32)
        closed = visemes.table(("M",), mesh.lips.actions)[0]
        start = np.zeros((len(zero) + 1, MOTIONS), np.float32)
        return cls(mesh, fps, zero, motions, start, np.ones(MOTIONS, np.float32), rest, closed, zero + 1.0)

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything that `from_tensors` needs, for a safetensors file."""
        data = {
            "fps": np.array([self.fps.numerator, self.fps.denominator], np.int64),
            "phones": np.frombuffer(",".join(self.mesh.layout.phones).encode(), np.uint8).copy(),
            "part": np.frombuffer(self.part.encode(), np.uint8).copy(),
            "kind": np.frombuffer(self.kind.encode(), np.uint8).copy(),
            "columns": np.array([self.mesh.layout.deep, self.mesh.layout.studied], np.int64),
            **{k: getattr(self, k).astype(np.float32) for k in TABLES},
        }
        if self.held is not None:
            held = self.held
            data["held"] = np.array([held.opening, held.width, held.network, held.steps], np.float64)
        if self.regression is not None:
            kernel = self.regression
            data |= {f"whole.{k}": getattr(kernel, k) for k in KERNEL}
            data["whole.scaling"] = np.stack([kernel.scaling.mean, kernel.scaling.spread])
            data["whole.step"] = np.array([kernel.step], np.int64)
        for i, pupil in enumerate(self.pupils):
            data |= {f"pupil{i}.net.{k}": v.numpy() for k, v in pupil.net.state_dict().items()}
            data |= {f"pupil{i}.lips": np.stack([pupil.lips.mean, pupil.lips.spread])}
            data |= {f"pupil{i}.sound": np.stack([pupil.sound.mean, pupil.sound.spread])}
            shape = [pupil.net.channels, pupil.net.window, pupil.net.stride]
            data |= {f"pupil{i}.shape": np.array(shape, np.int64), f"pupil{i}.spread": np.array([pupil.spread])}
        return {k: np.ascontiguousarray(v) for k, v in data.items()}

    @classmethod
    def from_tensors(cls, data: dict[str, np.ndarray], head: HeadModel, beta: np.ndarray) -> SpeechModel:
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
    def _read(cls, data: dict[str, np.ndarray], head: HeadModel, beta: np.ndarray) -> SpeechModel:
        import torch

        from .expression import ExpressionNet, Pupil

        deep, columns = (int(x) for x in data["columns"])
        layout = Layout(tuple(bytes(data["phones"]).decode("ascii").split(",")), deep)
        if layout.studied != columns:
            raise ValueError(f"{columns} columns of speech features, this engine has {layout.studied}")
        part, kind = (bytes(data[k]).decode("ascii") for k in ("part", "kind"))
        mesh = mesh_of(kind)(Lips.of(head, beta), layout)
        if data["mean"].shape != (len(mesh.lips.actions),):
            raise ValueError(f"{len(data['mean'])} mouth actions, the head has {len(mesh.lips.actions)}")
        numerator, denominator = (int(x) for x in data["fps"])
        mean, to_psi, generic, gain, rest, closed, most = (data[name] for name in TABLES)
        model = cls(mesh, Fraction(numerator, denominator), mean, to_psi, generic, gain, rest, closed, most)
        model.part, model.kind = part, kind
        if "held" in data:
            opening, width, network, steps = (float(x) for x in data["held"])
            model.held = Held(opening, width, network, int(steps))
        if "whole.dual" in data:
            parts = {k: data[f"whole.{k}"] for k in KERNEL}
            model.regression = Kernel(Scaling(*data["whole.scaling"]), step=int(data["whole.step"][0]), **parts)
        while f"pupil{len(model.pupils)}.shape" in data:
            stem = f"pupil{len(model.pupils)}."
            lips, sound = Scaling(*data[stem + "lips"]), Scaling(*data[stem + "sound"])
            channels, window, stride = (int(x) for x in data[stem + "shape"])
            prefix = stem + "net."
            recall = prefix + "recall.weight" in data
            net = ExpressionNet(len(lips.mean), len(sound.mean), MOTIONS, channels, window, stride, recall)
            state = {k.removeprefix(prefix): torch.from_numpy(v) for k, v in data.items() if k.startswith(prefix)}
            net.load_state_dict(state)
            model.pupils.append(Pupil(net, lips, sound, float(data[stem + "spread"][0])))
        return model


def see(features: np.ndarray, mesh: LipMesh, part: str = "both") -> Inputs:
    """What F_exp sees of f_pho [T, F]: V_lip, articulatory traits, spectrum, level, voice, a user's own network.

    With ``part`` "lips" or "sound" the other half is blank.
    """
    layout = mesh.layout
    traits = visemes.traits(layout.phones)
    lips = np.concatenate([mesh.coordinates(mesh.vertices(features, way)) for way in mesh.ways], 1)
    spoken = features[:, layout.spoken][:, len(visemes.ACTIONS) :]
    said = np.concatenate([features[:, layout.understood] @ traits, features[:, layout.heard] @ traits, spoken], 1)
    voice = features[:, [layout.voicing, layout.speech]]
    sound = [said, features[:, layout.mel], features[:, layout.level], voice, features[:, layout.learnt]]
    if part == "lips":
        sound = [np.zeros_like(group) for group in sound]
    elif part == "sound":
        lips = np.zeros_like(lips)
    return Inputs(lips.astype(np.float32), *(group.astype(np.float32) for group in sound))


def anyone(features: np.ndarray, mesh: LipMesh) -> np.ndarray:
    """Mouth actions [T, M] that F_mesh asks of anyone, for f_pho [T, F]."""
    shares, mouths = zip(*((ANYONE[way], mesh.actions(features, way)) for way in mesh.ways), strict=True)
    return np.tensordot(shares, mouths, 1).astype(np.float32)


def contact(features: np.ndarray, layout: Layout, fps: Fraction) -> np.ndarray:
    """How far each frame's lips must touch, [T], 0..1: what recognised words or the ear believe of p, b and m."""
    by_words = features[:, layout.understood] @ visemes.traits(layout.phones)[:, visemes.TRAITS.index("closed")]
    ways = ((by_words, TOUCH_BY_WORDS), (features[:, layout.touch], TOUCH_BY_EAR))
    ramp = np.max([np.clip((belief - low) / (high - low), 0.0, 1.0) for belief, (low, high) in ways], axis=0)
    met = ramp * ramp * (3 - 2 * ramp)
    result = met.copy()
    for away in range(1, int(CLOSING * float(fps)) + 1):
        near = 1 - away / (CLOSING * float(fps))
        result[away:] = np.maximum(result[away:], near * met[:-away])
        result[:-away] = np.maximum(result[:-away], near * met[away:])
    return result.astype(np.float32)


def quietness(features: np.ndarray, layout: Layout, fps: Fraction) -> np.ndarray:
    """How far each frame lies inside a pause, [T]: 0 near speech, 1 well inside, smooth between.

    In a short pause a mouth does not rest: it holds, or makes ready. In a long one it closes at once.
    """
    speaking = (features[:, layout.speech] > 0.3) & (features[:, layout.level.start] > -2.2)
    if not speaking.any():
        return np.ones(len(features), np.float32)
    where = np.flatnonzero(speaking)
    frames = np.arange(len(features))
    ends = np.concatenate([[-np.inf], where, [np.inf]])
    after = np.searchsorted(where, frames) + 1
    to_next, to_last = (ends[after] - frames) / float(fps), (frames - ends[after - 1]) / float(fps)
    to_last = np.where(speaking, 0.0, to_last)
    hold = np.interp(to_next + to_last, PAUSE, HOLD)
    ramp = np.clip((np.minimum(to_next, to_last) - hold) / REST_WITHIN, 0.0, 1.0)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
