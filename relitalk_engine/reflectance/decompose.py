"""Training the decomposition of one clip, in the paper's stages: coarse, decomposition, identity consistency."""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from ..config import ReflectanceConfig
from ..errors import ReliTalkError
from ..events import Reporter
from ..face.identity import FaceTrunk
from ..media.images import linear_to_srgb, srgb_to_linear
from . import losses
from .batch import Batch, calmed, small_batch
from .evenness import cloth_colours
from .gauge import Gauge, find_gauge
from .light_start import SkinSamples, fit_environment
from .model import Decomposition, ReflectanceModel
from .networks import SPECULAR_START, FCoarse
from .prior import start_from_prior
from .shadow import PixelShadow

SKIN_SAMPLES, CLOTH_SAMPLES = 6000, 4000
SKIN_LEAST = 0.6
# What brings each term of eq. 20 to the same footing here; the weights of the configuration multiply these.
NORMAL_SCALE, SMOOTH_SCALE, PARSIMONY_SCALE, CONSISTENCY_SCALE = 0.06, 0.25, 0.5, 0.05
DRIFT_SCALE, SPECULAR_SCALE = 0.02, 0.01
HELD_MOST = 0.2
"""Logarithm by which light and albedo are moved at most so that skin ends with the gauge's albedo."""
PRIOR_SCALE, PRIOR_RATE = 1.0, 0.3
"""Weight of staying near what the prior made of a frame; and the share of the learning rate that suits it."""


@dataclass
class ClipFrame:
    """One frame as training sees it."""

    image: np.ndarray
    """[H, W, 3] uint8, sRGB."""
    normal: np.ndarray
    """[H, W, 3] N̂, unit, camera frame."""
    alpha: np.ndarray
    """[H, W] 0..1."""
    regions: dict[str, np.ndarray]
    """``skin`` and ``hair``, and ``eyes`` where there are any; [H, W] each."""
    shadow: PixelShadow | None = None
    """The head's shadow on itself."""
    chip: np.ndarray | None = None
    """[2, 3], from the frame's pixels to the face chip (``face.identity.chip_matrix``)."""


@dataclass
class Trained:
    """What training leaves."""

    model: ReflectanceModel
    gauge: Gauge
    history: list[tuple[str, float]]
    """(stage, loss) now and then."""


