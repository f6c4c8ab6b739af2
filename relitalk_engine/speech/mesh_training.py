"""Teaches F_mesh's ear: from speech of known phones to the mouth that says it.

Run with `make priors`; needs the package `espeakng-loader`. Some three minutes of one core, the same every time.
"""

from __future__ import annotations

import logging
import math
import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from ..face.head_model import HeadModel
from . import visemes
from .acoustics import BANDS, cepstra, spectra
from .features import SHARPNESS, in_a_room
from .lip_mesh import Lips
from .mesh_net import STRIDE, WEIGHTS_FILE, MeshNet, hearing
from .phones import load_phone_model
from .utterances import Utterance, utterances

UTTERANCES = 1400
HELD = 60
"""Utterances that are only measured on."""
STEPS = 1500
"""Few: longer training knows espeak-ng's voices ever better and human ones worse."""
BATCH = 16
CROP = 160
"""Spectra of one excerpt."""
LEARNING_RATE = 2e-3
VELOCITY, ACTIONS, PHONES, TRAITS = 2.0, 1.0, 0.5, 2.0
"""Weights beside that of the lip vertices, in percent of the eyes' distance."""
RARE = 3.0
"""How much more it weighs to miss closed lips than to close them in vain: they are rare, and a miss is seen."""
NO_SPECTRUM, NO_PHONES = 0.3, 0.15
"""Share of excerpts that lack one or the other; human voices are more like the lessons' in their phones."""
NOISE = 0.15
FIRM = 3.0
"""Odds of closed lips over what was learnt: a mouth that stays open on m is seen sooner than one that closes."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lesson:
    """One utterance as the network sees it; half precision, for there are many.

    Attributes:
        inputs: [N, columns].
        actions: [N, A].
        phones: [N, P].
    """

    inputs: np.ndarray
    actions: np.ndarray
    phones: np.ndarray

    @classmethod
    def of(cls, said: Utterance) -> Lesson:
        """Hear an utterance."""
        model, sound = load_phone_model(), spectra(said.samples)
        belief = model.posteriors(model.scores(cepstra(in_a_room(said.samples))), SHARPNESS)
        return cls(*(x.astype(np.float16) for x in (hearing(sound, belief), said.actions, said.phones)))


def lip_map() -> torch.Tensor:
    """[A, K * 3] lip vertices of the template head per action, in percent of the distance of the outer eye corners."""
    head = HeadModel.read()
    lips = Lips.of(head, np.zeros(len(head.shape_basis), np.float32))
    moved = np.tensordot(visemes.expand(lips.actions), lips.basis, 1).reshape(len(visemes.ACTIONS), -1)
    return torch.from_numpy(100 * moved / lips.scale).float()


def train(
    lessons: list[Lesson], steps: int = STEPS, seed: int = 0, watch: Callable[[int, MeshNet], None] | None = None
) -> MeshNet:
    """Train the network on excerpts of lessons, each with its spectrum or its phones left out some of the time."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    to_lips, bands = lip_map(), BANDS
    traits = torch.from_numpy(visemes.traits(visemes.PHONES))
    weight = torch.ones(traits.shape[1])
    weight[visemes.TRAITS.index("closed")] = RARE
    lessons = [lesson for lesson in lessons if len(lesson.inputs) > CROP]
    net = MeshNet(lessons[0].inputs.shape[1])
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for step in range(steps):
        batch = []
        for which in rng.integers(len(lessons), size=BATCH):
            lesson = lessons[which]
            start = rng.integers(len(lesson.inputs) - CROP)
            x = lesson.inputs[start : start + CROP].astype(np.float32)
            x[:, :bands] += rng.normal(0, 0.2, bands)
            left_out = rng.random()
            if left_out < NO_SPECTRUM:
                x[:, :bands] = 0
            elif left_out < NO_SPECTRUM + NO_PHONES:
                x[:, bands + 2 :] = 0
            x += rng.normal(0, NOISE, x.shape)
            inside = slice(start, start + CROP, STRIDE)
            batch.append((x, lesson.actions[inside].astype(np.float32), lesson.phones[inside].astype(np.float32)))
        x, actions, phones = (torch.from_numpy(np.stack(part)) for part in zip(*batch, strict=True))
        guess, logits = net(x)
        error = guess - actions
        lips = error @ to_lips
        loss = (lips**2).mean() + VELOCITY * (lips.diff(dim=1) ** 2).mean() + ACTIONS * (error**2).mean()
        loss = loss + PHONES * cross_entropy(logits.flatten(0, 1), phones.flatten(0, 1))
        belief = (torch.softmax(logits, -1) @ traits).clamp(1e-4, 1 - 1e-4)
        truth = phones @ traits
        missed = weight * truth * belief.log() + (1 - truth) * (1 - belief).log()
        loss = loss - TRAITS * missed.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            _LOG.info("step %d of %d: %.3f", step + 1, steps, loss.item())
            if watch is not None:
                watch(step + 1, net)
    return net.eval()


@torch.no_grad()
def unexplained(net: MeshNet, lessons: Iterable[Lesson]) -> float:
    """Share of the lips' motion in unheard utterances that the network does not explain."""
    to_lips = lip_map()
    missed, whole = 0.0, 0.0
    for lesson in lessons:
        true = torch.from_numpy(lesson.actions[::STRIDE].astype(np.float32)) @ to_lips
        guess = net(torch.from_numpy(lesson.inputs.astype(np.float32))[None])[0][0] @ to_lips
        missed += float(((guess - true) ** 2).sum())
        whole += float(((true - true.mean(0)) ** 2).sum())
    return missed / whole


def teach(path: Path = WEIGHTS_FILE) -> None:
    """Make the lessons, train, write the weights, and beside them how they came about."""
    torch.set_num_threads(1)  # the same sums in the same order on any machine
    began = time.process_time()
    lessons = [Lesson.of(said) for said in utterances(UTTERANCES, np.random.default_rng(0))]
    _LOG.info("%.0f minutes of speech", sum(len(lesson.inputs) for lesson in lessons) / 6000)
    net = train(lessons[HELD:])
    missed = unexplained(net, lessons[:HELD])
    made = made_by(time.process_time() - began)
    _LOG.info("unexplained in held-out speech: %.3f; %s", missed, ", ".join(made.values()))
    write(net, path, made)


def made_by(seconds: float) -> dict[str, str]:
    """How weights came about: command, machine, duration."""
    return {
        "command": "python -m relitalk_engine.speech.mesh_training",
        "machine": f"one thread of {platform.machine()}, torch {torch.__version__}",
        "duration": f"{seconds / 60:.0f} minutes",
    }


def write(net: MeshNet, path: Path, made: dict[str, str]) -> None:
    """Write the weights in half precision, firmer on closed lips."""
    from safetensors.torch import save_file

    weights = {name: value.half() for name, value in net.state_dict().items()}
    closed = [len(visemes.ACTIONS) + visemes.PHONES.index(phone) for phone in visemes.CLOSED]
    weights["last.bias"][closed] += math.log(FIRM)
    part = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in weights.items()}, part, made)
    os.replace(part, path)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    teach()
