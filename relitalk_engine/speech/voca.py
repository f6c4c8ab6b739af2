"""A user's own VOCA in place of F_mesh: what it makes of DeepSpeech's logits moves the lips of any head."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import weights
from ..errors import ReliTalkError
from .adapters import LogitFeatures
from .features import Layout
from .lip_mesh import LIP_POINTS, LipMesh, Lips
from .tensor_bundle import shard

if TYPE_CHECKING:
    from .voca_net import Voca

KIND = "voca"
"""How this hearing is called in a subject; eight digits of the checkpoint's checksum follow."""
UNIT = 100.0
"""Its columns are centimetres."""
PACE = 60
"""Windows of logits that VOCA wants a second, though DeepSpeech gives 50."""
PIECE = 2048
"""Frames that are heard at once."""
ROUNDS, RIDGE = 200, 0.01
"""Of the search for actions; how little an action must do, over the mean action, to be left out."""


def checkpoint() -> Path | None:
    """The index of the user's VOCA, where there is one."""
    return weights.own("gstep_52280.model.index")


def kind() -> str:
    """How a subject names the VOCA that is here; empty: there is none."""
    path = checkpoint()
    return "" if path is None else f"{KIND}-{_digest(shard(path))}"


def wanted(name: str) -> Path:
    """The index of the VOCA that a subject names.

    Raises:
        ReliTalkError: it is not here.
    """
    path = checkpoint()
    if path is None or kind() != name:
        raise ReliTalkError(
            "no_weights",
            f"This subject was trained with the VOCA checkpoint {name.removeprefix(KIND + '-')}, and "
            + (f"{path} is another." if path else f"{weights.folder()} has none."),
            "Put back the one that it was trained with, or train the subject again.",
        )
    return path


@dataclass
class VocaFeatures(LogitFeatures):
    """The built-in f_pho, and how VOCA moves the lips. See `SpeechFeatures`."""

    weights: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        """Read the logits.

        Raises:
            ReliTalkError: they are not DeepSpeech's.
        """
        super().__post_init__()
        if self._logits.shape[1] != 29:
            raise ReliTalkError(
                "bad_logits", f"VOCA hears 29 letters, and {self.file} has {self._logits.shape[1]}.",
                "Make it with DeepSpeech 0.1.0, which VOCA learned from.",
            )

    @property
    def layout(self) -> Layout:
        """Which columns are what."""
        return replace(self.plain.layout, deep=3 * len(LIP_POINTS))

    def extract(self, samples: np.ndarray | Iterable[np.ndarray], fps: Fraction, frames: int) -> np.ndarray:
        """f_pho [T, F] at the times i / fps; the logits are spread evenly over the sound's length.

        Raises:
            ReliTalkError: as `PhoneFeatures`; the checkpoint is not VOCA's.
        """
        from .voca_net import moved

        net, layout = load_voca(self.weights), self.layout
        result = np.zeros((frames, layout.width), np.float32)
        plain = self.plain.extract(samples, fps, frames)
        result[:, : plain.shape[1]] = plain
        for start in range(0, frames, PIECE):
            part = np.arange(start, min(start + PIECE, frames))
            heard = windows(self._logits, part / float(fps), frames / float(fps))
            result[part, layout.learnt] = UNIT * moved(net, heard).reshape(len(part), -1)
        return result


def windows(logits: np.ndarray, times: np.ndarray, seconds: float) -> np.ndarray:
    """What VOCA hears at some times: logits about them, sixty a second, nothing before the sound or after it.

    Args:
        logits: [N, 29] of a sound.
        times: [T] seconds.
        seconds: how long the sound is.

    Returns:
        [T, 16, 29] float32.
    """
    at = times[:, None] + (np.arange(16) - 8) / PACE
    row = np.clip(at * len(logits) / seconds, 0, len(logits) - 1)
    low = np.minimum(row.astype(int), max(len(logits) - 2, 0))
    share = (row - low)[..., None]
    heard = logits[low] * (1 - share) + logits[np.minimum(low + 1, len(logits) - 1)] * share
    inside = (at > -1e-6) & (at < seconds - 1e-6)
    return (heard * inside[..., None]).astype(np.float32)


class VocaMesh(LipMesh):
    """F_mesh where VOCA has moved the lips: they are added to this head's, and said in its actions."""

    ways = (KIND,)

    def __init__(self, lips: Lips, layout: Layout) -> None:
        """Of one head, and features of the kind `VocaFeatures`."""
        super().__init__(lips, layout)
        self._own = (self._expand @ lips.basis.reshape(len(lips.basis), -1)).astype(np.float64)
        gram = self._own @ self._own.T
        self._gram = gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))

    def actions(self, f_pho: np.ndarray, way: str = KIND) -> np.ndarray:
        """Mouth actions [T, M], 0..1, that move the lips most nearly as VOCA does, by those that speech needs.

        Source: projected gradient with momentum, Beck & Teboulle 2009.
        """
        asked = self._moved(f_pho).reshape(len(f_pho), -1) @ self._own.T
        step = 1 / np.linalg.eigvalsh(self._gram)[-1]
        found = before = np.zeros_like(asked)
        for k in range(ROUNDS):
            ahead = found + k / (k + 3) * (found - before)
            before, found = found, np.clip(ahead - step * (ahead @ self._gram - asked), 0, 1)
        return (found @ self._expand).astype(np.float32)

    def vertices(self, f_pho: np.ndarray, way: str = KIND) -> np.ndarray:
        """V_lip [T, K, 3] in the head frame, metres."""
        return self.lips.template + self._moved(f_pho)

    def _moved(self, f_pho: np.ndarray) -> np.ndarray:
        return f_pho[:, self.layout.learnt].reshape(len(f_pho), -1, 3) / UNIT


def mesh_of(name: str) -> type[LipMesh]:
    """F_mesh for features of a kind."""
    return VocaMesh if name.startswith(KIND) else LipMesh


@lru_cache(maxsize=1)
def load_voca(path: Path) -> Voca:
    """The network, read once; see `voca_net.load_voca`."""
    from . import voca_net

    return voca_net.load_voca(path)


def _digest(path: Path) -> str:
    try:
        return weights.digest(path)
    except OSError as error:
        raise ReliTalkError(
            "bad_weights", f"{path} cannot be read ({error.strerror}).", "Put it beside its .index file."
        ) from error
