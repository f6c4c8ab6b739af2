"""Hair has no mesh, but it has an outline: there it turns away from the camera."""

import cv2
import numpy as np
from scipy.special import ndtri

SMALL = 128
"""Side at which the outline is looked at."""
WIDTH, DEPTH = 0.05, 0.2
"""Width of the blur that tells how far inside the outline a pixel is, and from where on hair faces the camera as far as
its outline can tell, as shares of the image's."""


def rounded(normal: np.ndarray, hair: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Normals of hair that turn towards the matte's outline as those of a ball do.

    Args:
        normal: [H, W, 3] unit, camera frame.
        hair: [H, W] 0..1.
        alpha: [H, W]; where the image cuts the person off there is no outline.

    Returns:
        [H, W, 3] float32, unit; those away from hair and outline as they were.
    """
    height, width = alpha.shape
    small = cv2.resize(np.asarray(alpha, np.float32), (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    inside = cv2.GaussianBlur(small, (0, 0), WIDTH * SMALL, borderType=cv2.BORDER_REPLICATE)
    outward = np.dstack([-cv2.Sobel(inside, cv2.CV_32F, 1, 0, ksize=5), cv2.Sobel(inside, cv2.CV_32F, 0, 1, ksize=5)])
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True) + 1e-9
    # Before a straight outline the blurred matte is the normal distribution of the distance to it.
    near = np.clip(1 - ndtri(np.clip(inside, 0.5, 0.9999)) * (WIDTH / DEPTH), 0, 1).astype(np.float32)[..., None]
    ball = np.dstack([outward * near, np.sqrt(np.maximum(1 - near * near, 1e-4)), near * near])
    ball = cv2.resize(ball.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    turned = normal + (np.asarray(hair, np.float32)[..., None] * ball[..., 3:]) * (ball[..., :3] - normal)
    return (turned / np.maximum(np.linalg.norm(turned, axis=-1, keepdims=True), 1e-6)).astype(np.float32)
