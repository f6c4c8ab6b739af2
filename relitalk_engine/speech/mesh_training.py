"""Teaches F_mesh's ear: from speech of known phones to the mouth that says it.

Run with `make priors`; needs the package `espeakng-loader`. Some twenty minutes on two cores, the same every time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ..face.head_model import HeadModel
from . import visemes
from .acoustics import BANDS, cepstra, spectra
from .features import SHARPNESS
from .lip_mesh import Lips
from .mesh_net import STRIDE, WEIGHTS_FILE, MeshNet, hearing
from .phones import load_phone_model
from .utterances import Utterance, utterances

UTTERANCES = 1300
HELD = 60
"""Utterances that are only measured on."""
STEPS = 1000
"""Few: longer training knows espeak-ng's voices ever better and human ones worse."""
BATCH = 16
CROP = 160
"""Spectra of one excerpt."""
LEARNING_RATE = 2e-3
VELOCITY, ACTIONS, PHONES = 2.0, 1.0, 0.1
"""Weights beside that of the lip vertices, in percent of the eyes' distance."""
NO_SPECTRUM, NO_PHONES = 0.4, 0.15
"""Share of excerpts that lack one or the other; human voices are more like the lessons' in their phones."""
NOISE = 0.15

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
        belief = model.posteriors(model.scores(cepstra(said.samples)), SHARPNESS)
        return cls(*(x.astype(np.float16) for x in (hearing(sound, belief), said.actions, said.phones)))


def lip_map() -> torch.Tensor:
    """[A, K * 3] lip vertices of the template head per action, in percent of the distance of the outer eye corners."""
    head = HeadModel.read()
    lips = Lips.of(head, np.zeros(len(head.shape_basis), np.float32))
    moved = np.tensordot(visemes.expand(lips.actions), lips.basis, 1).reshape(len(visemes.ACTIONS), -1)
    return torch.from_numpy(100 * moved / lips.scale).float()


def train(lessons: list[Lesson], steps: int = STEPS, seed: int = 0) -> MeshNet:
    """Train the network on excerpts of lessons, each with its spectrum or its phones left out some of the time."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    to_lips = lip_map()
    lessons = [lesson for lesson in lessons if len(lesson.inputs) > CROP]
    lengths = [len(lesson.inputs) for lesson in lessons]
    net = MeshNet(lessons[0].inputs.shape[1])

    def loss() -> torch.Tensor:
        batch = []
        for which, inside in excerpts(lengths, rng):
            lesson = lessons[which]
            x = blurred(lesson.inputs[inside], BANDS, NO_SPECTRUM, NO_PHONES, rng)
            said = (lesson.actions[inside][::STRIDE], lesson.phones[inside][::STRIDE])
            batch.append((x, *(part.astype(np.float32) for part in said)))
        x, actions, phones = (torch.from_numpy(np.stack(part)) for part in zip(*batch, strict=True))
        guess, logits = net.mouth(x)
        error = guess - actions
        lips = error @ to_lips
        missed = (lips**2).mean() + VELOCITY * (lips.diff(dim=1) ** 2).mean() + ACTIONS * (error**2).mean()
        return missed + PHONES * cross_entropy(logits.flatten(0, 1), phones.flatten(0, 1))

    descend(net, loss, steps)
    return net


def excerpts(lengths: list[int], rng: np.random.Generator) -> Iterator[tuple[int, slice]]:
    """A batch: which lesson, and which spectra of so many."""
    for which in rng.integers(len(lengths), size=BATCH):
        start = int(rng.integers(lengths[which] - CROP))
        yield int(which), slice(start, start + CROP)


def descend(net: nn.Module, loss: Callable[[], torch.Tensor], steps: int) -> None:
    """Train a network, each step on a loss of its own, and leave it ready to be used."""
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for step in range(steps):
        missed = loss()
        optimiser.zero_grad()
        missed.backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            _LOG.info("step %d of %d: %.3f", step + 1, steps, missed.item())
    net.eval()


def blurred(
    inputs: np.ndarray, bands: int, no_spectrum: float, no_phones: float, rng: np.random.Generator
) -> np.ndarray:
    """An excerpt's inputs [N, columns] through another microphone, noise, and one half left out some of the time."""
    x = inputs.astype(np.float32)
    x[:, :bands] += rng.normal(0, 0.2, bands)
    left_out = rng.random()
    if left_out < no_spectrum:
        x[:, :bands] = 0
    elif left_out < no_spectrum + no_phones:
        x[:, bands + 2 :] = 0
    return x + rng.normal(0, NOISE, x.shape).astype(np.float32)


def write_weights(net: nn.Module, path: Path) -> None:
    """Write a network's weights in half precision."""
    from safetensors.torch import save_file

    part = path.with_suffix(".part")
    save_file({name: value.half().contiguous() for name, value in net.state_dict().items()}, part)
    os.replace(part, path)


@torch.no_grad()
def unexplained(net: MeshNet, lessons: Iterable[Lesson]) -> float:
    """Share of the lips' motion in unheard utterances that the network does not explain."""
    to_lips = lip_map()
    missed, whole = 0.0, 0.0
    for lesson in lessons:
        true = torch.from_numpy(lesson.actions[::STRIDE].astype(np.float32)) @ to_lips
        guess = net.mouth(torch.from_numpy(lesson.inputs.astype(np.float32))[None])[0][0] @ to_lips
        missed += float(((guess - true) ** 2).sum())
        whole += float(((true - true.mean(0)) ** 2).sum())
    return missed / whole


def teach(path: Path = WEIGHTS_FILE) -> None:
    """Make the lessons, train, write the weights."""
    torch.set_num_threads(1)  # the same sums in the same order on any machine
    lessons = [Lesson.of(said) for said in utterances(UTTERANCES, np.random.default_rng(0))]
    _LOG.info("%.0f minutes of speech", sum(len(lesson.inputs) for lesson in lessons) / 6000)
    net = train(lessons[HELD:])
    _LOG.info("unexplained in held-out speech: %.3f", unexplained(net, lessons[:HELD]))
    write_weights(net, path)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    teach()
