"""How much of each pixel at the person's edge is person, and its colour: unmixed from the two colours it lies between.

A pixel is I = a F + (1 - a) B in linear light. B is known from the backdrop, or from the background nearby; F is drawn
from the Gaussian of the person's colours nearby. Both uncertainties are kept, so that where the two look alike the
mask decides.

Source: after Chuang et al. 2001, A Bayesian Approach to Digital Matting; the mean over alpha instead of its maximum, so
that it changes smoothly over time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..media.images import srgb_to_linear
from .backdrop import Backdrop

NOISE = 3.0
"""Noise of a pixel, 8-bit steps."""
NEARBY = 12 / 512
"""Radius of what is nearby in the background, as a share of the frame's larger side; the person's colours as below."""
REACHES = ((0.02, 1.0), (0.06, 0.03), (0.18, 0.001))
"""Radii from which the person's colours are drawn, and what the further ones count where there are nearer ones."""
SHARES = np.linspace(0, 1, 11, dtype=np.float32)
MIXED = 0.3
"""How likely a pixel of the edge is a mixture."""
MIXED_REACH = 0.02
UNSURE = 10.0
"""Uncertainty of the background, 8-bit steps, at which mixtures are half as likely to be believed."""
UNKNOWN = float(np.log(0.1 * (2 * np.pi) ** 1.5))
"""How likely the person or the background has a colour that was not expected of it: then the mask decides."""
LINEAR = np.asarray(srgb_to_linear(np.arange(256, dtype=np.float32) / 255), np.float32)
SLOPE = (np.gradient(LINEAR)).astype(np.float32)
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def linear(rgb: np.ndarray) -> np.ndarray:
    """[..., 3] uint8 sRGB to linear float32."""
    return LINEAR[rgb]