def train_reflectance(
    frame: Callable[[int], ClipFrame],
    frames: int,
    config: ReflectanceConfig,
    device: torch.device | str,
    seed: int,
    trunk: FaceTrunk | None = None,
    *,
    reporter: Reporter,
) -> Trained:
    """Learn what the person reflects and the light of the clip.

    Args:
        frame: gives any frame of the clip; asked for an even sample of them, once each, in order.
        frames: how many there are.
        config: sizes, steps and the weights of eq. 20.
        device: where to train.
        seed: of every draw.
        trunk: E_id; None leaves identity-consistent supervision out.
        reporter: progress, and cancel.

    Returns:
        The trained model; its light is the clip's, in the gauge.

    Raises:
        ReliTalkError: hardly any skin is seen in the clip.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    batch, sclera, chips = _gather(frame, frames, config, rng, reporter)
    if float((batch.skin > SKIN_LEAST).float().sum()) < 200:
        raise ReliTalkError(
            "no_skin", "Hardly any skin of the face can be seen in this clip, so its light cannot be found.",
            "Use a clip that shows the face larger, lit and not covered.",
        )
    history: list[tuple[str, float]] = []
    with torch.random.fork_rng(devices=[]), _repeatable():
        torch.manual_seed(seed)
        even = _coarse(batch, config, device, generator, reporter, history)
        environment = _start(batch, even, rng)
        skin = _skin_colour(batch, even)
        # Without the gauge skin is a middle grey and the light takes all colour: the ablation.
        gauge = find_gauge(skin, sclera) if config.exposure_gauge else Gauge(np.full(3, 0.4), skin / 0.4, math.inf)
        model = ReflectanceModel(
            environment / gauge.skin, gauge.skin, config.size, config.channels, config.paper, config.use_normal,
            config.use_specular,
        ).to(device)
        model.cloth.copy_(_cloth(model, batch, rng))
        known = config.use_prior and start_from_prior(model)
        _learn(model, batch.to(device), chips, config, generator, trunk, known, reporter, history)
        _hold_gauge(model, batch, even)
    model.eval()
    return Trained(model, gauge, history)


@contextlib.contextmanager
def _repeatable() -> Iterator[None]:
    """The same sums in the same order: threads that add into one place would not keep to it."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def _gather(
    frame: Callable[[int], ClipFrame], frames: int, config: ReflectanceConfig, rng: np.random.Generator,
    reporter: Reporter,
) -> tuple[Batch, np.ndarray | None, Tensor | None]:
    """Training frames at the networks' size, the whites of the eyes, and the face chips' matrices."""
    chosen = np.unique(np.linspace(0, frames - 1, min(config.samples, frames)).round().astype(int))
    batches, whites, chips = [], [], []
    for index in reporter.steps("reflectance: looking", chosen, len(chosen)):
        seen = frame(int(index))
        normal = calmed(seen.normal, seen.regions, seen.alpha)
        small = small_batch(seen.image, normal, seen.alpha, seen.regions, config.size)
        if seen.shadow is not None:
            maps = [torch.from_numpy(t.transpose(2, 0, 1)[None].copy()) for t in seen.shadow.transfers(config.size)]
            small = replace(small, transfer=maps[0], transfer0=maps[1])
        batches.append(small)
        if "eyes" in seen.regions:
            whites.append(_whites(seen.image, seen.regions["eyes"]))
        if seen.chip is not None:
            scale = seen.alpha.shape[1] / config.size
            chips.append(torch.from_numpy(seen.chip @ np.diag([scale, scale, 1.0])).float())
    found = np.concatenate(whites) if whites else np.empty((0, 3))
    sclera = np.median(found, 0) if len(found) >= 50 else None
    return Batch.join(batches), sclera, torch.stack(chips) if len(chips) == len(batches) else None


