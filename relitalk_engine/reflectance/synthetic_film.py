"""Films a synthetic person: a random light, shading with cast shadows, a camera, and video compression.

What comes out is a lesson: a frame as a subject's training sees it, with a fit's errors in normal and light, and beside
it what the frame was made of.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..lighting import envmap
from ..media.images import linear_to_srgb, srgb_to_linear
from .batch import Batch
from .evenness import CLOTHS
from .gauge import LUMINANCE
from .light_start import START_SIZE
from .synthetic_heads import DIRECTIONS, HeadView
from .synthetic_paint import Paint

BOUNCE = 0.25
"""Of the light that a hollow does not see this share comes back from the skin around it."""
TINTS = np.array([[1.0, 0.72, 0.42], [1.0, 0.86, 0.68], [1.0, 1.0, 1.0], [0.85, 0.94, 1.0], [0.68, 0.84, 1.0]])
"""Bulb, warm white, white, overcast, blue sky."""
MIRRORED = [1, 1, 1, -1, -1, 1, 1, -1, 1]
"""Signs of the coefficients when left and right change places."""


@dataclass
class Lesson:
    """A frame and what it was made of; [B, C, S, S]."""

    seen: Batch
    """As a subject's training sees it: a wrong normal and transfer."""
    radiance: Tensor
    """[K, 3] the light as a fit finds it: broad, and somewhat wrong."""
    cloth: Tensor
    """[CLOTHS, 3] colours of the cloth under it, logarithms (``evenness.cloth_colours``)."""
    skin: Tensor
    """[3] the gauge's skin: the albedo's level that goes with that light."""
    albedo: Tensor
    """3, true, in the gauge."""
    normal: Tensor
    """3, true."""
    weight: Tensor
    """1, where the paint is like a person's: skin, eyes and mouth; hair and cloth only resemble."""

    def cropped(self, top: int, left: int, side: int) -> "Lesson":
        """A square part of it."""
        def part(x: Tensor | None) -> Tensor | None:
            return None if x is None else x[..., top : top + side, left : left + side]

        seen = Batch(*[part(v) for v in self.seen.__dict__.values()])
        maps = {name: part(getattr(self, name)) for name in ("albedo", "normal", "weight")}
        return replace(self, seen=seen, **maps)

    def resized(self, size: int) -> "Lesson":
        """At another size, averaging over areas."""
        if size == self.weight.shape[-1]:
            return self

        def small(x: Tensor | None) -> Tensor | None:
            return None if x is None else F.interpolate(x, (size, size), mode="area")

        seen = Batch(*[small(v) for v in self.seen.__dict__.values()])
        seen = replace(seen, normal=F.normalize(seen.normal, dim=1))
        normal = F.normalize(F.interpolate(self.normal, (size, size), mode="area"), dim=1)
        rest = [F.interpolate(v, (size, size), mode="area") for v in (self.albedo, self.weight)]
        return replace(self, seen=seen, albedo=rest[0], normal=normal, weight=rest[1])


@dataclass(frozen=True)
class _Shades:
    """[P, 3] each."""

    diffuse: Tensor
    shine: Tensor