def _steps(shape: tuple[int, ...]) -> tuple[int, int]:
    """By how much slow quantities may be shrunk, and which pixels of them are enough to look at."""
    step = max(2, round(max(shape[:2]) / 128))
    return step, max(1, step // 2)


def _shrunk(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[h, w, C] of any C: OpenCV takes four channels at once where the sizes have no whole ratio."""
    import cv2

    return np.dstack(
        [cv2.resize(values[..., k : k + 4], size, interpolation=cv2.INTER_AREA) for k in range(0, values.shape[2], 4)]
    )


def squared(values: np.ndarray) -> np.ndarray:
    """[...] mean square over the three channels of [..., 3]."""
    return np.einsum("...c,...c->...", values, values) / np.float32(3)


@dataclass(frozen=True)
class Behind:
    """The background of one frame.

    Attributes:
        colour: [H, W, 3] uint8.
        variance: [H, W] float32, of a channel, in 8-bit steps squared.
    """

    colour: np.ndarray
    variance: np.ndarray


def behind(rgb: np.ndarray, outside: np.ndarray, backdrop: Backdrop | None) -> Behind:
    """The background of one frame, also where the person stands before it.

    The backdrop, brought to this frame's brightness by the background nearby; where it does not fit what is seen there,
    or there is none, the mean of the background nearby.

    Args:
        rgb: [H, W, 3] uint8.
        outside: [H, W] 1 where there is surely no person.
        backdrop: of the footage.
    """
    import cv2

    height, width = rgb.shape[:2]
    step, thin = _steps(rgb.shape)
    small = max(1, width // step), max(1, height // step)
    sigma = NEARBY * max(small)
    some = np.s_[::thin, ::thin]

    def enlarged(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)

    def explained(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Local mean [h, w, 3], variance about it [h, w] and weight [h, w], small."""
        moments = np.dstack([values, squared(values), np.ones_like(weight)]) * weight[..., None]
        sums = cv2.GaussianBlur(_shrunk(moments, small), (0, 0), sigma)
        around = sums[..., 4] + 1e-5
        mean = sums[..., :3] / around[..., None]
        return mean, np.maximum(sums[..., 3] / around - squared(mean), 0), sums[..., 4]

    picture, weight = rgb[some].astype(np.float32), outside[some].astype(np.float32)
    mean, spread, _ = explained(picture, weight)
    if backdrop is None:
        return Behind(_bytes(enlarged(mean)), enlarged(spread))
    trust = backdrop.trust.astype(np.float32) / 255
    shift, miss, known = explained(picture - backdrop.colour[some], weight * trust[some])
    sure, spread, miss = enlarged(np.clip(known / 1e-3, 0, 1)), enlarged(spread), enlarged(miss)
    unseen = (1 - trust) * spread
    use = sure * spread / (spread + miss + unseen + 1e-3) + (1 - sure) * trust
    mean = enlarged(mean)
    colour = mean + use[..., None] * (backdrop.colour + enlarged(shift) - mean)
    return Behind(_bytes(colour), use * (miss + unseen) + (1 - use) * spread)


def _bytes(colour: np.ndarray) -> np.ndarray:
    return (np.clip(colour, 0, 255) + 0.5).astype(np.uint8)


@dataclass(frozen=True)
class Palette:
    """The person's colours around some pixels, a Gaussian each, in linear light.

    Attributes:
        mean: [N, 3].
        axes: [N, 3, 3], columns: the principal axes.
        spread: [N, 3] variances along them.
    """

    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray

    @classmethod
    def around(cls, image: np.ndarray, inside: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Palette:
        """Gather it.

        Args:
            image: [H, W, 3] linear.
            inside: [H, W] 1 where there is surely nothing but person.
            rows: [N] of the pixels.
            columns: [N] of the pixels.
        """
        import cv2

        step, thin = _steps(image.shape)
        some = image[::thin, ::thin]
        weight = inside[::thin, ::thin].astype(np.float32)
        products = [some[..., a] * some[..., b] for a, b in PAIRS]
        moments = np.dstack([np.ones_like(weight), some, *products]) * weight[..., None]
        small = _shrunk(moments, (max(1, image.shape[1] // step), max(1, image.shape[0] // step)))
        sums = np.zeros_like(small)
        for reach, counts in REACHES:
            sigma = reach * max(small.shape[:2])
            sums += counts * cv2.GaussianBlur(small, (0, 0), sigma)
        means = sums[..., 1:] / (sums[..., :1] + 1e-8)
        y = np.minimum(rows // step, small.shape[0] - 1)
        x = np.minimum(columns // step, small.shape[1] - 1)
        cells, where = np.unique(y * small.shape[1] + x, return_inverse=True)
        mean, second = np.split(means.reshape(-1, 9)[cells], [3], 1)
        covariance = np.empty((len(cells), 3, 3), np.float32)
        for k, (a, b) in enumerate(PAIRS):
            covariance[:, a, b] = covariance[:, b, a] = second[:, k] - mean[:, a] * mean[:, b]
        spread, axes = np.linalg.eigh(covariance + 1e-5 * np.eye(3, dtype=np.float32))
        wide = [((v + 0.5) / step - 0.5).astype(np.float32) for v in (columns, rows)]
        return cls(_read(means[..., :3], *wide), axes[where], np.maximum(spread, 1e-6)[where])


def _read(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A picture's values between its pixels, [N, C]."""
    import cv2

    count, row = len(x), 1024  # cv2 takes no long rows
    x, y = (np.pad(v, (0, -count % row)).reshape(-1, row) for v in (x, y))
    found = cv2.remap(np.ascontiguousarray(values), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, values.shape[2])[:count]


@dataclass(frozen=True)
class Mixture:
    """Pixels between the person's palette and the background, along the palette's axes; N pixels.

    Attributes:
        palette: the person's colours around them.
        pixel: [N, 3] I - B.
        person: [N, 3] mean F - B.
        noise: [N] variance of I.
        doubt: [N] variance of B.
    """

    palette: Palette
    pixel: np.ndarray
    person: np.ndarray
    noise: np.ndarray
    doubt: np.ndarray

    @classmethod
    def of(cls, rgb: np.ndarray, palette: Palette, back: Behind, rows: np.ndarray, columns: np.ndarray) -> Mixture:
        """Bring pixels of a frame [H, W, 3] uint8 into it."""
        seen, plain = rgb[rows, columns], back.colour[rows, columns]
        background = linear(plain)
        noise = np.square(NOISE * SLOPE[seen.max(-1)])
        doubt = back.variance[rows, columns] * np.square(SLOPE[plain.max(-1)])

        def along(colour: np.ndarray) -> np.ndarray:
            return np.einsum("nji,nj->ni", palette.axes, colour)

        return cls(palette, along(linear(seen) - background), along(palette.mean - background), noise, doubt)

    def _variance(self, share: np.ndarray | float) -> np.ndarray:
        """[N, 3] of what a share leads one to expect."""
        share = np.asarray(share, np.float32)
        rest = self.noise + np.square(1 - share) * self.doubt
        return np.square(share)[..., None] * self.palette.spread + rest[:, None]

    def alpha(self, prior: np.ndarray, mixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The share of the person.

        Args:
            prior: [N] how likely a pixel is person.
            mixed: [N] how likely it is neither alone.

        Returns:
            Its mean [N] and its variance [N], 0..0.25.
        """
        weights = np.empty((len(SHARES), len(prior)), np.float32)
        for k, share in enumerate(SHARES):
            variance = self._variance(float(share))
            miss = self.pixel - share * self.person
            likely = prior if share == 1 else 1 - prior if share == 0 else mixed / (len(SHARES) - 2)
            near = -0.5 * (miss * miss / variance + np.log(variance)).sum(-1)
            if share in (0, 1):
                near = np.logaddexp(near, UNKNOWN)
            weights[k] = np.log(likely + 1e-12) + near
        weights = np.exp(weights - weights.max(0))
        weights /= weights.sum(0)
        mean = SHARES @ weights
        return mean, np.maximum((SHARES * SHARES) @ weights - mean * mean, 0)

    def colour(self, alpha: np.ndarray) -> np.ndarray:
        """[N, 3] linear: the likeliest F where alpha [N] is the person's share."""
        share = alpha[:, None]
        gain = share * self.palette.spread / self._variance(alpha)
        away = np.einsum("nij,nj->ni", self.palette.axes, gain * (self.pixel - share * self.person))
        return np.clip(self.palette.mean + away, 0, None)
