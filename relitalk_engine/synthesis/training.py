"""Training of F_local and F_blend on the clip; it can be stopped and taken up again."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..config import SynthesisConfig
from ..errors import Cancelled
from ..events import Reporter
from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..face.identity import FaceTrunk, face_trunk
from .asked import Asked
from .bank import Bank, Frames
from .boxes import mouth_sweep
from .examples import Examples
from .guides import SourceLight
from .losses import loss
from .motion import Motion
from .networks import Networks
from .outline import learn_outline
from .retrieval import Plan
from .spoken import CHANNELS, Speaker, Spoken
from .synthesis import Synthesis

MOST_EXAMPLES = 400
MEMORY = 1.2e9
"""Bytes of training examples at most."""
HELD_OUT = 0.1
"""Share of the examples that the networks are judged by."""
JUDGED = 12
"""Judge by about so many of them."""
GAINS = (
    (0.0, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5), (0.0, 0.5, 0.5),
    (0.5, 0.5, 0.5), (1.0, 0.5, 0.5), (1.0, 1.0, 0.5), (1.0, 1.0, 1.0),
)  # fmt: skip
"""How far the networks may be followed: in moving mouths, in choosing among them, in correcting them."""
UNHEARD = 0.1
"""Share of the steps in which Wav2Lip's mouths are not seen: a take may have none."""
KEEP_EVERY = 30.0
"""Seconds between checkpoints."""


