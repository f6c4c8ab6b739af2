"""The face-recognition trunk: who a face is, and what it looks like to a face network.

The weights are dlib's face-recognition ResNet (CC0), from the wheel ``face_recognition_models``; they are read into
plain torch, without dlib, so that the embedding and the middle layers are differentiable.
"""

import re
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import MissingPart

CHIP = 150
EMBEDDING = 128

_FILE = "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"
_MEAN = (122.782, 117.001, 104.298)
_CHANNELS = [32] + [32] * 6 + [64] * 8 + [128] * 6 + [256] * 8
_STAGES = ((3, False), (4, True), (3, True), (3, True), (1, True))
# Outer and inner corner of the eye at the image's right, the same at its left, base of the nose: where dlib's chips
# have them (fractions of the unpadded chip), and mediapipe's numbers for them.
_ANCHORS = ((0.85957, 0.21350), (0.64606, 0.22897), (0.12058, 0.21373), (0.33409, 0.22906), (0.49011, 0.62780))
_POINTS = (263, 362, 33, 133, 2)
_PADDING = 0.25


def weights_file() -> Path:
    """The trunk's weights, wherever the wheel was installed.

    Raises:
        MissingPart: ``face_recognition_models`` is not installed.
    """
    for folder in sys.path:  # the package itself cannot be imported: it wants pkg_resources
        path = Path(folder) / _FILE
        if path.is_file():
            return path
    raise MissingPart(
        "no_identity_weights",
        "The face-recognition network's weights are missing.",
        "Install the package face_recognition_models into the engine's environment.",
    )


class FaceTrunk(nn.Module):
    """dlib's 29-layer face ResNet with its affine (folded batch-norm) layers, frozen.

    Source: King 2017, ``dlib_face_recognition_resnet_model_v1``; He et al. 2016.
    """

    def __init__(self, path: Path):
        """Read the weights from ``path`` (a dlib ``.dat``)."""
        super().__init__()
        kernels, affines, head = _read(path)
        inputs = [3] + _CHANNELS[:-1]
        self.layers = nn.ModuleList()
        for k, (values, affine) in enumerate(zip(kernels, affines, strict=True)):
            out, size = _CHANNELS[k], 7 if k == 0 else 3
            count = out * inputs[k] * size * size
            scale, shift = (torch.from_numpy(part) for part in np.split(affine, 2))
            bias = torch.from_numpy(values[count:]) if len(values) > count else torch.zeros(out)
            layer = nn.Conv2d(inputs[k], out, size)
            weight = torch.from_numpy(values[:count]).reshape(out, inputs[k], size, size)
            layer.weight = nn.Parameter(weight * scale[:, None, None, None])
            layer.bias = nn.Parameter(bias * scale + shift)
            self.layers.append(layer)
        self.register_buffer("head", torch.from_numpy(head.reshape(-1, EMBEDDING)))
        self.register_buffer("mean", torch.tensor(_MEAN)[None, :, None, None])
        self.requires_grad_(False)
        self.eval()

    def features(self, images: Tensor, stages: int = 5) -> list[Tensor]:
        """Outputs of the trunk's stages, for a perceptual loss.

        Args:
            images: [B, 3, H, W], sRGB-encoded, 0..1; 128 or more a side, 64 for three stages (it was trained at 150).
            stages: how many stages to run, 1 to 5.

        Returns:
            One tensor a stage: 32, 64, 128, 256, 256 channels at strides of about 4, 8, 16, 32, 64.
        """
        x = (images * 255.0 - self.mean) / 256.0
        x = F.max_pool2d(F.relu(self._convolve(x, 0, 2)), 3, 2)
        found, k = [], 1
        for blocks, down in _STAGES[:stages]:
            for block in range(blocks):
                stride = 2 if down and block == 0 else 1
                y = self._convolve(F.relu(self._convolve(x, k, stride)), k + 1, 1)
                x = F.relu(_add(y, F.avg_pool2d(x, 2, 2) if stride == 2 else x))
                k += 2
            found.append(x)
        return found

    def forward(self, chips: Tensor) -> Tensor:
        """Identity embedding of aligned faces.

        Args:
            chips: [B, 3, 150, 150], sRGB-encoded, 0..1, aligned as :func:`align` does.

        Returns:
            [B, 128]; Euclidean distances below 0.6 mean the same person.
        """
        return self.features(chips)[-1].mean((2, 3)) @ self.head

    def _convolve(self, x: Tensor, k: int, stride: int) -> Tensor:
        layer = self.layers[k]
        return F.conv2d(x, layer.weight, layer.bias, stride, layer.kernel_size[0] // 2 if stride == 1 else 0)


@lru_cache(maxsize=1)
def _shared(path: Path) -> FaceTrunk:
    return FaceTrunk(path)


def face_trunk(device: torch.device | str = "cpu") -> FaceTrunk:
    """The frozen trunk on ``device``, read from its file once.

    Raises:
        MissingPart: its weights are not installed.
    """
    return _shared(weights_file()).to(device)


def chip_matrix(landmarks: np.ndarray) -> np.ndarray:
    """Similarity from image pixels to the pixels of a 150² chip.

    Args:
        landmarks: [478, 2], mediapipe's points in pixels.

    Returns:
        [2, 3]: chip = M · (u, v, 1).

    Source: least squares after Umeyama 1991, to dlib's five anchors with its padding of a quarter.
    """
    source = landmarks[list(_POINTS)].astype(np.float64)
    target = (np.array(_ANCHORS) + _PADDING) / (1 + 2 * _PADDING) * CHIP
    a, b = source - source.mean(0), target - target.mean(0)
    spread = (a**2).sum()
    cos, sin = (a * b).sum() / spread, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([turn, (target.mean(0) - turn @ source.mean(0))[:, None]], 1).astype(np.float32)


def align(images: Tensor, matrices: Tensor) -> Tensor:
    """Cut aligned chips out of images, differentiably.

    Args:
        images: [B, 3, H, W].
        matrices: [B, 2, 3] of :func:`chip_matrix`.

    Returns:
        [B, 3, 150, 150], bilinear; the border repeats outside the image.
    """
    turn = torch.linalg.inv(matrices[:, :, :2])
    step = torch.arange(CHIP, device=images.device, dtype=images.dtype) + 0.5
    chip = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)  # [150, 150, 2] (u, v)
    origin = torch.einsum("bij,bj->bi", turn, matrices[:, :, 2])
    pixel = torch.einsum("bij,hwj->bhwi", turn, chip) - origin[:, None, None]
    size = pixel.new_tensor([images.shape[3], images.shape[2]])
    return F.grid_sample(images, pixel / size * 2 - 1, padding_mode="border", align_corners=False)


