import numpy as np
import pytest

from relitalk_engine.evaluate import metrics


def test_psnr_of_a_known_error():
    truth = np.full((8, 8, 3), 0.5)
    assert metrics.psnr(truth + 0.1, truth) == pytest.approx(20.0, abs=1e-6)
    assert metrics.psnr(truth, truth) == pytest.approx(120.0)


def test_psnr_looks_inside_the_mask_alone():
    truth = np.zeros((8, 8, 3))
    image = truth.copy()
    image[:, 4:] = 1.0
    mask = np.zeros((8, 8), bool)
    mask[:, :4] = True
    assert metrics.psnr(image, truth, mask) == pytest.approx(120.0)
    with pytest.raises(ValueError, match="empty"):
        metrics.psnr(image, truth, np.zeros((8, 8), bool))


def test_ssim_agrees_with_scikit_image():
    skimage = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    truth = rng.random((48, 40, 3))
    image = np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, 1)
    theirs = skimage.structural_similarity(
        image,
        truth,
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1].mean()
    assert metrics.ssim(image, truth) == pytest.approx(theirs, abs=1e-3)
    assert metrics.ssim(truth, truth) == pytest.approx(1.0)


def test_angle_between_normals():
    a = np.zeros((2, 2, 3))
    a[..., 2] = 1.0
    b = np.zeros((2, 2, 3))
    b[..., 1] = 1.0
    assert metrics.angle(a, b, np.ones((2, 2), bool)) == pytest.approx(90.0)


def test_correlation_and_gain():
    t = np.linspace(0, 9, 50)
    assert metrics.correlation(np.sin(t), 3 * np.sin(t) + 1) == pytest.approx(1.0)
    assert metrics.correlation(np.sin(t), np.ones(50)) == 0.0
    assert metrics.gain(np.array([1.0, 2.0]), np.array([2.0, 4.0])) == pytest.approx(2.0)