def train_synthesis(
    head: HeadModel,
    fit: HeadFit,
    rgb: Frames,
    alpha: Frames | None,
    sh: np.ndarray | None,
    config: SynthesisConfig,
    fps: float = 25.0,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: Path | None = None,
    spoken: Spoken | None = None,
    *,
    reporter: Reporter,
) -> Synthesis:
    """Learn to paint this person's mouth.

    Args:
        head: the head model.
        fit: the clip's fit.
        rgb: frame number to [H, W, 3] uint8 of the crop.
        alpha: frame number to [H, W] matte (float 0..1 or uint8); None: no matte is learned.
        sh: [9, 3] radiance of the clip's light in the camera frame; None: paint as filmed.
        config: sizes, steps and weights.
        fps: frames per second.
        seed: of weights and order.
        device: torch device.
        checkpoint: file to keep the training in, and to take it up from.
        spoken: the clip's own sound, where Wav2Lip's mouths are to be seen by F_blend.
        reporter: hears the progress and may cancel; a cancelled training is kept in `checkpoint`.

    Returns:
        The trained synthesis.
    """
    light = SourceLight.of(sh if config.normalised else None, head, fit)
    outline = learn_outline(head, fit, Motion.of(head, fit), alpha)
    motion = Motion.of(head, fit, outline=outline)
    sweep = mouth_sweep(motion, head.mouth_actions)
    layers = config.neighbours if config.retrieval else 0
    torch.manual_seed(seed)
    spoken = spoken if config.blend else None
    networks = Networks(layers, config.channels, config.blend, CHANNELS if spoken else 0)
    networks = networks.to(device, memory_format=torch.channels_last)
    synthesis = Synthesis(networks, light, sweep, outline, config, spoken.digest if spoken else "")
    optimizer = torch.optim.AdamW(networks.parameters(), config.learning_rate, (0.9, 0.99), weight_decay=0.02)
    budget = Budget(config)
    if checkpoint:
        _take_up(checkpoint, networks, optimizer, _shape(synthesis), budget)
    if budget.share >= 1:
        return synthesis

    size = config.size
    count = int(min(MOST_EXAMPLES, max(8, MEMORY / (size * size * (13 + 5 * layers + networks.spoken))), len(fit)))
    frames = np.unique(np.linspace(0, len(fit) - 1, count).round().astype(int))
    frames = frames[fit.valid[frames]] if fit.valid[frames].any() else frames
    bank = Bank(head, fit, motion, light, rgb, alpha, keep=max(64, min(len(fit), 256)))
    areas = config.removed, config.driven
    rng = np.random.default_rng(seed)
    asked = Asked.of(head, fit, motion, outline, sweep, areas, max(layers, 1), rgb, fps, rng, reporter)
    shown = asked.plan
    speaker = Speaker(spoken, bank, asked.fit, asked.boxes.removed, shown.source[:, -1, 0]) if spoken else None
    if not layers:
        asked = replace(asked, plan=Plan(shown.source[:, :0], shown.weight[:, :0], shown.cost))
    chosen = frames + len(fit) * (np.arange(len(frames)) // 2 % 2)  # half of them swayed, near and far mouths alike
    examples = Examples(bank, asked, chosen, size, reporter, device, speaker)
    del bank
    seen, unseen = _hold_out(len(examples))
    trunk = face_trunk(device) if config.perceptual > 0 else None

    kept = time.monotonic()
    graphics = torch.device(device).type == "cuda"
    budget.start()
    try:
        while (share := budget.share) < 1:
            reporter.progress("synthesis", int(share * budget.steps), budget.steps)
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * _rate(budget.step, share)
            order = np.random.default_rng([seed, budget.step])
            example = examples.batch(order.choice(seen, config.batch), device)
            if spoken and order.random() < UNHEARD:
                example = replace(example, spoken=None)
            with torch.autocast("cuda", torch.bfloat16, enabled=graphics):
                recipe = networks(*example.inputs)
            joint = share * budget.steps >= config.steps_local
            total = loss(recipe, example, config, trunk, joint=joint)
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            torch.nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
            optimizer.step()
            budget.step += 1
            if checkpoint and time.monotonic() - kept > KEEP_EVERY:
                _keep(checkpoint, networks, optimizer, budget, _shape(synthesis))
                kept = time.monotonic()
    except Cancelled:
        if checkpoint:
            _keep(checkpoint, networks, optimizer, budget, _shape(synthesis))
        raise
    reporter.progress("synthesis", budget.steps, budget.steps)
    if layers and len(unseen):
        _set_gain(networks, examples, unseen, config, trunk, device)
    if checkpoint:
        _keep(checkpoint, networks, optimizer, budget, _shape(synthesis))
    return synthesis


class Budget:
    """How much of a training is done: by its steps, or by its time where that runs out first."""

    def __init__(self, config: SynthesisConfig):
        """Nothing is done yet."""
        self.steps = config.steps_local + config.steps_blend
        self.step = 0
        self._seconds = 60 * config.minutes or float("inf")
        self._spent, self._since = 0.0, 0.0

    def start(self) -> None:
        """The clock runs from now on."""
        self._since = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds, those before an interruption included."""
        return self._spent + (time.monotonic() - self._since if self._since else 0.0)

    @property
    def share(self) -> float:
        """0 at the beginning, 1 or more at the end."""
        return max(self.step / max(self.steps, 1), self.spent / self._seconds)

    def take_up(self, step: int, spent: float) -> None:
        """Go on from there."""
        self.step, self._spent = step, spent


def _hold_out(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Examples to learn from and, from a stretch in the clip's middle, examples to judge by."""
    stretch = round(HELD_OUT * count)
    unseen = np.arange((count - stretch) // 2, (count + stretch) // 2)
    seen = np.setdiff1d(np.arange(count), unseen)
    return seen, unseen[:: max(1, len(unseen) // JUDGED)]


@torch.no_grad()
def _set_gain(
    networks: Networks,
    examples: Examples,
    unseen: np.ndarray,
    config: SynthesisConfig,
    trunk: FaceTrunk | None,
    device: str,
) -> None:
    """Follow the networks as far as they do better on examples that they have not seen."""
    best = (float("inf"), GAINS[-1])
    for gain in GAINS:
        networks.gain.copy_(torch.tensor(gain))
        total = 0.0
        for index in unseen:
            example = examples.batch(np.array([index]), device)
            recipe = networks(*example.inputs)
            total += float(loss(recipe, example, config, trunk, joint=True))
        best = min(best, (total, gain))
    networks.gain.copy_(torch.tensor(best[1]))


def _rate(step: int, share: float) -> float:
    """Share of the learning rate: a short rise, then a cosine over the budget."""
    return min(1.0, (step + 1) / 20) * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * share)))


def _shape(synthesis: Synthesis) -> str:
    """What must agree for a training to be taken up."""
    config, layers = synthesis.config, synthesis.networks.layers
    shape = f"{config.size} {config.channels} {layers} {config.normalised} {config.blend}"
    return f"{shape} {synthesis.wav2lip}".rstrip()


def _keep(path: Path, networks: Networks, optimizer: torch.optim.AdamW, budget: Budget, shape: str) -> None:
    """Write the training's state beside its place and move it in."""
    import os

    from safetensors.torch import save_file

    tensors = {f"net.{k}": v.contiguous() for k, v in networks.state_dict().items()}
    for n, state in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{n}.{k}": torch.as_tensor(v).contiguous() for k, v in state.items()}
    beside = path.with_name(path.name + ".new")
    save_file(tensors, str(beside), {"step": str(budget.step), "spent": f"{budget.spent:.1f}", "shape": shape})
    os.replace(beside, path)


def _take_up(path: Path, networks: Networks, optimizer: torch.optim.AdamW, shape: str, budget: Budget) -> None:
    """Load a kept training; nothing where there is none that fits."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return
    try:
        with safe_open(str(path), "pt") as file:
            meta = file.metadata() or {}
            if meta.get("shape") != shape:
                return
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return
    networks.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("net.")})
    whole = optimizer.state_dict()
    for key, value in tensors.items():
        if key.startswith("adam."):
            _, n, name = key.split(".")
            whole["state"].setdefault(int(n), {})[name] = value
    optimizer.load_state_dict(whole)
    budget.take_up(int(meta["step"]), float(meta["spent"]))
