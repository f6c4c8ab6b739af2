"""Learning how one person's mouth follows their voice."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..config import SpeechConfig
from ..errors import ReliTalkError
from .features import PhoneFeatures
from .lip_mesh import Lips
from .model import MOTIONS, Held, SpeechModel, anyone, quietness, see
from .regression import Kernel
from .voca import mesh_of

if TYPE_CHECKING:
    from ..events import Reporter
    from ..face.head_model import HeadModel
    from .expression import Pupil

FEWEST = 50
"""Good frames below which a speaker cannot be learned."""

PUPILS = 2
"""Networks that are averaged."""

FOLDS = 3
"""Parts of the clip that are held out in turn."""


def train_speech(
    features: np.ndarray,
    psi: np.ndarray,
    head: HeadModel,
    beta: np.ndarray,
    fps: Fraction,
    config: SpeechConfig,
    rng: np.random.Generator,
    valid: np.ndarray | None = None,
    reporter: Reporter | None = None,
    part: str = "both",
    kind: str = "phones",
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
        part: what F_exp sees: "both", "lips" (E_lip alone) or "sound" (E_pho alone).
        kind: how the features were heard, one of `adapters.KINDS`.

    Returns:
        The model, with the figures of its inner validation.

    Raises:
        ReliTalkError: fewer than 50 good frames.
    """
    from .expression import train_network

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
    plain = PhoneFeatures().layout
    mesh = mesh_of(kind)(Lips.of(head, beta), replace(plain, deep=features.shape[1] - plain.width))
    inputs = see(features, mesh, part)
    mean, to_psi, to_motion, motion = _motions(psi, mesh.lips, rows)
    others = (anyone(features, mesh) - mean) @ to_motion
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
        start = _start(others, motion, learn, part)
        begun = others @ start[0] + start[1]
        kernel_guess[fold] = (begun + Kernel.fit(inputs, motion - begun, learn, step)(inputs))[fold]

        def watch(at: int, pupil: Pupil, fold: np.ndarray = fold, begun: np.ndarray = begun) -> None:
            third.setdefault(at, np.zeros_like(motion))[fold] = (begun + pupil(inputs))[fold]

        train_network(inputs, motion - begun, to_psi, learn, config, stride, seed, watch, tick)
    held, guess = _weigh(kernel_guess, third, motion, rows, mesh.lips, mean, to_psi)

    slope, offset = _start(others, motion, rows, part)
    begun = others @ slope + offset
    best = replace(config, steps=held.steps)
    pupils = []
    for i in range(PUPILS if held.network > 0 else 0):
        pupils.append(train_network(inputs, motion - begun, to_psi, rows, best, stride, seed + i, None, tick))
    if reporter is not None:
        reporter.progress("speech", total, total)
    quiet = quietness(features, mesh.layout, fps)[rows] > 0.9
    closed = _closed(psi[rows], mesh.lips)
    rest = psi[rows][quiet].mean(0) if quiet.sum() >= 5 else closed
    return SpeechModel(
        mesh=mesh,
        fps=fps,
        mean=mean.astype(np.float32),
        to_psi=to_psi.astype(np.float32),
        generic=np.concatenate([to_motion @ slope, (offset - mean @ to_motion @ slope)[None]]).astype(np.float32),
        gain=_gains(guess[rows], motion[rows]),
        rest=rest.astype(np.float32),
        closed=closed.astype(np.float32),
        most=np.clip(1.25 * np.percentile(psi[rows], 99.5, axis=0), 0.05, 1.0).astype(np.float32),
        regression=Kernel.fit(inputs, motion - begun, rows, step),
        pupils=pupils,
        held=held,
        part=part,
        kind=kind,
    )


def _motions(
    psi: np.ndarray, lips: Lips, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Principal motions of the lips: mean psi [M], from motion to psi [C, M] and back [M, C], motion [T, C] in metres.

    Actions that the lips do not show, and the fit's jitter among actions that cancel, fall away.
    """
    mean = psi[rows].mean(0)
    basis = lips.basis.astype(np.float64).reshape(len(mean), -1)
    axes = np.linalg.svd((psi[rows] - mean) @ basis, full_matrices=False)[2][:MOTIONS]
    to_motion = basis @ axes.T
    motion = (psi - mean) @ to_motion
    ridge = 1e-4 * (motion[rows] ** 2).sum() / MOTIONS * np.eye(MOTIONS)
    to_psi = np.linalg.solve(motion[rows].T @ motion[rows] + ridge, motion[rows].T @ (psi[rows] - mean))
    return mean, to_psi, to_motion, motion


def _start(others: np.ndarray, motion: np.ndarray, rows: np.ndarray, part: str) -> tuple[np.ndarray, np.ndarray]:
    """What this speaker makes of anyone's motion [T, C]: slopes [C, C], diagonal, and offset [C]; then what is learnt.

    Each slope is 0 to 2; sound alone (``part``) has no lips to start from.
    """
    centre = others[rows].mean(0)
    moved = others[rows] - centre
    slope = np.clip((moved * motion[rows]).sum(0) / ((moved**2).sum(0) + 1e-12), 0.0, 2.0) * (part != "sound")
    return np.diag(slope), -centre * slope


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
        gain[i] = 1.0 + np.sqrt(trust) * (np.clip(ratio, 1.0, 2.0) - 1.0)
    return gain


def _closed(psi: np.ndarray, lips: Lips) -> np.ndarray:
    """[M] the mouth when its lips touch: the least open twentieth of the frames, the jaw raised until they do."""
    opening = lips.opening(psi)
    closed = psi[opening <= np.percentile(opening, 5)].mean(0)
    jaw = [i for i, name in enumerate(lips.actions) if name in ("jawOpen", "mouthLowerDownLeft", "mouthLowerDownRight")]
    for share in np.linspace(1.0, 0.0, 21):
        raised = closed.copy()
        raised[jaw] *= share
        if lips.opening(raised[None])[0] <= 0:
            break
    return raised


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 1e-12 else 0.0
