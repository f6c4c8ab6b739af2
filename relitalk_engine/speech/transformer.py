"""HuBERT and wav2vec 2.0 (base) in plain torch, read from a checkpoint of the user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from ..errors import ReliTalkError

HOP = 320
"""Samples between two outputs: 50 a second."""
LAYERS_USED = 9
"""Transformer layers that are run: the ninth of twelve says most about phones."""

_KERNELS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
_POSITIONS = 128


class _Layer(nn.Module):
    """One transformer layer, normalised after each sum, as both models have it."""

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention = nn.ModuleDict({f"{name}_proj": nn.Linear(width, width) for name in "qkv"})
        self.attention["out_proj"] = nn.Linear(width, width)
        self.layer_norm = nn.LayerNorm(width)
        self.feed_forward = nn.ModuleDict(
            {"intermediate_dense": nn.Linear(width, inner), "output_dense": nn.Linear(inner, width)}
        )
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[1, N, width] to the same."""
        query, key, value = (
            self.attention[f"{name}_proj"](x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for name in "qkv"
        )
        seen = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = self.layer_norm(x + self.attention["out_proj"](seen))
        inner = gelu(self.feed_forward["intermediate_dense"](x))
        return self.final_layer_norm(x + self.feed_forward["output_dense"](inner))


class SpeechTransformer(nn.Module):
    """The encoder that HuBERT and wav2vec 2.0 share, without its training heads.

    Args:
        width: of the transformer.
        inner: of its feed-forward parts.
        layers: how many to run.
        convolved: channels of the convolutions that listen.
        groups: of the convolution that says where in time.

    Source: Baevski et al. 2020; Hsu et al. 2021; tensors named as in their published checkpoints.
    """

    def __init__(
        self, width: int = 768, inner: int = 3072, layers: int = LAYERS_USED, convolved: int = 512, groups: int = 16
    ) -> None:
        super().__init__()
        entries = []
        for i, (kernel, stride) in enumerate(_KERNELS):
            entry = nn.ModuleDict({"conv": nn.Conv1d(convolved if i else 1, convolved, kernel, stride, bias=False)})
            if i == 0:
                entry["layer_norm"] = nn.GroupNorm(convolved, convolved)
            entries.append(entry)
        self.feature_extractor = nn.ModuleDict({"conv_layers": nn.ModuleList(entries)})
        self.feature_projection = nn.ModuleDict(
            {"layer_norm": nn.LayerNorm(convolved), "projection": nn.Linear(convolved, width)}
        )
        places = nn.Conv1d(width, width, _POSITIONS, padding=_POSITIONS // 2, groups=groups)
        self.encoder = nn.ModuleDict(
            {
                "pos_conv_embed": nn.ModuleDict({"conv": places}),
                "layer_norm": nn.LayerNorm(width),
                "layers": nn.ModuleList(_Layer(width, inner, max(1, width // 64)) for _ in range(layers)),
            }
        )

    def forward(self, samples: Tensor) -> Tensor:
        """[1, N, width] of sound [1, n] at 16 kHz, mean 0 and spread 1."""
        x = samples[:, None]
        for entry in self.feature_extractor["conv_layers"]:
            x = entry["conv"](x)
            x = gelu(entry["layer_norm"](x) if "layer_norm" in entry else x)
        x = self.feature_projection["projection"](self.feature_projection["layer_norm"](x.transpose(1, 2)))
        places = gelu(self.encoder["pos_conv_embed"]["conv"](x.transpose(1, 2))[..., : x.shape[1]])
        x = self.encoder["layer_norm"](x + places.transpose(1, 2))
        for layer in self.encoder["layers"]:
            x = layer(x)
        return x


def load_transformer(path: Path) -> SpeechTransformer:
    """Read a checkpoint, safetensors or a torch state; nothing is unpickled.

    Raises:
        ReliTalkError: it is not a base-sized HuBERT or wav2vec 2.0.
    """
    try:
        state = _plain(_state(path))
        net = SpeechTransformer(
            width=state["encoder.layer_norm.weight"].shape[0],
            inner=state["encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[0],
            convolved=state["feature_projection.layer_norm.weight"].shape[0],
            groups=state["encoder.layer_norm.weight"].shape[0] // state["encoder.pos_conv_embed.conv.weight"].shape[1],
        )
        net.load_state_dict({name: state[name].float() for name in net.state_dict()})
    except (KeyError, RuntimeError, ValueError, OSError, ZeroDivisionError) as error:
        raise ReliTalkError(
            "bad_weights", f"{path} is not a HuBERT or wav2vec 2.0 base checkpoint ({error}).",
            "Take the file away, or put the published one there.",
        ) from error
    return net.eval()


def _state(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it holds more than tensors") from error


def _plain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without the model's own prefix; the normalised weight of the place convolution multiplied out."""
    result = {}
    for name, value in state.items():
        for prefix in ("hubert.", "wav2vec2."):
            name = name.removeprefix(prefix)
        result[name] = value
    stem = "encoder.pos_conv_embed.conv."
    pairs = (("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"))
    for size, direction in pairs:
        if stem + size in result:
            g, v = result[stem + size].float(), result[stem + direction].float()
            result[stem + "weight"] = g * v / v.norm(dim=(0, 1), keepdim=True)
    return result


@torch.no_grad()
def hidden(net: SpeechTransformer, samples: np.ndarray) -> np.ndarray:
    """What the network makes of a sound [n], [ceil(n / 320), width], a row every 20 ms."""
    wanted = -(-len(samples) // HOP)
    sound = np.zeros(wanted * HOP + 80, np.float32)
    spread = float(samples.std()) + 1e-7
    sound[40 : 40 + len(samples)] = (samples - samples.mean()) / spread
    return net(torch.from_numpy(sound)[None])[0].numpy()
