"""The clip's frame under another light: element by element, exact under its own (decisions 4 to 8).

The frame is A ⊙ S + C ⊙ S_spec + R with the source's light, and R is whatever that misses, so that the source's own
light gives the frame back. Under another light S and S_spec are looked up anew, and R fades as the light departs.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..lighting import lit_sphere
from ..lighting.light import Light
from ..lighting.lit_sphere import LitSphere
from .light_start import self_shadow

SHADING_FLOOR = 0.06
"""Least old light to divide by, as a share of its mean over the sphere of normals."""
ALBEDO_MOST = 1.0
SPECULAR_SHARE = 0.6
"""Most of a pixel that may be taken for highlight."""
FADE = 0.12
"""Departure of the light (one minus correlation) at which the residual has fallen to 1/e."""
HAIR_WRAP = 0.5
"""How far hair is lit by the mean light around its normal instead of by its normal alone."""


@dataclass
class Frame:
    """One frame of the clip with what its decomposition found. All float32, linear, H by W."""

    image: np.ndarray
    """[H, W, 3] the clip's pixels."""
    normal: np.ndarray
    """[H, W, 3] unit, camera frame, z never negative."""
    specular_weight: np.ndarray
    """[H, W, 1] C_spec."""
    alpha: np.ndarray
    """[H, W, 1] matte."""
    gain: np.ndarray | None = None
    """[H, W, 3] logarithm of F_albedo's gain on the image divided by its shading; None is none."""
    transfer: np.ndarray | None = None
    """[H, W, 9] the head's radiance transfer with visibility, turned with the head; None: nothing shadows."""
    transfer0: np.ndarray | None = None
    """[H, W, 9] the same without visibility."""
    soft: np.ndarray | None = None
    """[H, W, 1] 0..1, how far a pixel is hair, whose strands take light from all around the normal."""


@dataclass(frozen=True)
class BakedLight:
    """A light made ready for one subject."""

    sh: np.ndarray
    """[9, 3] radiance coefficients."""
    sphere: LitSphere
    """With the subject's specular exponent."""
    wrapped: np.ndarray
    """[S, S, 3] the diffuse sphere blurred towards the mean light, for hair."""
    level: np.ndarray
    """[3] mean of the diffuse sphere's disc."""


@dataclass
class Reflectance:
    """What a frame is made of, before it is lit anew. [H, W, 3] each unless said."""

    albedo: np.ndarray
    residual: np.ndarray


@dataclass
class Passes:
    """A relit frame; beauty = albedo · shading + specular + residual. [H, W, 3] float32, linear."""

    albedo: np.ndarray
    shading: np.ndarray
    specular: np.ndarray
    residual: np.ndarray
    beauty: np.ndarray


def bake(light: Light, exponent: float) -> BakedLight:
    """Make a light ready for the subject.

    Args:
        light: of one frame (``light.at(frame)``).
        exponent: the subject's Blinn-Phong exponent.
    """
    sphere = lit_sphere.bake(light, exponent)
    size = sphere.diffuse.shape[0]
    around = lit_sphere.normals(size)
    disc = around[..., 2] > 0
    level = sphere.diffuse[disc].mean(0)
    coefficients = np.asarray(light.sh, np.float32)
    # Light from everywhere, bent half-way to the light at the normal: the band-0 and band-1 part of the light.
    even = np.maximum(coefficients[:1] * 0.282095 + 0.5 * around.astype(np.float32) @ (
        0.488603 * coefficients[[3, 1, 2]]), 0.1 * coefficients[:1] * 0.282095)
    wrapped = (1 - HAIR_WRAP) * sphere.diffuse + HAIR_WRAP * even.astype(np.float32)
    return BakedLight(coefficients, sphere, np.ascontiguousarray(wrapped, np.float32), level.astype(np.float32))


def look_up(sphere: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """A lit sphere read at normals, as ``lit_sphere.sample`` does for normals that face the camera, but quicker.

    Args:
        sphere: [S, S, 3] float32.
        normal: [H, W, 3] float32, unit, z not negative.

    Returns:
        [H, W, 3] float32.
    """
    half = sphere.shape[0] / 2
    column = normal[..., 0] * half + (half - 0.5)
    row = normal[..., 1] * -half + (half - 0.5)
    return cv2.remap(sphere, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def shading(frame: Frame, light: BakedLight) -> np.ndarray:
    """S = lit_sphere_diffuse(N) · V, [H, W, 3]."""
    lit = look_up(light.sphere.diffuse, frame.normal)
    if frame.soft is not None:
        lit += frame.soft * (look_up(light.wrapped, frame.normal) - lit)
    if frame.transfer is not None and frame.transfer0 is not None:
        lit *= self_shadow(frame.transfer, frame.transfer0, light.sh)
    return lit


def specular(frame: Frame, light: BakedLight) -> np.ndarray:
    """C ⊙ S_spec, [H, W, 3]; a highlight does not reach where the light does not."""
    lit = look_up(light.sphere.specular, frame.normal)
    lit *= frame.specular_weight
    if frame.transfer is not None and frame.transfer0 is not None:
        lit *= self_shadow(frame.transfer, frame.transfer0, light.sh)
    return lit


def decompose(frame: Frame, source: BakedLight) -> Reflectance:
    """Albedo and residual of a frame under the light it was filmed in.

    Args:
        frame: the frame.
        source: its own light.
    """
    shade, shine = shading(frame, source), specular(frame, source)
    floor = SHADING_FLOOR * source.level + 1e-5
    # A highlight is at most a share of its pixel, approached smoothly.
    most = SPECULAR_SHARE * frame.image + 1e-6
    matt = frame.image - shine * most / (shine + most)
    albedo = matt / np.sqrt(shade * shade + floor * floor)
    if frame.gain is not None:
        albedo *= np.exp(frame.gain)
    albedo = np.clip(albedo, 0, ALBEDO_MOST)
    return Reflectance(albedo, frame.image - albedo * shade - shine)


def departure(source: BakedLight, target: BakedLight) -> tuple[np.ndarray, float]:
    """How far the light is from the source's.

    Returns:
        Strength [3], the target's share along the source's light per channel, 1 for the same light and 2 for twice it;
        and the residual's weight, 1 for the same light at any strength, falling smoothly to 0.
    """
    bands = np.repeat([1.0, 2.0 / 3.0, 0.25], [1, 3, 5])[:, None]
    a, b = source.sh * bands, target.sh * bands
    strength = np.maximum((a * b).sum(0) / np.maximum((a * a).sum(0), 1e-12), 0)
    correlation = (a * b).sum() / np.sqrt(max((a * a).sum() * (b * b).sum(), 1e-24))
    return strength.astype(np.float32), float(np.exp(-(1 - min(correlation, 1.0)) / FADE))


def relight(frame: Frame, source: BakedLight, target: BakedLight, reflectance: Reflectance | None = None) -> Passes:
    """The frame under another light.

    Args:
        frame: the frame.
        source: the light it was filmed in.
        target: the light wanted.
        reflectance: of ``decompose``, to save it where one frame is lit many times.

    Returns:
        The passes, which add up, and the beauty, never negative.
    """
    found = reflectance or decompose(frame, source)
    shade, shine = shading(frame, target), specular(frame, target)
    lit = found.albedo * shade
    lit += shine
    strength, weight = departure(source, target)
    residual = np.maximum(found.residual * (strength * np.float32(weight)), -lit)
    return Passes(found.albedo, shade, shine, residual, lit + residual)
