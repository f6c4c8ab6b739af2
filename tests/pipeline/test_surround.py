"""A crop that was lit anew goes over into the whole frame without a step."""

import numpy as np

from relitalk_engine.pipeline.surround import carry_on

CORNER, SIDE = (60, 0), 120


def lit(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A frame [240, 240, 3] whose crop at its upper edge was lit by gains [120, 120, 1]; and the whole lit."""
    image = np.random.default_rng(0).uniform(0.2, 0.4, (240, 240, 3)).astype(np.float32)
    x, y = CORNER
    beauty = (image[y : y + SIDE, x : x + SIDE] * gain).astype(np.float32)
    return image, carry_on(beauty, np.ones((SIDE, SIDE, 1), np.float32), image, image, CORNER)


def test_the_source_light_leaves_every_pixel():
    image, whole = lit(np.ones((SIDE, SIDE, 1)))
    assert np.abs(whole - image).max() < 1e-5


def test_another_light_goes_on_beyond_the_crop():
    across = np.linspace(0.5, 2.0, SIDE)[None, :, None]
    image, whole = lit(np.broadcast_to(across, (SIDE, SIDE, 1)))
    gain = (whole / image).mean(-1)
    below, above = gain[SIDE + 1, 60:180], gain[SIDE - 2, 60:180]
    assert np.abs(below / above - 1).max() < 0.1
    assert gain[SIDE + 10, 70] < 0.9 and gain[SIDE + 10, 170] > 1.5
    assert (gain > 0.4).all() and (gain < 2.2).all()
    assert np.allclose(gain[20, 80:160], across[0, 20:100, 0], rtol=0.02)
