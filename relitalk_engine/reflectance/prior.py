"""The decomposition's prior: small weights of F_albedo that a subject's training starts from.

F_normal and F_cspec start from the fit's normal and the reflectance of skin. Taught on synthetic heads too, the one
gained half a degree there and lost a third of one on rendered people, and the other saw highlights in bright cloth.
"""

import os
from pathlib import Path

import torch
from torch import nn

from ..errors import ReliTalkError

PRIOR_FILE = Path(__file__).resolve().parent.parent / "priors" / "decomposition.safetensors"
"""Trained by ``prior_training`` on synthetic heads."""
CHANNELS = 16
"""Of the networks' first layers; a model of other sizes starts without the prior."""
NETWORKS = ("f_albedo",)


def write_prior(path: Path, model: nn.Module, **notes: str) -> None:
    """Write the networks' weights in half precision, as a file that appears when it is whole.

    Args:
        path: the safetensors file.
        model: a ``ReflectanceModel``.
        **notes: what its header says of it.
    """
    from safetensors.torch import save_file

    state = {name: v for name, v in model.state_dict().items() if name.split(".")[0] in NETWORKS}
    part = path.with_suffix(".part")
    save_file({name: v.detach().cpu().half().contiguous() for name, v in state.items()}, str(part), metadata=notes)
    os.replace(part, path)


def start_from_prior(model: nn.Module, path: Path = PRIOR_FILE) -> bool:
    """Give a new model the prior's networks.

    Args:
        model: a ``ReflectanceModel``.
        path: the prior.

    Returns:
        Whether the model's networks are of the prior's sizes; else it is left as it is.

    Raises:
        ReliTalkError: the file that ships with the engine is missing.
    """
    from safetensors.torch import load_file

    if not path.exists():
        raise ReliTalkError("no_prior", f"The weights {path} are missing.", "Install the engine again.")
    known = load_file(str(path))
    own = model.state_dict()
    mine = {name for name in own if name.split(".")[0] in NETWORKS}
    if set(known) != mine or any(own[name].shape != value.shape for name, value in known.items()):
        return False
    with torch.no_grad():
        for name, value in known.items():
            own[name].copy_(value)
    return True
