"""Figures between a picture, a normal map or a motion and its truth. Numpy and scipy."""

from __future__ import annotations

import numpy as np

SSIM_SIGMA = 1.5
SSIM_FLOORS = (0.01**2, 0.03**2)


def psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB, for values whose peak is 1.

    Args:
        image: [H, W, C].
        truth: [H, W, C].
        mask: [H, W] bool, where to measure; None: everywhere.

    Returns:
        At most 120 dB, which identical pictures get.

    Raises:
        ValueError: the shapes differ, or the mask is empty.
    """
    if image.shape != truth.shape:
        raise ValueError(f"shapes {image.shape} and {truth.shape} differ")
    square = (np.asarray(image, np.float64) - truth) ** 2
    if mask is not None:
        square = square[mask]
    if square.size == 0:
        raise ValueError("the mask is empty")
    return float(-10.0 * np.log10(square.mean() + 1e-12))


def ssim(image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None, box: int = 0) -> float:
    """Structural similarity, mean over channels and pixels, for values whose peak is 1.

    Args:
        image: [H, W, C].
        truth: [H, W, C].
        mask: [H, W] bool; both pictures are black outside of it, and it is measured inside.
        box: side of a flat window, as scikit-image's default is (7); 0: the Gaussian one of the paper.

    Source: Wang et al. 2004, Gaussian window of sigma 1.5.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    def blur(x: np.ndarray) -> np.ndarray:
        if box:
            return uniform_filter(x, (box, box, 1))
        return gaussian_filter(x, (SSIM_SIGMA, SSIM_SIGMA, 0), truncate=3.5)

    sample = box * box / (box * box - 1.0) if box else 1.0  # of a flat window the spread is taken as a sample's
    keep = np.ones(image.shape[:2], bool) if mask is None else mask
    a, b = (np.asarray(x, np.float64) * keep[..., None] for x in (image, truth))
    mean_a, mean_b = blur(a), blur(b)
    spread_a, spread_b = sample * (blur(a * a) - mean_a**2), sample * (blur(b * b) - mean_b**2)
    shared = sample * (blur(a * b) - mean_a * mean_b)
    c1, c2 = SSIM_FLOORS
    similar = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    similar /= (mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2)
    return float(similar[keep].mean())


def gradient_psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """PSNR in dB of the steps from pixel to pixel, down and across: what is lost of edges and detail, not of tone.

    Args:
        image: [H, W, C], its peak 1.
        truth: [H, W, C].
        mask: [H, W] bool; a step counts where both its pixels are inside.
    """
    steps = []
    for axis in (0, 1):
        both = np.delete(mask, -1, axis) & np.delete(mask, 0, axis)
        steps.append((np.diff(image, axis=axis) - np.diff(truth, axis=axis))[both])
    square = np.concatenate(steps).astype(np.float64) ** 2
    if square.size == 0:
        raise ValueError("the mask is empty")
    return float(-10.0 * np.log10(square.mean() + 1e-12))


def scale_invariant_error(values: np.ndarray, truth: np.ndarray) -> float:
    """Error after the one gain that makes it least, as a share of the truth: 0 is the same up to a factor.

    Args:
        values: any shape, linear.
        truth: the same shape.

    Source: Grosse et al. 2009, with one window over everything.
    """
    left = truth - gain(values, truth) * values
    return float(np.sqrt((left**2).sum() / max(float((truth**2).sum()), 1e-12)))


def gain(image: np.ndarray, truth: np.ndarray) -> float:
    """The one factor that brings linear values nearest to the truth (least squares)."""
    return float((image * truth).sum() / max(float((image**2).sum()), 1e-12))


def angle(normals: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Mean angle between two normal maps, in degrees.

    Args:
        normals: [H, W, 3], unit.
        truth: [H, W, 3], unit, in the same frame.
        mask: [H, W] bool.
    """
    cosine = (normals[mask] * truth[mask]).sum(axis=-1)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).mean())


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two curves, [T] each; 0 where one of them stands still."""
    a, b = np.asarray(a, np.float64) - np.mean(a), np.asarray(b, np.float64) - np.mean(b)
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / scale) if scale > 1e-12 else 0.0
