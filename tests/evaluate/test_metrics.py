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
    flat = skimage.structural_similarity(image, truth, channel_axis=2, data_range=1.0, full=True)[1].mean()
    assert metrics.ssim(image, truth, box=7) == pytest.approx(flat, abs=1e-9)


def test_a_gradient_is_blind_to_tone_and_sees_blur():
    rng = np.random.default_rng(0)
    truth = rng.random((16, 16, 3))
    inside = np.ones((16, 16), bool)
    assert metrics.gradient_psnr(truth + 0.2, truth, inside) == pytest.approx(120.0)
    flat = np.full_like(truth, 0.5)
    steps = np.concatenate([np.diff(truth, axis=0).ravel(), np.diff(truth, axis=1).ravel()])
    assert metrics.gradient_psnr(flat, truth, inside) == pytest.approx(-10 * np.log10((steps**2).mean()))
    with pytest.raises(ValueError, match="empty"):
        metrics.gradient_psnr(flat, truth, ~inside)


def test_albedo_error_forgives_one_gain_and_no_more():
    truth = np.random.default_rng(0).random((50, 3))
    assert metrics.scale_invariant_error(3.0 * truth, truth) == pytest.approx(0.0, abs=1e-9)
    assert metrics.scale_invariant_error(np.zeros_like(truth), truth) == pytest.approx(1.0)
    assert metrics.scale_invariant_error(truth * [1.2, 1.0, 0.8], truth) > 0.1


def test_faces_that_are_alike_are_near_in_features():
    from relitalk_engine.evaluate.features import feature_distance

    rng = np.random.default_rng(0)
    truth = np.kron(rng.random((16, 16, 3)), np.ones((8, 8, 1)))
    mask = np.ones((128, 128), bool)
    near, far = np.clip(truth + rng.normal(0, 0.02, truth.shape), 0, 1), rng.random(truth.shape)
    assert feature_distance(truth, truth, mask) == pytest.approx(0.0, abs=1e-9)
    assert 0 < feature_distance(near, truth, mask) < 0.5 * feature_distance(far, truth, mask)
    mask[:, :64] = False
    far[:, 64:] = truth[:, 64:]
    assert feature_distance(far, truth, mask) == pytest.approx(0.0, abs=1e-9)


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
