"""The face trunk: embeddings, chips, and gradients."""

import numpy as np
import pytest
import torch

pytest.importorskip("torch")
from relitalk_engine.face import identity

if not any((p := identity.Path(folder) / identity._FILE).is_file() for folder in identity.sys.path):
    pytest.skip("face_recognition_models is not installed", allow_module_level=True)


def test_trunk_gives_128_numbers_and_middle_layers_of_known_widths():
    trunk = identity.face_trunk()
    chips = torch.rand(2, 3, identity.CHIP, identity.CHIP, generator=torch.Generator().manual_seed(0))
    assert trunk(chips).shape == (2, identity.EMBEDDING)
    assert [f.shape[1] for f in trunk.features(chips[:, :, :128, :128])] == [32, 64, 128, 256, 256]


def test_embedding_of_a_grey_chip_is_the_known_one():
    values = identity.face_trunk()(torch.full((1, 3, identity.CHIP, identity.CHIP), 0.5))[0]
    again = identity.FaceTrunk(identity.weights_file())(torch.full((1, 3, identity.CHIP, identity.CHIP), 0.5))[0]
    assert torch.equal(values, again)
    assert 0.5 < float(values.norm()) < 2.5


def test_gradient_reaches_the_picture():
    picture = torch.rand(1, 3, 80, 80, generator=torch.Generator().manual_seed(0), requires_grad=True)
    identity.face_trunk().features(picture, stages=2)[-1].sum().backward()
    assert float(picture.grad.abs().sum()) > 0


def test_chip_puts_the_anchors_where_dlib_has_them():
    target = (np.array(identity._ANCHORS) + 0.25) / 1.5 * identity.CHIP
    turn = 2.5 * np.array([[0.96, -0.28], [0.28, 0.96]])
    landmarks = np.zeros((478, 2))
    landmarks[list(identity._POINTS)] = target @ turn.T + (40.0, 70.0)
    matrix = identity.chip_matrix(landmarks)
    found = landmarks[list(identity._POINTS)] @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(found - target).max() < 1e-3


def test_align_samples_the_pixels_the_matrix_names():
    rows, cols = torch.meshgrid(torch.arange(300.0) + 0.5, torch.arange(400.0) + 0.5, indexing="ij")
    image = torch.stack([cols, rows, cols * 0])[None]
    matrix = np.array([[0.8, 0.1, -60.0], [-0.1, 0.8, -20.0]], np.float32)
    chip = identity.align(image, torch.from_numpy(matrix)[None])[0, :2, 70, 90]
    assert np.allclose(matrix[:, :2] @ chip.numpy() + matrix[:, 2], (90.5, 70.5), atol=1e-2)