def random_light(directions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rooms, windows, skies, lamps and rings.

    Args:
        directions: [D, 3] unit, camera frame.
        rng: where it comes from.

    Returns:
        [D, 3] what each direction brings, about 1 in all.
    """
    def tint(strong: float) -> np.ndarray:
        at = rng.uniform(0, len(TINTS) - 1)
        base = np.array([np.interp(at, np.arange(len(TINTS)), TINTS[:, c]) for c in range(3)])
        return base ** rng.uniform(0.2, 1) * np.exp(rng.normal(0, strong, 3))

    x, y, z = directions.T
    up = 0.5 + 0.5 * y
    room = (rng.uniform(0.3, 1) + rng.uniform(0, 1.2) * up)[:, None] * tint(0.03)
    floor = np.clip(-y, 0, 1)[:, None] * rng.uniform(0, 1) * tint(0.15)
    uneven = np.sin(directions @ rng.normal(0, 2.5, (3, 5)) + rng.uniform(0, 6.3, 5)).sum(1)
    patches = np.exp(0.5 * uneven * rng.random())
    ambient = (room + floor) * patches[:, None]
    power = ambient / ambient.mean(1).sum() * np.exp(rng.uniform(np.log(0.12), np.log(1.2)))
    for number in range(rng.integers(0, 4)):
        kind = rng.random()
        toward = rng.normal(size=3) + np.array([0, 0.45, 0.7])
        if number == 2:
            toward = rng.normal(size=3) + np.array([0, 0.2, -0.8])  # a rim from behind
        toward /= np.linalg.norm(toward)
        cosine = directions @ toward
        if kind < 0.12:  # a ring around the camera
            shape = np.exp(-0.5 * ((np.arccos(np.clip(z, -1, 1)) - rng.uniform(0.2, 0.5)) / 0.12) ** 2)
        elif kind < 0.3:  # the sun, or a bare bulb
            shape = (cosine >= cosine.max()).astype(float)
        elif kind < 0.6:  # a window or a soft box: upright, with edges
            side = np.cross(toward, [0, 1, 0.01])
            side /= np.linalg.norm(side)
            across, along = directions @ side, directions @ np.cross(side, toward)
            edge = 0.12
            shape = (1 / (1 + np.exp((np.abs(across) - rng.uniform(0.1, 0.5)) / edge))) * (cosine > 0)
            shape = shape / (1 + np.exp((np.abs(along) - rng.uniform(0.1, 0.6)) / edge))
        else:
            shape = np.exp(np.exp(rng.uniform(0.5, 4.5)) * (cosine - 1))
        colour = rng.uniform(0.2, 1, 3) if rng.random() < 0.1 else tint(0.06)
        power = power + (shape / max(shape.sum(), 1e-6) * rng.uniform(0.15, 1.5))[:, None] * colour
    return power * tint(0.04)


def _found_light(power: np.ndarray, directions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[*START_SIZE, 3] radiance of a light as it is fitted: spread out, dull behind the head, and wavering."""
    around = envmap.directions(*START_SIZE).reshape(-1, 3)
    sharp = np.exp(rng.uniform(np.log(3.0), np.log(20.0)))
    kernel = np.exp(sharp * (around @ directions.T - 1))
    kernel /= (kernel * envmap.solid_angles(*START_SIZE).reshape(-1, 1)).sum(0)
    found = kernel @ power
    mean = found.mean(0)
    behind = np.clip(-around[:, 2:] * 1.5 + 0.1, 0, 1) * rng.uniform(0.2, 1)
    found = found + behind * (mean * rng.uniform(0.5, 1.3) - found)
    waver = np.sin(around @ rng.normal(0, 1.5, (3, 6)) + rng.uniform(0, 6.3, 6))
    shared = waver @ rng.normal(0, 0.14, (6, 1)) + waver @ rng.normal(0, 0.03, (6, 3))
    found = found * np.exp(rng.random() * shared)
    return (found + rng.uniform(0, 0.15) * mean).reshape(*START_SIZE, 3)


def _shade(view: HeadView, paint: Paint, power: Tensor) -> _Shades:
    """Sum over the directions, each with its shadow."""
    device = power.device
    bits = np.unpackbits(view.visible, axis=1)[:, :DIRECTIONS]
    visible = torch.from_numpy(bits).to(device).float()
    directions = torch.from_numpy(view.directions).to(device)
    smooth = torch.from_numpy(view.normal.astype(np.float32)).to(device)
    cosine, broad = paint.normal @ directions.T, smooth @ directions.T
    skin, hair = paint.skin, paint.hair
    columns = []
    for channel, wrap in enumerate((0.16, 0.07, 0.03)):  # light that went through skin comes out red, and further round
        soft = wrap * skin + 0.35 * hair
        level = cosine + (0.5 * skin if channel == 0 else 0.15 * skin) * (broad - cosine)
        lit = ((level + soft) / (1 + soft) ** 1.5).clamp(min=0) * visible
        columns.append(lit @ power[:, channel])
    diffuse = torch.stack(columns, 1)
    open_ = (visible * broad.clamp(min=0)).sum(1, keepdim=True) / broad.clamp(min=0).sum(1, keepdim=True).clamp(min=1)
    mean = diffuse.mean(0)
    diffuse = diffuse + BOUNCE * (1 - open_) * mean * paint.albedo
    behind = ((-directions[:, 2:]).clamp(min=0) * power).sum(0)
    through = 0.65 * diffuse + 0.3 * open_ * power.sum(0) * 0.35 + (1 - smooth[:, 2:]) * 0.5 * behind
    diffuse = diffuse + hair * (through - diffuse)
    half = F.normalize(directions + directions.new_tensor([0.0, 0.0, 1.0]), dim=1)
    near = (paint.normal @ half.T).clamp(min=1e-3)
    lobe = torch.exp(paint.exponent * near.log()) * cosine.clamp(min=0) * visible * ((paint.exponent + 8) / 8)
    grazing = (1 - half[:, 2:]) ** 5
    shine = paint.specular * (lobe @ power) + 0.4 * (paint.specular / 0.03).clamp(0, 1) * (lobe @ (power * grazing))
    return _Shades(diffuse, shine * (1 - 0.4 * hair))


def film(view: HeadView, paint: Paint, rng: np.random.Generator) -> Lesson:
    """Light a painted view, film it, and fit it wrongly.

    Args:
        view: the person.
        paint: what it is painted with.
        rng: of the light, the camera and the fit's errors.
    """
    device, size = paint.albedo.device, view.alpha.shape[0]
    inside = torch.from_numpy(view.inside).to(device)
    power = random_light(view.directions, rng)

    def whole(values: Tensor) -> Tensor:
        out = values.new_zeros(size * size, values.shape[1])
        out[inside] = values
        return out.reshape(size, size, -1).permute(2, 0, 1)[None]

    lit = _shade(view, paint, torch.from_numpy(power.astype(np.float32)).to(device))
    alpha = torch.from_numpy(view.alpha.astype(np.float32)).to(device)[None, None]
    cover, skin = whole(torch.ones_like(paint.skin)), whole(paint.skin)
    diffuse = _scattered(whole(lit.diffuse), skin, size)
    albedo = whole(paint.albedo)
    linear = albedo * diffuse + whole(lit.shine)
    # Exposure: the face comes out as bright as cameras make it, dark skin darker.
    face = (whole(paint.face) > 0.7)[0, 0]
    if int(face.sum()) < 40:
        face = (skin > 0.5)[0, 0]
    tone = albedo[0][:, face].mean(1)
    seen_level = linear[0][:, face].mean(0).quantile(0.6)
    want = float(rng.uniform(0.42, 0.78)) * float(tone.mean() / 0.3) ** 0.18
    exposure = want**2.2 / float(seen_level.clamp(min=1e-6))
    backdrop = torch.from_numpy(_backdrop(rng, size)).to(device)
    picture = alpha * linear * exposure + (1 - alpha) * backdrop
    codes = _camera(picture[0].permute(1, 2, 0).cpu().numpy(), rng)
    image = torch.from_numpy(srgb_to_linear(codes).transpose(2, 0, 1)[None].copy()).to(device)

    normal = torch.from_numpy(view.fitted.astype(np.float32)).to(device).permute(2, 0, 1)[None]
    maps = [torch.from_numpy(m.astype(np.float32)).to(device).permute(2, 0, 1)[None]
            for m in (view.transfer, view.transfer0)]  # fmt: skip
    told = [_told(whole(region), rng) for region in (paint.face, paint.hair, paint.neck, paint.cloth)]
    matte = (F.avg_pool2d(alpha, 3, 1, 1) if rng.random() < 0.5 else alpha).clamp(0, 1)
    face_told, hair_told, neck_told, cloth_told = (region * matte for region in told)
    seen = Batch(image, normal, matte, face_told, hair_told, maps[0], maps[1], neck_told, cloth_told)
    found = torch.from_numpy(_found_light(power * exposure, view.directions, rng).reshape(-1, 3).astype(np.float32))
    mistake = np.exp(rng.normal(0, 0.22) + rng.normal(0, [0.05, 0.02, 0.07]))
    gauge = tone.cpu() * torch.from_numpy(mistake.astype(np.float32))
    weight = alpha * whole((1 - paint.hair) * (1 - paint.cloth))
    lesson = Lesson(
        seen, found.to(device), torch.full((CLOTHS, 3), torch.inf, device=device), gauge.to(device),
        albedo * (gauge.to(device) / tone)[:, None, None],
        F.normalize(whole(paint.normal) + (1 - cover) * normal, dim=1), weight,
    )
    return mirrored(lesson) if rng.random() < 0.5 else lesson


def _scattered(diffuse: Tensor, skin: Tensor, size: int) -> Tensor:
    """Light in skin spreads, red furthest."""
    channels = []
    for channel, millimetre in enumerate((0.008, 0.0045, 0.003)):
        sigma = millimetre * size
        reach = max(1, int(2.5 * sigma))
        steps = torch.arange(-reach, reach + 1, device=diffuse.device, dtype=diffuse.dtype)
        kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
        kernel = (kernel / kernel.sum())[None, None, None]

        def blur(x: Tensor, kernel: Tensor = kernel, reach: int = reach) -> Tensor:
            x = F.conv2d(x, kernel, padding=(0, reach))
            return F.conv2d(x, kernel.transpose(2, 3), padding=(reach, 0))

        own = diffuse[:, channel : channel + 1]
        channels.append(own + skin * (blur(own * skin) / blur(skin).clamp(min=1e-3) - own))
    return torch.cat(channels, 1)


def _told(share: Tensor, rng: np.random.Generator) -> Tensor:
    """A region as it is found: soft at its edge, a little too large or too small."""
    wide = F.avg_pool2d(share, 5, 1, 2)
    return ((wide + 0.3 * share) / 1.3 * rng.uniform(0.85, 1.3) - rng.uniform(0, 0.15)).clamp(0, 1)


def _backdrop(rng: np.random.Generator, size: int) -> np.ndarray:
    """[1, 3, S, S] linear: something blurred."""
    cells = int(rng.integers(1, 12))
    colours = np.exp(rng.normal(np.log(0.15), 0.8, (cells, cells, 1)) + rng.normal(0, 0.35, (cells, cells, 3)))
    mode = cv2.INTER_NEAREST if rng.random() < 0.3 else cv2.INTER_CUBIC
    picture = cv2.resize(colours.astype(np.float32), (size, size), interpolation=mode).reshape(size, size, 3)
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 6)))
    return np.clip(picture, 0.001, 2).transpose(2, 0, 1)[None].astype(np.float32)


