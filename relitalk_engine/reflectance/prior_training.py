"""Teaches the decomposition's prior: F_albedo, and F_normal beside it, on synthetic heads filmed as they learn.

Run with `make priors`. The forward pass is a subject's own (``ReflectanceModel``), with the errors of a fit in normal,
shadow and light, so that what is learned is what a subject's training starts from.
"""

import logging
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..face.head_model import HeadModel
from . import losses
from .evenness import cloth_colours
from .light_start import START_SIZE
from .model import Decomposition, ReflectanceModel
from .prior import CHANNELS, PRIOR_FILE, write_prior
from .synthetic_film import Lesson, film
from .synthetic_heads import HeadView, make_view
from .synthetic_paint import Painter

SIZE = 192
"""Side of the pictures that are filmed."""
SMALL, SMALL_SHARE = 128, 0.75
"""Side and share of the lessons that are looked at smaller, or nearer: draft's size."""
HEADS, HELD = 240, 16
"""Heads to learn from, and to measure on."""
CYCLES = (1500, 1100, 350)
"""Steps of the optimiser; the learning rate rises and falls once in each."""
KEEP = 96
"""Lessons at hand; each step films one anew."""
BATCH = {"cpu": 4, "cuda": 16}
LEARNING_RATE, NORMAL_RATE = 1e-3, 3.0
"""Of Adam; and F_normal's share of it, whose lessons are harder to see."""
NORMAL, EDGES, LEVEL = 8.0, 0.5, 0.2
"""Weights beside the albedo's error: of one minus the normals' cosine, and of the differences of neighbouring pixels;
and what of an error of the whole level counts."""
SMOOTH, REST = 0.02, 1.0
"""Weight of total variation on the normal's residual; of any answer on hair and cloth, of which the heads teach little.
"""
MEAN_DECAY = 0.995
"""What is kept is the running mean of the weights."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Errors:
    """How far a decomposition is from the truth."""

    albedo: float
    """Mean absolute logarithm on skin, after one factor per channel."""
    albedo_all: float
    """The same on hair and cloth too, with skin's factor."""
    normal: float
    """Mean angle on skin, degrees."""


class Lessons:
    """Lessons without end, a few at hand."""

    def __init__(self, views: list[HeadView], painter: Painter, model: ReflectanceModel, seed: int):
        """``model`` sets each lesson's light to the gauge, as a subject's is; ``seed`` of all draws."""
        self.views, self.painter, self.model = views, painter, model
        self.rng = np.random.default_rng(seed)
        self.kept: list[Lesson] = []

    def new(self) -> Lesson:
        """Film one more."""
        view = self.views[self.rng.integers(len(self.views))]
        lesson = film(view, self.painter.paint(view, self.rng, self.model.skin.device), self.rng)
        return in_gauge(self.model, lesson, self.rng)

    def draw(self, count: int, keep: int) -> list[Lesson]:
        """Some lessons of those at hand, of which the oldest makes room for a new one; all of one size."""
        self.kept = [*self.kept[max(0, len(self.kept) - keep + 1) :], self.new()]
        chosen = [self.kept[-1], *(self.kept[k] for k in self.rng.integers(len(self.kept), size=count - 1))]
        if self.rng.random() > SMALL_SHARE:
            return chosen
        return [self._nearer(lesson) for lesson in chosen]

    def _nearer(self, lesson: Lesson) -> Lesson:
        size = lesson.weight.shape[-1]
        side = int(self.rng.integers(min(SMALL, size), size + 1))
        top, left = self.rng.integers(0, size - side + 1, 2)
        return lesson.cropped(int(top), int(left), side).resized(min(SMALL, size))


