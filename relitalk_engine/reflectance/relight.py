"""The clip's frame under another light: element by element, exact under its own (decisions 4 to 8).

The frame is A ⊙ S + C ⊙ S_spec + R with the source's light, and R is whatever that misses, so that the source's own
light gives the frame back. Under another light S and S_spec are looked up anew, and R fades as the light departs.
Hair has S and S_spec of its own, and light that comes through its strands, √A ⊙ B, counts with its highlights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ..lighting import hair, lit_sphere
from ..lighting.hair import LitHair
from ..lighting.light import Light
from ..lighting.lit_sphere import LitSphere
from ..lighting.portrait import HAIR_OPEN, departure
from .passes import FramePasses

SHADING_FLOOR = 0.06
"""Least old light to divide by, as a share of its mean over the sphere of normals."""
ALBEDO_MOST = 1.0
SPECULAR_SHARE = 0.6
"""Most of a pixel that may be taken for highlight."""


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
    visibility: Callable[[np.ndarray], np.ndarray] | None = None
    """Light [9, 3] to V [H, W, 3] (``shadow.PixelShadow``); None: nothing shadows."""
    hair: np.ndarray | None = None
    """[H, W, 1] 0..1, how far a pixel is hair."""


def compose(
    image: np.ndarray, passes: FramePasses, visibility: Callable[[np.ndarray], np.ndarray] | None = None
) -> Frame:
    """The frame of a picture and its passes.

    Args:
        image: [H, W, 3] linear: the clip's pixels, or their foreground colour.
        passes: of the same frame.
        visibility: light [9, 3] to V [H, W, 3].
    """
    height, width = passes.alpha.shape

    def enlarge(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)

    return Frame(
        np.asarray(image, np.float32), passes.normal, passes.specular_weight[..., None], passes.alpha[..., None],
        enlarge(passes.gain), visibility, enlarge(passes.hair)[..., None],
    )


@dataclass(frozen=True)
class BakedLight:
    """A light made ready for one subject."""

    sh: np.ndarray
    """[9, 3] radiance coefficients."""
    sphere: LitSphere
    """With the subject's specular exponent."""
    hair: LitHair
    """What it is on hair."""
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
    around = lit_sphere.normals(sphere.diffuse.shape[0])
    level = sphere.diffuse[around[..., 2] > 0].mean(0)
    return BakedLight(np.asarray(light.sh, np.float32), sphere, hair.bake(light), level)


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


def light_up(frame: Frame, light: BakedLight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """S = lit_sphere_diffuse(N) · V, B and C ⊙ S_spec, which do not reach where the light does not. [H, W, 3] each."""
    lit, shine = (look_up(sphere, frame.normal) for sphere in (light.sphere.diffuse, light.sphere.specular))
    through = np.zeros_like(lit)
    if frame.hair is not None:
        matt, through, gloss = (look_up(sphere, frame.normal) for sphere in light.hair.spheres)
        lit += frame.hair * (matt - lit)
        shine += frame.hair * (gloss - shine)
        through *= frame.hair
    shine *= frame.specular_weight
    if frame.visibility is not None:
        visible = frame.visibility(light.sh)
        if frame.hair is not None:
            visible = visible + (HAIR_OPEN * frame.hair) * (1 - visible)
        for part in (lit, through, shine):
            part *= visible
    return lit, through, shine


def decompose(frame: Frame, source: BakedLight) -> Reflectance:
    """Albedo and residual of a frame under the light it was filmed in.

    Args:
        frame: the frame.
        source: its own light.
    """
    shade, through, shine = light_up(frame, source)
    floor = SHADING_FLOOR * source.level + 1e-5
    without = np.maximum(matt(frame.image, shine), 0)
    albedo = hair.paint(without, np.sqrt(shade * shade + floor * floor), through)
    if frame.gain is not None:
        albedo *= np.exp(frame.gain)
    albedo = np.clip(albedo, 0, ALBEDO_MOST)
    return Reflectance(albedo, frame.image - albedo * shade - (np.sqrt(albedo) * through + shine))


def matt(image: Any, shine: Any) -> Any:
    """The image without its highlights, which are at most a share of their pixel, approached smoothly.

    Args:
        image: linear, any shape (numpy or torch).
        shine: C ⊙ S_spec of the same shape.
    """
    most = SPECULAR_SHARE * image + 1e-6
    return image - shine * most / (shine + most)


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
    shade, through, shine = light_up(frame, target)
    shine += np.sqrt(found.albedo) * through
    lit = found.albedo * shade
    lit += shine
    strength, weight = departure(source, target)
    residual = np.maximum(found.residual * (strength * np.float32(weight)), -lit)
    return Passes(found.albedo, shade, shine, residual, lit + residual)
