"""VOCA in plain torch, read from a checkpoint of the user's own: from DeepSpeech's logits to the lips of FLAME."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ReliTalkError
from .tensor_bundle import read_bundle

WINDOW, LETTERS = 16, 29
"""Steps of logits, 60 a second, and letters that it hears for one frame."""
VERTICES = 5023
"""FLAME's."""
LIPS = (
    2712, 2880, 2881, 2898, 2948, 3503, 1865, 1795, 1774, 1773, 1576, 1715, 1735, 1696, 1657, 3543, 2774, 2813, 2850,
    2830, 2845, 2894, 2890, 2906, 2939, 3506, 1850, 1803, 1787, 1791, 1730, 1720, 1737, 1670, 1669, 3546, 2786, 2787,
    2852, 2837,
)  # fmt: skip
"""FLAME's vertices at `lip_mesh.LIP_POINTS`: where mediapipe sees them on a head of that topology, its lips parted."""

_TIME = ("conv1", "conv2", "conv3", "conv4")


class Voca(nn.Module):
    """Four convolutions over time, three dense layers, each told whose style is wanted.

    Args:
        styles: speakers that it learned from.
        channels: of the convolutions.
        wide: of the first dense layer.
        code: of the second.

    Source: Cudeiro et al. 2019, Capture, Learning, and Synthesis of 3D Speaking Styles.
    """

    def __init__(
        self, styles: int = 8, channels: tuple[int, ...] = (32, 32, 64, 64), wide: int = 128, code: int = 50
    ) -> None:
        super().__init__()
        self.styles = styles
        self.norm = nn.BatchNorm1d(1)
        inputs = (LETTERS + styles, *channels)
        self.time = nn.ModuleList(nn.Conv1d(a, b, 3, 2) for a, b in zip(inputs, channels, strict=False))
        self.first = nn.Linear(channels[-1] + styles, wide)
        self.second = nn.Linear(wide, code)
        self.lips = nn.Linear(code, 3 * len(LIPS))

    def forward(self, windows: Tensor, style: Tensor) -> Tensor:
        """How the lips are moved from rest.

        Args:
            windows: [N, 16, 29] logits.
            style: [styles] whose style, 1 for one of them.

        Returns:
            [N, 40, 3] metres, FLAME's axes: x to the person's left, y up, z out of the face.
        """
        x = self.norm(windows.reshape(len(windows), 1, -1)).reshape(windows.shape)
        told = style.expand(len(x), WINDOW, -1)
        x = torch.cat([x, told], -1).transpose(1, 2)
        for layer in self.time:
            x = torch.relu(layer(F.pad(x, (0, 1))))
        x = torch.tanh(self.first(torch.cat([x.flatten(1), told[:, 0]], 1)))
        return self.lips(self.second(x)).unflatten(1, (len(LIPS), 3))


def load_voca(path: Path) -> Voca:
    """Read a published checkpoint.

    Args:
        path: its .index; its .data file lies beside it.

    Raises:
        ReliTalkError: it is not VOCA's.
    """
    hears, speaks = "VOCA/SpeechEncoder/", "VOCA/ExpressionLayer/expression_offset/"
    dense = [hears + "fc1/", hears + "fc2/", speaks]
    norm = [f"{hears}batch_norm/{part}" for part in ("gamma", "beta", "moving_mean", "moving_variance")]
    names = [f"{layer}{part}" for layer in (*(f"{hears}{n}/" for n in _TIME), *dense) for part in ("weights", "biases")]
    try:
        held = {name: torch.from_numpy(value.copy()) for name, value in read_bundle(path, norm + names).items()}
        time = [held[f"{hears}{name}/weights"][:, 0].permute(2, 1, 0) for name in _TIME]
        net = Voca(
            time[0].shape[1] - LETTERS, tuple(len(w) for w in time), *(held[d + "biases"].shape[0] for d in dense[:2])
        )
        chosen = np.array(LIPS)
        motion = held[speaks + "weights"].reshape(-1, VERTICES, 3)[:, chosen].flatten(1)
        state = dict(zip(("weight", "bias", "running_mean", "running_var"), (held[n] for n in norm), strict=True))
        state = {f"norm.{part}": value for part, value in state.items()}
        state["norm.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        for k, name in enumerate(_TIME):
            state |= {f"time.{k}.weight": time[k], f"time.{k}.bias": held[f"{hears}{name}/biases"]}
        for layer, stem in (("first", dense[0]), ("second", dense[1])):
            state |= {f"{layer}.weight": held[stem + "weights"].T, f"{layer}.bias": held[stem + "biases"]}
        state["lips.weight"] = motion.T
        state["lips.bias"] = held[speaks + "biases"].reshape(VERTICES, 3)[chosen].flatten()
        net.load_state_dict(state)
    except (ValueError, RuntimeError, IndexError, OSError) as error:
        raise ReliTalkError(
            "bad_weights", f"{path} is not VOCA's checkpoint ({str(error).splitlines()[0]}).",
            "Take it away, or put the published .index and .data files there.",
        ) from error
    return net.eval().requires_grad_(False)


@torch.no_grad()
def moved(net: Voca, windows: np.ndarray) -> np.ndarray:
    """Lips [N, 40, 3] moved by logits [N, 16, 29] in the mean of all styles: nobody's own."""
    heard = torch.from_numpy(windows)
    return torch.stack([net(heard, style) for style in torch.eye(net.styles)]).mean(0).numpy()
