"""The trunk under a head."""

from dataclasses import replace

import numpy as np

from relitalk_engine.face.trunk import Trunk


def test_the_trunk_keeps_to_the_necks_pivot():
    pivot = np.array([0.0, -0.1, -0.08])
    turned = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    trunk = Trunk(np.eye(3), pivot, 0.25)
    rotation, translation = trunk.place(turned, np.array([0.1, 0, -1]))
    assert np.allclose(rotation @ pivot + translation, turned @ pivot + (0.1, 0, -1))
    angle = np.arccos((np.trace(rotation) - 1) / 2)
    assert np.isclose(angle, 0.25 * np.arccos(0.8))
    assert np.allclose(Trunk.from_tensor(trunk.tensor).place(turned, np.zeros(3))[0], rotation)
    still, _ = replace(trunk, follow=0.0).place(turned, np.zeros(3))
    assert np.allclose(still, np.eye(3))
