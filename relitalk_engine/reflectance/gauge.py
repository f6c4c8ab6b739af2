"""One gauge for albedo and light: the most probable skin under the most probable light (decision 8).

Albedo times light leaves a factor per channel free. Here it is fixed once per subject, by what skin can be and what
light on a filmed face tends to be, with the white of the eye as a further, weak cue. Never by matching brightness.
"""

from dataclasses import dataclass

import numpy as np

# Mean skin of seven groups from very light to very dark, CIELAB (D65) turned to linear Rec.709.
# Source: the ranges of Xiao et al. 2017, "Characterising the variations in ethnic skin colours"; ends extrapolated.
SKIN_LOCUS = np.array(
    [
        [0.594, 0.402, 0.312],
        [0.499, 0.305, 0.222],
        [0.439, 0.260, 0.181],
        [0.365, 0.199, 0.126],
        [0.212, 0.105, 0.064],
        [0.125, 0.064, 0.044],
        [0.081, 0.044, 0.032],
    ]
)
SCLERA = np.array([0.34, 0.29, 0.265])
"""The white of the eye as it is seen: shaded by brow, lid and lash, and tinted by the skin around it."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])

# Deviations in (log level, log red over green, log blue over green).
_SKIN_SPREAD = np.array([0.12, 0.06, 0.08])
_LIGHT_MEAN = np.array([np.log(0.72), 0.04, -0.04])
_LIGHT_SPREAD = np.array([0.35, 0.16, 0.23])
_SCLERA_SPREAD = np.array([0.55, 0.18, 0.22])
_LEVEL_MEAN, _LEVEL_SPREAD = np.log(0.27), 0.8
"""Of skin over all people: broad, so that the picture decides and not the prior."""
_METERING = 0.35
"""How far an exposure follows the skin: dark skin is filmed under more light, as meters and people see to it."""


@dataclass(frozen=True)
class Gauge:
    """What the factor between the picture and the skin is taken to be."""

    skin: np.ndarray
    """[3] mean skin albedo, linear Rec.709."""
    light: np.ndarray
    """[3] what skin of albedo 1 would send to the camera: the mean shading of the face."""
    level_deviation: float
    """Deviation of the logarithm of the level: how sure the gauge is."""


def _features(log_rgb: np.ndarray) -> np.ndarray:
    """[..., 3] log colour -> (log level, log r/g, log b/g), a linear map."""
    level = log_rgb @ LUMINANCE
    return np.stack([level, log_rgb[..., 0] - log_rgb[..., 1], log_rgb[..., 2] - log_rgb[..., 1]], -1)


_MATRIX = np.stack([_features(row) for row in np.eye(3)], 1)


def find_gauge(skin: np.ndarray, sclera: np.ndarray | None = None) -> Gauge:
    """The most probable split of the skin's colour into skin and light.

    Args:
        skin: [3], mean linear colour of lit skin on the front of the face.
        sclera: [3] mean linear colour of the whites of the eyes, or None where they are not seen.

    Returns:
        The gauge: skin · light is the colour that was given.
    """
    seen = _features(np.log(np.maximum(skin, 1e-4)))
    steps = np.linspace(0, len(SKIN_LOCUS) - 1, 121)
    locus = np.stack([np.interp(steps, np.arange(len(SKIN_LOCUS)), np.log(SKIN_LOCUS[:, c])) for c in range(3)], -1)
    centre = _features(locus)
    light_precision = _LIGHT_SPREAD**-2.0
    light_mean = np.repeat(_LIGHT_MEAN[None], len(centre), 0)
    light_mean[:, 0] -= _METERING * (centre[:, 0] - _LEVEL_MEAN)
    evidence = np.zeros(len(centre))
    if sclera is not None:  # what the eye says of the light, joined with what is usual
        said = _features(np.log(np.maximum(sclera, 1e-4))) - _features(np.log(SCLERA))
        eye_precision = _SCLERA_SPREAD**-2.0
        both = light_precision + eye_precision
        light_mean = (light_precision * light_mean + eye_precision * said) / both
        light_precision = both
    variance = _SKIN_SPREAD**2 + 1 / light_precision
    miss = seen - light_mean - centre
    evidence = -0.5 * (miss**2 / variance).sum(1) - 0.5 * ((centre[:, 0] - _LEVEL_MEAN) / _LEVEL_SPREAD) ** 2
    share = np.exp(evidence - evidence.max())
    share /= share.sum()
    # Skin within its spread around each point of the locus; the mean over the locus is steadier than its best point.
    pull = _SKIN_SPREAD**2 / variance
    albedo = (share[:, None] * (centre + pull * miss)).sum(0)
    level = centre[:, 0] + pull[0] * miss[:, 0]
    spread = float(np.sqrt((share * (level - albedo[0]) ** 2).sum() + _SKIN_SPREAD[0] ** 2 * (1 - pull[0])))
    paint = np.clip(np.exp(np.linalg.solve(_MATRIX, albedo)), 0.02, 0.8)
    return Gauge(paint, np.maximum(skin, 1e-4) / paint, spread)
