"""F_exp: from lips and phones to the mouth's motion, with self-attention over adjacent frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ..config import SpeechConfig
from .regression import Inputs, Scaling

CROP = 48
"""Frames of one training excerpt."""

EXCERPTS = 8
"""Excerpts per step."""

DROPOUT = 0.3
NOISE = 0.3
WEIGHT_DECAY = 0.01


class ExpressionNet(nn.Module):
    """E_lip and E_pho (1D convolutions), self-attention over adjacent frames, and a linear head.

    Args:
        lips: columns of the lip input.
        sound: columns of the sound input.
        motion: columns of the output.
        channels: of each encoder.
        window: adjacent frames under attention.
        stride: frames from one tap to the next, so that windows span the same time at any frame rate.
        recall: also see one's own motion of the frame before.

    Source: Qiu et al. 2023, section 3.2; recall after LipSync3D, Lahiri et al. 2021.
    """

    def __init__(
        self, lips: int, sound: int, motion: int, channels: int, window: int, stride: int, recall: bool = False
    ) -> None:
        super().__init__()
        self.window, self.stride, self.channels = window, stride, channels
        self.lip_encoder = _encoder(lips, channels, stride)
        self.phone_encoder = _encoder(sound, channels, stride)
        self.query = nn.Linear(2 * channels, channels)
        self.key = nn.Linear(2 * channels, channels)
        self.value = nn.Linear(2 * channels, 2 * channels)
        self.place = nn.Parameter(torch.zeros(window))
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(2 * channels, motion))
        self.recall = nn.Linear(motion, 2 * channels) if recall else None
        nn.init.zeros_(self.head[1].weight)
        nn.init.zeros_(self.head[1].bias)

    def forward(self, lips: Tensor, sound: Tensor) -> Tensor:
        """[B, T, motion] from lips [B, T, ...] and sound [B, T, ...]."""
        codes = [self.lip_encoder(lips.transpose(1, 2)), self.phone_encoder(sound.transpose(1, 2))]
        x = torch.cat(codes, 1).transpose(1, 2)
        score = torch.einsum("btc,bctw->btw", self.query(x), self._windows(self.key(x))) / self.channels**0.5
        seen = torch.einsum("btw,bctw->btc", torch.softmax(score + self.place, -1), self._windows(self.value(x)))
        if self.recall is None:
            return self.head(x + seen)
        steps: list[Tensor] = []
        last = torch.zeros(len(x), self.recall.in_features)
        for code in (x + seen).unbind(1):
            last = self.head(code + self.recall(last))
            steps.append(last)
        return torch.stack(steps, 1)

    def _windows(self, x: Tensor) -> Tensor:
        """[B, C, T, window]: the adjacent frames of each, edges repeated."""
        before = (self.window // 2 - 1) * self.stride
        after = (self.window - 1) * self.stride - before
        padded = pad(x.transpose(1, 2), (before, after), mode="replicate")
        return padded.unfold(2, before + after + 1, 1)[..., :: self.stride]


def _encoder(columns: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(columns, channels, 5, padding=2 * stride, dilation=stride),
        nn.GELU(),
        nn.Dropout(DROPOUT),
        nn.Conv1d(channels, channels, 3, padding=stride, dilation=stride),
        nn.GELU(),
    )


class Pupil:
    """One trained network with the scalings of what goes in and comes out."""

    def __init__(self, net: ExpressionNet, lips: Scaling, sound: Scaling, spread: float) -> None:
        self.net, self.lips, self.sound, self.spread = net.eval(), lips, sound, spread

    @torch.no_grad()
    def __call__(self, inputs: Inputs) -> np.ndarray:
        """Predict [T, C]."""
        lips = torch.from_numpy(self.lips(inputs.lips))[None]
        sound = torch.from_numpy(self.sound(inputs.sound()))[None]
        return self.net(lips, sound)[0].numpy() * self.spread


def train_network(
    inputs: Inputs,
    target: np.ndarray,
    to_psi: np.ndarray,
    rows: np.ndarray,
    config: SpeechConfig,
    stride: int,
    seed: int,
    watch: Callable[[int, Pupil], None] | None = None,
    tick: Callable[[], None] | None = None,
) -> Pupil:
    """Train F_exp on some frames of a clip.

    The target's columns are orthonormal coordinates of lip vertices, so its squared error is the vertices' own;
    ``to_psi`` turns it into that of the actions. Sound is perturbed by noise, gain and a jitter in time.

    Args:
        inputs: T frames.
        target: [T, C] lip motion.
        to_psi: [C, M] from lip motion to actions.
        rows: the frames to learn from, ascending.
        config: steps, channels, window and weights.
        stride: frames in 40 ms.
        seed: of weights, excerpts and noise.
        watch: called with the step and the pupil at the thirds of the training.
        tick: called after every step; may raise to stop.

    Returns:
        The trained network.
    """
    rows = np.asarray(rows)
    scale_lips, scale_sound = Scaling.of(inputs.lips[rows]), Scaling.of(inputs.sound()[rows])
    spread = float(target[rows, 0].std()) + 1e-9
    lips = torch.from_numpy(scale_lips(inputs.lips))
    sound = torch.from_numpy(scale_sound(inputs.sound()))
    motion = torch.from_numpy((target / spread).astype(np.float32))
    actions = torch.from_numpy((to_psi * spread / max(np.abs(to_psi * spread).max(), 1e-9)).astype(np.float32))
    known = torch.zeros(len(target))
    known[rows] = 1.0
    crop = min(CROP * stride, len(rows))
    starts = _starts(rows, crop)
    loud = inputs.traits.shape[1] + inputs.spectrum.shape[1]
    level = slice(loud, loud + 1)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ExpressionNet(
            lips.shape[1], sound.shape[1], motion.shape[1], config.channels, config.window, stride, config.recall
        )
        optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2 * config.learning_rate, total_steps=config.steps)
        pupil = Pupil(net, scale_lips, scale_sound, spread)
        for step in range(config.steps):
            net.train()
            first = starts[torch.randint(0, len(starts), (EXCERPTS,), generator=generator)]
            at = first[:, None] + torch.arange(crop)
            jitter = 0.4 * torch.rand(EXCERPTS, 1, 1, generator=generator) - 0.2
            beside = (at + (1 if step % 2 else -1)).clamp(0, len(target) - 1)
            x_lips = _perturbed(torch.lerp(lips[at], lips[beside], jitter), generator)
            x_sound = _perturbed(torch.lerp(sound[at], sound[beside], jitter), generator)
            x_sound[:, :, level] += 0.3 * torch.randn(EXCERPTS, 1, 1, generator=generator)
            truth, there = motion[at], known[at][..., None]
            error = (net(x_lips, x_sound) - truth) * there
            moving = error.diff(dim=1) * there[:, 1:] * there[:, :-1]
            loss = config.lip * (error**2).sum(-1).mean() + config.exp * ((error @ actions) ** 2).sum(-1).mean()
            loss = loss + config.velocity * (moving**2).sum(-1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if tick is not None:
                tick()
            if watch is not None and (step + 1) * 3 % config.steps < 3:
                watch(step + 1, Pupil(net, scale_lips, scale_sound, spread))
    net.eval()
    return pupil


def _perturbed(x: Tensor, generator: torch.Generator) -> Tensor:
    return x + NOISE * torch.randn(x.shape, generator=generator)


def _starts(rows: np.ndarray, crop: int) -> Tensor:
    """First frames of excerpts that lie mostly on known frames."""
    known = np.zeros(rows.max() + 1)
    known[rows] = 1.0
    inside = np.convolve(known, np.ones(crop), "valid")
    return torch.from_numpy(np.flatnonzero(inside >= min(0.9 * crop, inside.max())))