def _add(a: Tensor, b: Tensor) -> Tensor:
    """Sum of maps of unequal size, the smaller padded with zeros at its far ends, as dlib does."""
    c, h, w = (max(a.shape[i], b.shape[i]) for i in (1, 2, 3))
    a, b = (F.pad(t, (0, w - t.shape[3], 0, h - t.shape[2], 0, c - t.shape[1])) for t in (a, b))
    return a + b


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """dlib's packed integer at ``at``, and where it ends."""
    size = data[at] & 0x0F
    value = int.from_bytes(data[at + 1 : at + 1 + size], "little")
    return (-value if data[at] & 0x80 else value), at + 1 + size


def _tensor(data: bytes, at: int) -> np.ndarray:
    """The float tensor that begins at ``at``, flat."""
    _, at = _integer(data, at)  # version
    count = 1
    for _ in range(4):
        size, at = _integer(data, at)
        count *= size
    return np.frombuffer(data, "<f4", count, at).copy()


def _read(path: Path) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Convolutions, affine layers and the last matrix, from input to output."""
    data = path.read_bytes()
    kernels, affines, head = [], [], np.empty(0, np.float32)
    for mark in re.finditer(rb"\x01\x05con_4|\x05con_4|affine_\x01\x02|\x04fc_2", data):
        tag = mark.group()
        if tag.endswith(b"con_4"):
            kernels.append(_tensor(data, mark.end()))
        elif tag.startswith(b"affine_"):
            affines.append(_tensor(data, mark.end() - 2))
        else:
            _, at = _integer(data, mark.end())  # outputs
            _, at = _integer(data, at)  # inputs
            head = _tensor(data, at)
    if len(kernels) != len(_CHANNELS) or len(affines) != len(_CHANNELS) or len(head) != 256 * EMBEDDING:
        raise MissingPart(
            "bad_identity_weights",
            f"{path} is not the face-recognition network that was expected.",
            "Install the package face_recognition_models again.",
        )
    return kernels, affines, head