def _whites(image: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Pixels of the whites of the eyes, linear [P, 3]: inside the opening, the paler and brighter part."""
    inside = cv2.erode((eyes > 0.8).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if inside.sum() < 12:
        return np.empty((0, 3))
    colour = srgb_to_linear(image[inside])
    bright = colour.mean(1)
    # Iris, lashes and lids are darker, a catchlight is brighter.
    low, high = np.percentile(bright, [75, 95])
    return colour[(bright >= low) & (bright <= high)]


def _pick(batch: Batch, count: int, generator: torch.Generator) -> Tensor:
    return torch.randint(len(batch.image), (count,), generator=generator)


def _coarse(batch: Batch, config: ReflectanceConfig, device, generator: torch.Generator, reporter: Reporter, history
            ) -> Tensor:
    """Train F_coarse and say how surely each pixel is evenly lit skin, [B, 1, S, S]."""
    network = FCoarse(config.channels).to(device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    skin = (batch.skin * (batch.image.amax(1, keepdim=True) < 0.95) * (batch.normal[:, 2:] > 0.1)).to(device)
    image, normal = batch.image.to(device), batch.normal.to(device)
    level = (image * skin).sum((0, 2, 3)) / skin.sum().clamp_min(1)
    for _ in reporter.steps("reflectance: coarse", range(config.steps_coarse), config.steps_coarse):
        index = _pick(batch, config.batch, generator).to(device)
        rendered = network(normal[index], skin[index]) * level[:, None, None]
        loss = losses.render(rendered, image[index], skin[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    history.append(("coarse", float(loss.detach()) if config.steps_coarse else math.nan))
    with torch.no_grad():
        parts = [network(n[None], s[None]) for n, s in zip(normal, skin, strict=True)]
        rendered = torch.cat(parts) * level[:, None, None]
        miss = ((image + 1e-3).log() - (rendered + 1e-3).log()).mean(1, keepdim=True)
        return (skin * torch.exp(-((miss / 0.5) ** 2))).cpu()


def _start(batch: Batch, even: Tensor, rng: np.random.Generator) -> np.ndarray:
    """The environment to start from, on skin of albedo 1."""
    weight = even.reshape(-1).numpy()
    lit = np.flatnonzero(weight > SKIN_LEAST * 0.5)
    chosen = rng.choice(lit, min(SKIN_SAMPLES, len(lit)), replace=False)

    def flat(values: Tensor) -> np.ndarray:
        return values.permute(0, 2, 3, 1).reshape(-1, values.shape[1]).numpy()[chosen]

    samples = SkinSamples(flat(batch.normal), flat(batch.image), weight[chosen])
    if batch.transfer is not None and batch.transfer0 is not None:
        samples = replace(samples, transfer=flat(batch.transfer), transfer0=flat(batch.transfer0))
    return fit_environment(samples)


def _skin_colour(batch: Batch, even: Tensor) -> np.ndarray:
    """[3] colour of lit skin that faces the camera: what the gauge splits."""
    sure = (even[:, 0] > 0.6 * SKIN_LEAST) & (batch.normal[:, 2] > 0.5)
    if int(sure.sum()) < 64:
        sure = even[:, 0] > 0.5 * SKIN_LEAST
    return batch.image.permute(0, 2, 3, 1)[sure].median(0).values.numpy().astype(float)


def _learn(
    model: ReflectanceModel, batch: Batch, chips: Tensor | None, config: ReflectanceConfig, generator: torch.Generator,
    trunk: FaceTrunk | None, known: bool, reporter: Reporter, history: list[tuple[str, float]],
) -> None:
    """The decomposition under the priors of eq. 20, then the same with identity-consistent supervision.

    ``known`` networks come from the prior: they move less, and stay near its answers where the clip says nothing.
    """
    networks = [p for name, p in model.named_parameters() if not name.startswith("light.")]
    rate = config.learning_rate * (PRIOR_RATE if known else 1)
    optimizer = torch.optim.Adam([{"params": networks, "lr": rate}])
    if config.use_learnt_light:
        optimizer.add_param_group({"params": list(model.light.parameters()), "lr": 3 * config.learning_rate})
    first = _answers(model, batch) if known else None
    consistent = config.use_consistency and trunk is not None and chips is not None
    total = config.steps_decompose + config.steps_consistency * consistent
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 20) * (0.525 + 0.475 * math.cos(math.pi * step / max(total, 1)))
    )
    for step in reporter.steps("reflectance: decomposition", range(total), total):
        late = step >= config.steps_decompose
        index = _pick(batch, 1 if late else config.batch, generator)
        seen = batch.select(index.to(batch.image.device))
        found = model(seen)
        loss = _priors(model, seen, found, config, generator)
        if first is not None:
            loss = loss + PRIOR_SCALE * losses.departure(_answer(found), first[index], seen.alpha)
        if late and trunk is not None and chips is not None:
            loss = loss + config.consistency * CONSISTENCY_SCALE * _consistency(
                model, seen, found, chips[index].to(batch.image.device), trunk, generator
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(networks, 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0 or step == total - 1:
            history.append(("consistency" if late else "decomposition", float(loss.detach())))


def _answer(found: Decomposition) -> Tensor:
    """[B, 6, S, S] what is held to its start: the gain and the residual of the normal."""
    return torch.cat([found.gain, found.delta], 1)


@torch.no_grad()
def _answers(model: ReflectanceModel, batch: Batch) -> Tensor:
    """`_answer` of every training frame, before anything is learned of it."""
    device = batch.image.device
    every = [batch.select(torch.tensor([index], device=device)) for index in range(len(batch.image))]
    return torch.cat([_answer(model(seen)) for seen in every])


@torch.no_grad()
def _cloth(model: ReflectanceModel, batch: Batch, rng: np.random.Generator) -> Tensor:
    """Colours of the cloth under the light's start (`evenness.cloth_colours`)."""
    found = [np.empty((0, 3), np.float32)]
    for index, worn in enumerate([] if batch.cloth is None else batch.cloth[:, 0] > 0.7):
        seen = batch.select(torch.tensor([index])).to(model.skin.device)
        shade, _, floor = model.shade(seen, seen.normal, seen.skin * 0, model.radiance())
        paint = (seen.image / (shade.square() + floor[:, None, None].square()).sqrt()).clamp(0.01, 2).log()
        found.append(paint[0].cpu()[:, worn].T.numpy())
    every = np.concatenate(found)
    return torch.from_numpy(cloth_colours(every[rng.permutation(len(every))[:CLOTH_SAMPLES]], rng))


@torch.no_grad()
def _hold_gauge(model: ReflectanceModel, batch: Batch, even: Tensor) -> None:
    """Bring light and albedo back to where lit skin has the gauge's albedo: its start first, then what is found."""
    goal = model.skin.log()
    started, ended = [], []
    for index in range(len(batch.image)):
        seen = batch.select(torch.tensor([index])).to(model.skin.device)
        sure = ((even[index, 0] > 0.6 * SKIN_LEAST) & (batch.normal[index, 2] > 0.5)).to(model.skin.device)
        shade, _, _ = model.shade(seen, seen.normal, seen.skin * 0, model.radiance())
        started.append(((seen.image[0] + 1e-3).log() - (shade[0] + 1e-3).log())[:, sure])
        ended.append(model(seen).albedo[0].log()[:, sure])
    found, paint = torch.cat(started, 1), torch.cat(ended, 1)
    if found.shape[1] < 64:
        return
    model.light.shift(found.median(1).values - goal)
    # F_albedo takes highlights out and darkens: all that is measured by the gauge moves against that.
    missing = (goal - paint.mean(1)).clamp(-HELD_MOST, HELD_MOST)
    model.light.shift(-missing)
    model.skin *= missing.exp()
    model.cloth += missing


def _priors(
    model: ReflectanceModel, seen: Batch, found: Decomposition, config: ReflectanceConfig, generator: torch.Generator
) -> Tensor:
    """Eq. 20 without its consistency term."""
    paint = (found.albedo + 0.02).log()
    # What evenness took for light that the shading misses must not come back as paint.
    explained = seen.image * found.even.detach().exp()
    loss = config.render * losses.render(found.rendered(model.paper), explained, seen.alpha)
    loss = loss + config.delta_normal * NORMAL_SCALE * losses.normal_residual(found.delta, seen.alpha)
    variation = (
        losses.total_variation(paint, seen.alpha)
        + 0.5 * losses.total_variation(found.delta, seen.alpha)
        + 0.2 * losses.total_variation(found.shine, seen.alpha)
        + 2.0 * losses.total_variation(found.specular_weight, seen.alpha)
    )
    loss = loss + config.smooth * SMOOTH_SCALE * variation
    some = (seen.skin > 0.5).flatten(1).any(1)
    if bool(some.any()):
        entropy = losses.parsimony(found.albedo[some], seen.skin[some], generator)
        loss = loss + config.parsimony * PARSIMONY_SCALE * entropy
    shiny = ((found.specular_weight / SPECULAR_START + 1e-3).log().square() * seen.alpha).sum() / seen.alpha.sum()
    return loss + DRIFT_SCALE * model.light.drift() + SPECULAR_SCALE * model.use_specular * shiny


def _consistency(
    model: ReflectanceModel, seen: Batch, found: Decomposition, chips: Tensor, trunk: FaceTrunk,
    generator: torch.Generator,
) -> Tensor:
    """Identity, albedo and normal of the frame under a random light."""
    level = (found.shading * seen.skin).sum((0, 2, 3)) / seen.skin.sum().clamp_min(1)
    radiance = model.sphere.random(level.detach(), generator)
    relit = model.relit(seen, found, radiance).clamp(1e-4, 1)
    over = seen.alpha * relit + (1 - seen.alpha) * seen.image
    identity = losses.identity(trunk, linear_to_srgb(over), seen.encoded, chips)
    # The relit frame is decomposed without its self-shadow: taking that for shadow is what F_albedo learns from it.
    again = model(replace(seen, image=over, transfer=None, transfer0=None), radiance)
    return identity + losses.reflectance_consistency(found.albedo, found.normal, again.albedo, again.normal, seen.alpha)
