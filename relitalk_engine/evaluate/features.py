"""How alike two pictures are to a network that knows faces. Not LPIPS, whose backbone is not at hand."""

from __future__ import annotations

import numpy as np

STAGES = 3
"""Of the trunk: edges to parts of a face, at strides of 4 to 16."""


def feature_distance(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Distance between the middle layers of the face-recognition trunk (E_id), 0 for the same picture.

    Each layer's channels are brought to unit length, and the squared differences averaged over the mask and the layers,
    as LPIPS does, but for its learned weights and its network: the two scales cannot be compared.

    Args:
        image: [H, W, 3] sRGB values, 0..1.
        truth: [H, W, 3].
        mask: [H, W] bool; both pictures are black outside of it, and it is measured inside.

    Raises:
        MissingPart: the trunk's weights are not installed.

    Source: Zhang et al. 2018, eq. 1, without w; King 2017 for the network.
    """
    import torch
    import torch.nn.functional as F

    from ..face.identity import face_trunk

    pair = np.stack([image, truth]) * mask[..., None]
    inside = torch.from_numpy(mask.astype(np.float32))[None, None]
    trunk = face_trunk()
    distances = []
    with torch.no_grad():
        batch = torch.from_numpy(np.moveaxis(pair, -1, 1).astype(np.float32))
        for layer in trunk.features(batch, STAGES):
            one, two = F.normalize(layer, dim=1, eps=1e-8)
            share = F.interpolate(inside, layer.shape[2:], mode="area")[0, 0]
            distances.append(float((((one - two) ** 2).sum(0) * share).sum() / share.sum()))
    return float(np.mean(distances))