def _camera(linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise, curve, blur and compression: [S, S, 3] linear to uint8."""
    size = linear.shape[0]
    linear = np.maximum(linear, 0)
    linear = linear + rng.normal(size=linear.shape) * np.sqrt(linear + 0.002) * rng.uniform(0, 0.012)
    code = linear_to_srgb(np.clip(linear, 0, 1.0).astype(np.float32))
    if rng.random() < 0.4:  # a shoulder, instead of a hard clip
        knee = rng.uniform(0.6, 0.85)
        bright = linear_to_srgb(np.maximum(linear, 0).astype(np.float32))
        code = np.where(bright > knee, knee + (1 - knee) * np.tanh((bright - knee) / (1 - knee) * 0.9), bright)
    code = code - rng.uniform(-0.04, 0.12) * np.sin(2 * np.pi * np.clip(code, 0, 1)) / np.pi
    grey = code @ LUMINANCE.astype(np.float32)
    code = grey[..., None] + rng.uniform(0.85, 1.15) * (code - grey[..., None])
    if rng.random() < 0.6:
        small = int(size * rng.uniform(0.45, 1))
        code = cv2.resize(code, (small, small), interpolation=cv2.INTER_AREA)
        code = cv2.resize(code, (size, size), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.3:
        code = code + rng.uniform(0.2, 0.8) * (code - cv2.GaussianBlur(code, (0, 0), 1.2))
    pixels = np.rint(np.clip(code, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.85:
        flag = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 97))]
        packed = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), flag)[1]
        pixels = cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1]
    return np.ascontiguousarray(pixels)


def mirrored(lesson: Lesson) -> Lesson:
    """Left and right exchanged, in the light too."""
    def flip(x: Tensor) -> Tensor:
        return x.flip(-1)

    device = lesson.radiance.device
    sign = torch.tensor([-1.0, 1, 1], device=device)[:, None, None]
    odd = torch.tensor(MIRRORED, device=device, dtype=torch.float32)[:, None, None]
    seen = lesson.seen
    turned = {"normal": sign, "transfer": odd, "transfer0": odd}
    maps = {name: None if m is None else flip(m) * turned.get(name, 1) for name, m in seen.__dict__.items()}
    seen = Batch(**maps)
    radiance = lesson.radiance.reshape(*START_SIZE, 3).flip(1).roll(-START_SIZE[1] // 2, 1).reshape(-1, 3)
    return Lesson(
        seen, radiance, lesson.cloth, lesson.skin, flip(lesson.albedo), flip(lesson.normal) * sign,
        flip(lesson.weight),
    )
