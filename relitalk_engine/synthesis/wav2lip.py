"""Wav2Lip's generator in plain torch, filled by a checkpoint of the user's own: a face says a sound."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import weights
from ..errors import ReliTalkError
from .torchscript import is_torchscript, read_torchscript

SIDE = 96
"""Side of its faces, in pixels."""
BANDS, STEPS = 80, 16
"""Mel bands and spectra that it hears for one face."""

_FACE = ((6, 16, 0), (16, 32, 2), (32, 64, 3), (64, 128, 2), (128, 256, 2), (256, 512, 1))
"""Inputs, outputs and residual blocks of each level that looks at the face; all but the first halve it."""
_SOUND = ((1, 32, 1, 2), (32, 64, (3, 1), 2), (64, 128, 3, 2), (128, 256, (3, 2), 1))
"""Inputs, outputs, stride and residual blocks of each level that listens."""
_PAINT = ((1024, 512, 2), (768, 384, 2), (512, 256, 2), (320, 128, 2), (160, 64, 2))
"""Inputs, outputs and residual blocks of each level that doubles the picture."""


class _Unit(nn.Module):
    """A convolution of either kind, batch norm and ReLU; beside the identity where it is residual."""

    def __init__(self, convolution: nn.Module, outputs: int, residual: bool = False) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_block(x)
        return torch.relu(y + x if self.residual else y)


def _unit(inputs: int, outputs: int, size: int = 3, stride: int | tuple[int, int] = 1, padding: int = 1) -> _Unit:
    return _Unit(nn.Conv2d(inputs, outputs, size, stride, padding), outputs)


def _level(first: _Unit, channels: int, blocks: int) -> list[_Unit]:
    """A unit that changes size or channels, and residual ones that keep them."""
    return [first, *(_Unit(nn.Conv2d(channels, channels, 3, 1, 1), channels, True) for _ in range(blocks))]


class Wav2Lip(nn.Module):
    """An encoder of two faces, an encoder of sound, and a decoder that sees every level of the faces.

    Source: Prajwal et al. 2020, A Lip Sync Expert Is All You Need; tensors named as in the published checkpoints.
    """

    def __init__(self) -> None:
        super().__init__()
        (inputs, outputs, _), *deeper = _FACE
        face = [nn.Sequential(_unit(inputs, outputs, 7, 1, 3))]
        face += [nn.Sequential(*_level(_unit(a, b, stride=2), b, blocks)) for a, b, blocks in deeper]
        face.append(nn.Sequential(_unit(512, 512, padding=0), _unit(512, 512, 1, padding=0)))
        self.face_encoder_blocks = nn.ModuleList(face)
        sound = [unit for a, b, stride, blocks in _SOUND for unit in _level(_unit(a, b, stride=stride), b, blocks)]
        self.audio_encoder = nn.Sequential(*sound, _unit(256, 512, padding=0), _unit(512, 512, 1, padding=0))
        paint = [nn.Sequential(_unit(512, 512, 1, padding=0))]
        paint.append(nn.Sequential(*_level(_Unit(nn.ConvTranspose2d(1024, 512, 3), 512), 512, 1)))
        for a, b, blocks in _PAINT:
            doubled = _Unit(nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1), b)
            paint.append(nn.Sequential(*_level(doubled, b, blocks)))
        self.face_decoder_blocks = nn.ModuleList(paint)
        self.output_block = nn.Sequential(_unit(80, 32), nn.Conv2d(32, 3, 1), nn.Sigmoid())

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        """Paint faces that say a sound.

        Args:
            mel: [B, 1, 80, 16] of `mel.windows`.
            faces: [B, 6, 96, 96] blue, green, red, 0..1: the face to paint, its lower half black; the same person's
                face at another time.

        Returns:
            [B, 3, 96, 96] blue, green, red, 0..1.
        """
        seen = [faces]
        for block in self.face_encoder_blocks:
            seen.append(block(seen[-1]))
        x = self.audio_encoder(mel)
        for block in self.face_decoder_blocks:
            x = torch.cat([block(x), seen.pop()], 1)
        return self.output_block(x)


def load_wav2lip(path: Path) -> Wav2Lip:
    """Read a published checkpoint; nothing but tensors is unpickled.

    Raises:
        ReliTalkError: it is not Wav2Lip's generator.
    """
    with torch.device("meta"):  # the file's own tensors take their places
        net = Wav2Lip()
    try:
        state = _state(path)
        for name, value in net.state_dict().items():
            if name.endswith("num_batches_tracked"):
                state[name] = torch.zeros((), dtype=torch.int64)
            elif name not in state:
                raise ValueError(f"it has no {name}")
            elif state[name].shape != value.shape:
                raise ValueError(f"{name} is {_size(state[name])}, and {_size(value)} is expected")
        filled = {name: state[name].to(value.dtype) for name, value in net.state_dict().items()}
        net.load_state_dict(filled, assign=True)
    except (ValueError, OSError) as error:
        raise ReliTalkError(
            "bad_weights", f"{path} is not Wav2Lip's generator ({error}).",
            "Take the file away, or put the published one there under that name.",
        ) from error
    return net.eval().requires_grad_(False)


def _state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, of a training's checkpoint or of a TorchScript archive: it was published as both.

    Raises:
        ValueError: the file is neither.
    """
    if is_torchscript(path):
        return read_torchscript(path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it is no checkpoint, or holds more than tensors") from error
    except (RuntimeError, EOFError) as error:
        raise ValueError("it is not a whole checkpoint") from error
    inner = held.get("state_dict", held) if isinstance(held, dict) else held
    if not isinstance(inner, dict):
        raise ValueError("it holds no tensors by name")
    return {str(name).removeprefix("module."): value for name, value in inner.items() if isinstance(value, Tensor)}


def _size(value: Tensor) -> str:
    return " x ".join(map(str, value.shape))


def checkpoint() -> Path | None:
    """The user's Wav2Lip, where there is one."""
    return weights.own("wav2lip_gan.pth")
