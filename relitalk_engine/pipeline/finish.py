"""From a decomposed frame to the take's pictures: lit anew, set before a background, written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..events import Reporter
from ..face.matte import foreground
from ..lighting.light import Light
from ..media.audio import copy_as_wav
from ..media.images import encode_uint8, read_image, srgb_to_linear, write_exr, write_png
from ..media.preview import write_preview
from ..reflectance.model import FramePasses
from ..reflectance.relight import BakedLight, Frame, Passes, Reflectance, bake, compose, decompose, relight
from ..reflectance.shadow import PixelShadow
from ..take import PASSES, Take
from .base import Base
from .options import OutOptions
from .person import Person
from .surround import Surround
from .texture import write_head

PREVIEW_GREY = 0.18
"""Linear grey behind a matted portrait in the preview."""


@dataclass(frozen=True)
class Picture:
    """One frame of a take before it is lit anew.

    Attributes:
        number: in the whole take.
        rgb: [H, W, 3] uint8, as under the clip's own light.
        found: its decomposition.
        shadow: the head's shadow on itself, as a function of the light.
        base: the frame of the base footage that it stands on.
    """

    number: int
    rgb: np.ndarray
    found: FramePasses
    shadow: PixelShadow
    base: int


class Finisher:
    """Lights, composes and writes the frames of one take."""

    def __init__(
        self, person: Person, take: Take, lights: list[tuple[str, Light]], out: OutOptions, base: Base
    ) -> None:
        self._person, self._take, self._lights, self._out, self._base = person, take, lights, out, base
        self._exponent = person.reflectance.specular_exponent()
        self._source = bake(person.light, self._exponent)
        self._baked: dict[int, BakedLight] = {}
        self._metadata = take.info.provenance()
        self._behind = self._background()
        self._surround = Surround(base) if out.full_frame and base.crop[2:] != base.source_size else None

    def _background(self) -> np.ndarray | None:
        """[h, w, 3] linear, of the take's size; None: nothing, or the clip's own."""
        background = self._out.background
        width, height = self._take.info.size
        if background.kind == "colour":
            colour = srgb_to_linear(np.asarray(background.colour, np.float32) / 255)
            return np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
        if background.kind != "image" or background.image is None:
            return None
        import cv2

        picture = read_image(background.image)[..., :3]
        if picture.shape[2] == 1:
            picture = np.repeat(picture, 3, 2)
        if picture.dtype != np.float32:
            picture = srgb_to_linear(picture.astype(np.float32) / np.iinfo(picture.dtype).max)
        scale = max(width / picture.shape[1], height / picture.shape[0])  # covers, cut at the middle
        picture = cv2.resize(picture.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        top, left = max(top, 0), max(left, 0)
        return np.ascontiguousarray(picture[top : top + height, left : left + width])

    def _target(self, light: Light, number: int) -> BakedLight:
        now = light.at(number)
        if id(now) not in self._baked:
            if len(self._baked) > 40:
                self._baked.clear()
            self._baked[id(now)] = bake(now, self._exponent)
        return self._baked[id(now)]

    def finish(self, picture: Picture) -> np.ndarray:
        """Light one frame and write everything that is asked for.

        Returns:
            [h, w, 3] uint8 for the preview.
        """
        image = srgb_to_linear(picture.rgb.astype(np.float32) / 255).astype(np.float32)
        alpha = picture.found.alpha[..., None]
        keep = self._out.background.kind == "keep"
        colour = image if keep else foreground(picture.rgb, picture.found.alpha, self._base.backdrop)
        frame = compose(colour, picture.found, picture.shadow)
        reflectance = decompose(frame, self._source)
        shown = None
        for name, light in self._lights:
            lit = relight(frame, self._source, self._target(light, picture.number), reflectance)
            beauty, opacity = self._compose(lit.beauty, image, alpha, picture)
            self._write_beauty(picture.number, name, beauty, opacity)
            if self._take.info.passes and name == self._lights[0][0]:
                self._write_passes(picture, frame, reflectance, lit)
            if shown is None:
                shown = encode_uint8(beauty * opacity + PREVIEW_GREY * (1 - opacity))
        assert shown is not None
        return shown

    def _compose(self, beauty: np.ndarray, image: np.ndarray, alpha: np.ndarray, picture: Picture):
        """Colour [h, w, 3] linear straight and opacity [h, w, 1] of the whole take's frame."""
        kind = self._out.background.kind
        if self._surround is not None:
            beauty, alpha, image = self._surround.extend(picture.base, picture.rgb, beauty, alpha, kind != "keep")
        if kind == "none":
            return beauty, alpha
        behind = image if kind == "keep" or self._behind is None else self._behind
        return alpha * beauty + (1 - alpha) * behind, np.ones_like(alpha)

    def _write_beauty(self, number: int, light: str, colour: np.ndarray, opacity: np.ndarray) -> None:
        path = self._take.beauty_path(number, light)
        if self._take.info.exr:
            rgba = np.concatenate([colour * opacity, opacity], -1)
            write_exr(path, dict(zip("RGBA", np.moveaxis(rgba, -1, 0), strict=True)), self._metadata)
            return
        encoded = np.concatenate([encode_uint8(colour), np.rint(opacity * 255).astype(np.uint8)], -1)
        write_png(path, encoded, self._metadata)

    def _write_passes(self, picture: Picture, frame: Frame, reflectance: Reflectance, lit: Passes) -> None:
        found = picture.found
        transfer, smooth = picture.shadow.maps()
        maps = {
            "albedo": lit.albedo,
            "normal": found.normal,
            "shading": lit.shading,
            "specular": lit.specular,
            "specular_weight": found.specular_weight,
            "residual": lit.residual,
            "alpha": found.alpha,
            "smooth_normal": smooth,
            "hair": np.zeros_like(found.alpha) if frame.hair is None else frame.hair[..., 0],
            "source_residual": reflectance.residual,
            **{f"transfer_{k}": transfer[..., 3 * k : 3 * k + 3] for k in range(3)},
        }
        for name in PASSES:
            values = self._placed(maps[name])
            channels = {"Y": values} if values.ndim == 2 else dict(zip("RGB", np.moveaxis(values, -1, 0), strict=True))
            write_exr(self._take.pass_path(name, picture.number), channels, self._metadata)

    def accompany(self) -> None:
        """Write beside the frames what lights them anew and moves their head where there is no engine."""
        info, person = self._take.info, self._person
        self._take.source_light_path.parent.mkdir(exist_ok=True)
        person.light.save(self._take.source_light_path)
        self._lights[0][1].save(self._take.light_path)
        shift = self._base.crop[:2] if self._out.full_frame else (0, 0)
        write_head(self._take.head_path, person.head, self._base.fit, shift)
        info.specular_exponent = float(self._exponent)
        if info.passes and person.subject.albedo_path.is_file():
            shutil.copyfile(person.subject.albedo_path, self._take.texture_path)

    def _placed(self, values: np.ndarray) -> np.ndarray:
        """A map of the crop in the take's frame."""
        if not self._out.full_frame:
            return values
        width, height = self._take.info.size
        x, y, w, h = self._base.crop
        whole = np.zeros((height, width, *values.shape[2:]), np.float32)
        whole[y : y + h, x : x + w] = values
        return whole


def write_take(
    finisher: Finisher, pictures: Iterator[Picture], take: Take, sound: Path | None, reporter: Reporter
) -> None:
    """Finish every picture, and write the preview while they pass.

    Args:
        finisher: lights and writes.
        pictures: in order.
        take: whose frame range it is.
        sound: the whole take's sound, if there is one.
        reporter: hears the progress, may cancel and sees some frames.
    """
    first, last = take.info.frames
    fps = take.info.fps
    seen = take.path / "seen.png"

    def finished() -> Iterator[np.ndarray]:
        for done, picture in enumerate(pictures):
            shown = finisher.finish(picture)
            if done % 25 == 0:
                write_png(seen, shown)
                reporter.preview(seen)
            reporter.progress("frames", done + 1, last - first)
            yield shown

    cut = None
    if sound is not None:
        cut = take.path / "cut.wav"
        copy_as_wav(sound, cut, float(first / fps), float((last - first) / fps))
    finisher.accompany()
    try:
        write_preview(take.preview_path, finished(), fps, cut, take.info.provenance()["Comment"])
    finally:
        for scratch in (cut, seen):
            if scratch is not None:
                scratch.unlink(missing_ok=True)


