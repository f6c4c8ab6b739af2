"""Teaches the ear for p, b and m: speech of forty languages and of none, and when its lips touch.

Run with `make priors`; needs the package `espeakng-loader`. Some three minutes of one core, the same every time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from . import visemes
from .acoustics import FINE, cepstra, in_a_room, spectra
from .closures import CHANNELS, WEIGHTS_FILE
from .features import SHARPNESS
from .mesh_net import Ear, hearing
from .mesh_training import CROP, blurred, descend, excerpts, write_weights
from .phones import load_phone_model
from .utterances import MORE_SENTENCES, MORE_VARIANTS, SENTENCES, VARIANTS, Course, Utterance, utterances

COURSE = Course((SENTENCES, MORE_SENTENCES), VARIANTS + MORE_VARIANTS, nonsense=0.3)
UTTERANCES = 2000
HELD = 60
"""Utterances that are only measured on."""
STEPS = 1200
"""Few: longer training hears espeak-ng's voices ever better and human ones worse."""
RARE = 3.0
"""How much more it weighs to miss p, b or m than to hear them in vain: they are rare."""
NO_SPECTRUM, NO_PHONES = 0.5, 0.15
"""Share of excerpts that lack one or the other; human voices are more like the lessons' in their phones."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lesson:
    """One utterance as the network hears it; half precision, for there are many.

    Attributes:
        inputs: [N, columns].
        closed: [N] 1 where p, b or m sounds.
    """

    inputs: np.ndarray
    closed: np.ndarray

    @classmethod
    def of(cls, said: Utterance) -> Lesson:
        """Hear an utterance."""
        model = load_phone_model()
        belief = model.posteriors(model.scores(cepstra(in_a_room(said.samples))), SHARPNESS)
        closed = said.phones @ visemes.traits(visemes.PHONES)[:, visemes.TRAITS.index("closed")]
        inputs = hearing(spectra(said.samples), belief, fine=True)
        return cls(inputs.astype(np.float16), closed.astype(np.float16))


def train(lessons: list[Lesson], steps: int = STEPS, seed: int = 0) -> Ear:
    """Train the network on excerpts of lessons."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    lessons = [lesson for lesson in lessons if len(lesson.inputs) > CROP]
    lengths = [len(lesson.inputs) for lesson in lessons]
    net = Ear(lessons[0].inputs.shape[1], 1, CHANNELS)

    def loss() -> torch.Tensor:
        batch = []
        for which, inside in excerpts(lengths, rng):
            x = blurred(lessons[which].inputs[inside], FINE, NO_SPECTRUM, NO_PHONES, rng)
            batch.append((x, lessons[which].closed[inside].astype(np.float32)))
        x, closed = (torch.from_numpy(np.stack(part)) for part in zip(*batch, strict=True))
        return binary_cross_entropy_with_logits(net(x)[..., 0], closed, pos_weight=torch.tensor(RARE))

    descend(net, loss, steps)
    return net


@torch.no_grad()
def told_apart(net: Ear, lessons: list[Lesson]) -> float:
    """How often a moment of p, b or m is believed more than a moment without, in unheard utterances; 0.5: by chance."""
    belief = np.concatenate([net(torch.from_numpy(x.inputs.astype(np.float32))[None])[0, :, 0] for x in lessons])
    closed = np.concatenate([x.closed for x in lessons]) > 0.5
    place = belief.argsort().argsort()
    pairs = closed.sum() * (~closed).sum()
    return float((place[closed].sum() - closed.sum() * (closed.sum() - 1) / 2) / pairs)


def teach(path: Path = WEIGHTS_FILE) -> None:
    """Make the lessons, train, write the weights."""
    torch.set_num_threads(1)  # the same sums in the same order on any machine
    lessons = [Lesson.of(said) for said in utterances(UTTERANCES, np.random.default_rng(0), COURSE)]
    _LOG.info("%.0f minutes of speech", sum(len(lesson.inputs) for lesson in lessons) / 6000)
    net = train(lessons[HELD:])
    _LOG.info("told apart in held-out speech: %.3f", told_apart(net, lessons[:HELD]))
    write_weights(net, path)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    teach()
