"""A finished subject, opened for work: its head, frames, light and networks, each read when first asked for."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ReliTalkError
from ..face.backdrop import Backdrop
from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..face.heads import load_head
from ..face.observation import Observation, Observer
from ..face.surface.implicit import ImplicitSurface, MovedSurface
from ..geometry.raster import Hits
from ..geometry.surface import vertex_normals
from ..geometry.visibility import transfer
from ..lighting.light import Light
from ..media.lossless import LosslessReader
from ..reflectance.shadow import HeadShadow, PixelShadow
from ..subject import Subject, read_tensors

if TYPE_CHECKING:
    from ..reflectance.albedo_texture import AlbedoTexture
    from ..reflectance.model import ReflectanceModel
    from ..reflectance.passes import FramePasses
    from ..speech.model import SpeechModel
    from ..synthesis.synthesis import Synthesis

REFLECTANCE, SPEECH, SURFACE, ALBEDO = "reflectance.", "speech.", "surface.", "albedo."


def write_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write a safetensors file that appears when it is whole."""
    from safetensors.numpy import save

    part = path.with_name(path.name + ".part")
    part.write_bytes(save({name: np.ascontiguousarray(value) for name, value in tensors.items()}))
    os.replace(part, path)


def add_weights(subject: Subject, tensors: dict[str, np.ndarray]) -> None:
    """Put a room's tensors among the subject's weights; what other rooms put there stays."""
    known = read_tensors(subject.weights_path) if subject.weights_path.exists() else {}
    write_tensors(subject.weights_path, known | tensors)


def head_shadow(head: HeadModel, fit: HeadFit) -> dict[str, np.ndarray]:
    """The head's radiance transfer for `head.safetensors`: of the fitted shape with its mean expression."""
    vertices = fit.shape(head, fit.psi.mean(0))
    shadowed, bare = transfer(vertices, vertex_normals(vertices, head.faces), head.faces)
    return {"transfer": shadowed, "transfer0": bare}


class Person:
    """Everything that is known of a subject."""

    def __init__(self, subject: Subject, device: str = "cpu") -> None:
        self.subject, self.device = subject, device
        self.head = load_head(subject.info.head_model)

    @cached_property
    def _head_tensors(self) -> dict[str, np.ndarray]:
        return read_tensors(self.subject.head_path)

    @cached_property
    def fit(self) -> HeadFit:
        """The head over the training clip."""
        return HeadFit.from_tensors(self._head_tensors)

    @cached_property
    def hidden(self) -> np.ndarray:
        """[T] bool: frames of the training clip in which something crosses the mouth."""
        found = self._head_tensors.get("hidden")
        return np.zeros(len(self.fit), bool) if found is None else found.astype(bool)

    @cached_property
    def backdrop(self) -> Backdrop | None:
        """What is behind the person in the training clip, where that was kept."""
        path = self.subject.backdrop_path
        return Backdrop.load(path, self.subject.info.size) if path.exists() else None

    def observer(self, fit: HeadFit | None = None, backdrop: Backdrop | None = None) -> Observer:
        """What reads normals, matte and regions off frames: of the training clip, or of other footage.

        Args:
            fit: the head in that footage.
            backdrop: what is behind the person there.
        """
        if fit is None:
            fit, backdrop = self.fit, self.backdrop
        return Observer(self.head, fit, backdrop, self.device, self.surface)

    @cached_property
    def surface(self) -> MovedSurface | None:
        """The implicit surface on the head, where one was trained."""
        path = self.subject.weights_path
        known = read_tensors(path) if path.exists() else {}
        parts = {name[len(SURFACE) :]: v for name, v in known.items() if name.startswith(SURFACE)}
        return MovedSurface(ImplicitSurface.from_tensors(parts), self.head, self.fit) if parts else None

    @cached_property
    def shadow(self) -> HeadShadow:
        """Its self-shadow; mouth and eyes, whose insides the mesh only hints at, are left open."""
        regions = self.head.regions
        inside = np.maximum.reduce([regions[name] for name in ("mouth_interior", "eye_l", "eye_r")])
        data = self._head_tensors
        return HeadShadow(data["transfer"], data["transfer0"], self.head.faces, inside)

    @cached_property
    def frames(self) -> LosslessReader:
        """The training clip's crop."""
        return LosslessReader(self.subject.frames_path)

    @cached_property
    def light(self) -> Light:
        """The light that the clip was filmed in."""
        return Light.load(self.subject.light_path)

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """All tensors of all rooms."""
        return read_tensors(self.subject.weights_path)

    def _room(self, prefix: str) -> dict[str, np.ndarray]:
        return {name[len(prefix) :]: v for name, v in self.weights.items() if name.startswith(prefix)}

    @cached_property
    def reflectance(self) -> ReflectanceModel:
        """F_normal, F_albedo, F_cspec."""
        from ..reflectance.model import ReflectanceModel

        return ReflectanceModel.from_tensors(self._room(REFLECTANCE)).to(self.device)

    @cached_property
    def albedo(self) -> AlbedoTexture | None:
        """The albedo that frames follow, where one was solved."""
        from ..reflectance.albedo_texture import AlbedoTexture

        parts = self._room(ALBEDO)
        return AlbedoTexture.from_tensors(parts, self.head) if parts else None

    def albedo_at(self, hits: Hits) -> np.ndarray | None:
        """What `ReflectanceModel.decompose` follows in a frame whose pixels see `hits`."""
        return None if self.albedo is None else self.albedo.at(hits, self.reflectance.size)

    def decompose(self, rgb: np.ndarray, seen: Observation, rotation: np.ndarray) -> tuple[FramePasses, PixelShadow]:
        """Decompose one frame under the clip's light, after the albedo texture.

        Args:
            rgb: [H, W, 3] uint8.
            seen: what was observed of it.
            rotation: [3, 3], head to camera.

        Returns:
            Its passes, and the head's shadow on itself.
        """
        shadow = self.shadow.at(seen.hits, rotation)
        visible, followed = shadow(np.asarray(self.light.sh, np.float32)), self.albedo_at(seen.hits)
        parts = seen.normal, seen.alpha, seen.regions
        return self.reflectance.decompose(rgb, *parts, visible, followed), shadow

    @cached_property
    def synthesis(self) -> Synthesis:
        """F_local and F_blend."""
        from ..synthesis.synthesis import Synthesis

        return Synthesis.from_tensors(self.weights)

    @cached_property
    def speech(self) -> SpeechModel:
        """F_mesh and F_exp.

        Raises:
            ReliTalkError: the clip had no sound to learn from.
        """
        from ..speech.model import SpeechModel

        known = self._room(SPEECH)
        if not known:
            raise ReliTalkError(
                "no_voice",
                f"{self.subject.path} was trained from a clip without sound, so its mouth cannot be driven.",
                "Train it again from a clip in which the person is heard.",
            )
        return SpeechModel.from_tensors(known, self.head, self.fit.beta)
