"""F_exp: shapes, its window in time, and repeatability."""

import numpy as np
import pytest
import torch

from relitalk_engine.config import SpeechConfig
from relitalk_engine.speech.expression import ExpressionNet, train_network
from relitalk_engine.speech.regression import Inputs

CONFIG = SpeechConfig(steps=30, channels=8)


@pytest.mark.parametrize("stride", [1, 2])
def test_any_length_goes_through_and_the_window_is_bounded(stride):
    torch.manual_seed(0)
    net = ExpressionNet(12, 20, 10, channels=8, window=8, stride=stride).eval()
    torch.nn.init.normal_(net.head[1].weight)
    for frames in (1, 3, 50):
        assert net(torch.randn(2, frames, 12), torch.randn(2, frames, 20)).shape == (2, frames, 10)
    lips, sound = torch.randn(1, 80, 12), torch.randn(1, 80, 20)
    before = net(lips, sound)
    sound[:, 40:] = 0
    after = net(lips, sound)
    reach = (2 + 1 + 4) * stride
    assert torch.allclose(before[:, : 40 - reach], after[:, : 40 - reach], atol=1e-6)
    assert not torch.allclose(before[:, 39], after[:, 39], atol=1e-4)


def example() -> tuple[Inputs, np.ndarray]:
    rng = np.random.default_rng(3)
    groups = [rng.standard_normal((120, n)).astype(np.float32) for n in (18, 30, 12, 2, 2, 0)]
    return Inputs(*groups), 0.01 * groups[0][:, :10]


def test_training_is_repeatable_and_leaves_the_worlds_dice_alone():
    inputs, target = example()
    to_psi = np.eye(10, 14)
    state = torch.random.get_rng_state()
    first, second = (train_network(inputs, target, to_psi, np.arange(120), CONFIG, 1, seed=7) for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert np.array_equal(first(inputs), second(inputs))
    assert first(inputs).shape == (120, 10)


def test_it_learns_and_every_step_ticks():
    inputs, target = example()
    ticks = []
    config = SpeechConfig(steps=150, channels=16)
    pupil = train_network(
        inputs, target, np.eye(10, 14), np.arange(120), config, 1, seed=0, tick=lambda: ticks.append(1)
    )
    assert len(ticks) == 150
    error = ((pupil(inputs) - target) ** 2).mean() / (target**2).mean()
    assert error < 0.5


def test_recall_sees_the_frame_before_and_can_be_learnt():
    inputs, target = example()
    config = SpeechConfig(steps=60, channels=16, recall=True)
    pupil = train_network(inputs, target, np.eye(10, 14), np.arange(120), config, 1, seed=0)
    assert ((pupil(inputs) - target) ** 2).mean() / (target**2).mean() < 0.9
    lips, sound = torch.zeros(1, 30, 18), torch.zeros(1, 30, 46)
    before = pupil.net(lips, sound)
    lips[:, :5] = 3.0
    after = pupil.net(lips, sound)
    reach = 2 + 1 + 4
    assert not torch.allclose(after[:, 5 + reach], before[:, 5 + reach], atol=1e-9)  # beyond the window