@torch.no_grad()
def in_gauge(model: ReflectanceModel, lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """The lesson with the level of its light at which its skin has the gauge's albedo, and its cloth's colours."""
    seen = lesson.seen
    model.skin = lesson.skin
    shade, _, _ = model.shade(seen, seen.normal, seen.skin * 0, lesson.radiance)
    sure = (seen.skin[0, 0] > 0.6) & (seen.normal[0, 2] > 0.5)
    if int(sure.sum()) < 64:
        sure = seen.skin[0, 0] > 0.3
    miss = ((seen.image[0] + 1e-3).log() - (shade[0] + 1e-3).log())[:, sure].median(1).values
    gain = (miss - lesson.skin.log()).exp()
    worn = (lesson.seen.cloth[0, 0] > 0.7) if lesson.seen.cloth is not None else sure & False
    paint = (seen.image[0] / (shade[0] * gain[:, None, None]).clamp_min(1e-3)).clamp(0.01, 2).log()[:, worn]
    cloth = torch.from_numpy(cloth_colours(paint.T.cpu().numpy(), rng)).to(gain.device)
    return replace(lesson, radiance=lesson.radiance * gain, cloth=cloth)


def decompose(model: ReflectanceModel, lesson: Lesson) -> Decomposition:
    """Decompose a lesson under its own light and gauge."""
    model.skin, model.cloth = lesson.skin, lesson.cloth
    return model(lesson.seen, lesson.radiance)


def lesson_loss(found: Decomposition, lesson: Lesson) -> Tensor:
    """What of a decomposition is not the truth, scalar."""
    weight = lesson.weight
    clipped = (lesson.seen.image.amax(1, keepdim=True) > 0.96).to(weight.dtype)
    trusted = weight * (1 - 0.8 * clipped)
    miss = (found.albedo + 0.01).log() - (lesson.albedo + 0.01).log()
    skin = lesson.seen.skin * trusted
    level = (miss * skin).sum((2, 3), keepdim=True) / skin.sum().clamp_min(1)
    miss = miss - (1 - LEVEL) * level
    total = trusted.sum().clamp_min(1)
    albedo = (miss.abs() * trusted).sum() / (3 * total) + EDGES * losses.total_variation(miss, trusted)
    angle = (1 - (found.normal * lesson.normal).sum(1, keepdim=True)) * weight
    rest = (lesson.seen.alpha - weight).clamp_min(0)
    said = ((found.gain - found.even).abs() + found.delta.abs()).mean(1, keepdim=True)
    rough = losses.total_variation(found.delta, weight)
    return (
        albedo + NORMAL * angle.sum() / weight.sum().clamp_min(1) + SMOOTH * rough
        + REST * (said * rest).sum() / lesson.seen.alpha.sum().clamp_min(1)
    )  # fmt: skip


@torch.no_grad()
def measure(model: ReflectanceModel, lessons: list[Lesson]) -> Errors:
    """Mean errors over lessons."""
    rows = []
    for lesson in lessons:
        found = decompose(model, lesson)
        skin = (lesson.seen.skin * (lesson.weight > 0.9))[0, 0] > 0.5
        body = lesson.seen.alpha[0, 0] > 0.5
        miss = (found.albedo[0] + 0.01).log() - (lesson.albedo[0] + 0.01).log()
        miss = miss - miss[:, skin].median(1).values[:, None, None]
        angle = torch.rad2deg((found.normal[0] * lesson.normal[0]).sum(0)[skin].clamp(-1, 1).acos())
        rows.append([miss[:, skin].abs().mean(), miss[:, body].abs().mean(), angle.mean()])
    return Errors(*(float(x) for x in torch.tensor(rows).mean(0)))


def new_model(device: torch.device | str) -> ReflectanceModel:
    """A decomposition that knows nothing yet."""
    model = ReflectanceModel(np.ones((*START_SIZE, 3)), np.full(3, 0.4), SIZE, CHANNELS).to(device)
    return model.to(memory_format=torch.channels_last)


def train(
    model: ReflectanceModel, lessons: Lessons, steps: int, watch: Callable[[int, ReflectanceModel], None] | None = None,
    every: int = 100, keep: int = KEEP,
) -> ReflectanceModel:
    """Train a model's networks on lessons, through one cycle of the learning rate.

    Args:
        model: where to begin.
        lessons: what to learn from.
        steps: of the optimiser.
        watch: told the step and the model of mean weights, now and then.
        every: how many steps are now and then.
        keep: lessons at hand.

    Returns:
        The model of mean weights.
    """
    device = model.skin.device
    mean = new_model(device)
    mean.load_state_dict(model.state_dict())
    normal = list(model.f_normal.parameters())
    rest = list(model.f_albedo.parameters())
    rates = [NORMAL_RATE * LEARNING_RATE, LEARNING_RATE]
    optimiser = torch.optim.AdamW([{"params": normal}, {"params": rest}], LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps, pct_start=0.08)
    batch = BATCH[device.type]
    while len(lessons.kept) < min(keep, 6 * batch, steps):
        lessons.kept.append(lessons.new())
    for step in range(steps):
        optimiser.zero_grad()
        for lesson in lessons.draw(batch, keep):
            (lesson_loss(decompose(model, lesson), lesson) / batch).backward()
        torch.nn.utils.clip_grad_norm_(normal, 1.0)
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        optimiser.step()
        schedule.step()
        decay = min(MEAN_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            for slow, fast in zip(mean.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
        if watch is not None and ((step + 1) % every == 0 or step + 1 == steps):
            watch(step + 1, mean)
    return mean


def teach(path: Path = PRIOR_FILE) -> None:
    """Make the heads, train, write the weights, and say what was gained."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    began = time.monotonic()
    head = HeadModel.read()
    views, unseen = (
        [make_view(head, np.random.default_rng([kind, k]), SIZE) for k in range(count)]
        for kind, count in enumerate((HEADS, HELD))
    )
    _LOG.info("%d heads in %.0f s", len(views) + len(unseen), time.monotonic() - began)
    torch.manual_seed(0)
    teach_on(new_model(device), views, unseen, Painter(head), path, began)


def teach_on(
    model: ReflectanceModel, views: list[HeadView], unseen: list[HeadView], painter: Painter, path: Path, began: float
) -> None:
    """Train on views, measure on unseen ones; write the weights now and then and at the end."""
    untrained, device = new_model(model.skin.device), model.skin.device
    rng = np.random.default_rng(2)
    held = [
        in_gauge(untrained, film(view, painter.paint(view, rng, device), rng), rng).resized(size)
        for view in unseen for size in (SMALL, SIZE)
    ]  # fmt: skip
    before = measure(untrained, held)
    _LOG.info("untrained: %s", before)
    lessons = Lessons(views, painter, new_model(device), 0)
    machine = torch.cuda.get_device_name() if device.type == "cuda" else f"one core of a {platform.machine()} CPU"
    for cycle, steps in enumerate(CYCLES):

        def watch(step: int, mean: ReflectanceModel, cycle: int = cycle) -> None:
            errors, minutes = measure(mean, held), (time.monotonic() - began) / 60
            _LOG.info("cycle %d, step %d, %.0f min: %s", cycle + 1, step, minutes, errors)
            done = sum(CYCLES[:cycle]) + step
            write_prior(
                path, mean, trained=f"{done} steps of {BATCH[device.type]} on {machine} in {minutes:.0f} minutes",
                held_out=f"{errors}, untrained {before}",
            )  # fmt: skip

        model = train(model, lessons, steps, watch)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)  # the same sums in the same order
    teach()
