"""Two bands: what is alike stays, what is fine stays sharp, what is broad is shared."""

import numpy as np

from relitalk_engine.synthesis.bands import mix_bands


def _shares(first: float) -> np.ndarray:
    return np.broadcast_to(np.array([first, 1 - first], np.float32), (40, 50, 2))


def test_equal_mouths_stay_as_they_are():
    mouth = np.random.default_rng(0).random((40, 50, 4)).astype(np.float32)
    found = mix_bands(np.stack([mouth, mouth]), _shares(0.6), 1.5)
    assert np.abs(found - mouth).max() < 1e-5


def test_fine_detail_is_sharper_than_a_mean():
    mouths = np.random.default_rng(0).random((2, 40, 50, 4)).astype(np.float32)
    mixed, mean = mix_bands(mouths, _shares(0.6), 1.5), 0.6 * mouths[0] + 0.4 * mouths[1]
    assert np.diff(mixed, axis=0).var() > 1.25 * np.diff(mean, axis=0).var()


def test_broad_colour_is_shared_as_asked():
    mouths = np.stack([np.full((40, 50, 4), 0.2, np.float32), np.full((40, 50, 4), 0.8, np.float32)])
    assert np.abs(mix_bands(mouths, _shares(0.5), 1.5) - 0.5).max() < 1e-5


def test_no_mouth_gives_nothing():
    mouths = np.ones((2, 40, 50, 4), np.float32)
    assert not mix_bands(mouths, np.zeros((40, 50, 2), np.float32), 1.5).any()


def test_small_shares_keep_what_is_fine():
    mouth = np.random.default_rng(0).random((40, 50, 4)).astype(np.float32)
    shares = np.full((40, 50, 5), 0.1, np.float32)
    assert np.abs(mix_bands(np.stack([mouth] * 5), shares, 1.5) - 0.5 * mouth).max() < 1e-5
