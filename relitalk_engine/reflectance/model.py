"""The subject's decomposition: its networks, its light, and what they make of a frame."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ReliTalkError
from ..lighting import hair, lit_sphere
from ..lighting.light import Light
from ..lighting.portrait import HAIR_OPEN
from .albedo_texture import STAYS, Look, follow
from .batch import Batch, calmed, pixels, shrink, small_batch, tensor
from .evenness import CLOTHS, even, plain
from .learned_light import BakedSphere, LearnedLight
from .light_start import START_SIZE
from .networks import FAlbedo, FCspec, FNormal, facing
from .passes import FramePasses
from .relight import ALBEDO_MOST, SHADING_FLOOR, SPECULAR_SHARE, matt
from .shadow import self_shadow


@dataclass
class Decomposition:
    """What a batch is made of; [B, C, S, S]."""

    normal: Tensor
    delta: Tensor
    specular_weight: Tensor
    gain: Tensor
    albedo: Tensor
    shading: Tensor
    shine: Tensor
    even: Tensor
    """The part of the gain that takes uneven light for light (`evenness.even`)."""

    def rendered(self, tinted: bool) -> Tensor:
        """Ĩ = A ⊙ S + C ⊙ S_spec; with ``tinted`` eq. 17's A ⊙ (S + C ⊙ S_spec)."""
        return self.albedo * (self.shading + self.shine) if tinted else self.albedo * self.shading + self.shine


class ReflectanceModel(nn.Module):
    """F_normal, F_albedo, F_cspec and the clip's light, of one subject."""

    def __init__(self, environment: np.ndarray, skin: np.ndarray, size: int, channels: int, paper: bool = False,
                 use_normal: bool = True, use_specular: bool = True):
        """An untrained decomposition, which already stands on the light's start.

        Args:
            environment: [*START_SIZE, 3] radiance of the clip's light, in the gauge.
            skin: [3] mean skin albedo of the gauge.
            size: side of the square that the networks see.
            channels: of their first layers.
            paper: A = F_albedo(Î) and tinted specular.
            use_normal: refine the normal.
            use_specular: have a specular part.
        """
        super().__init__()
        self.size, self.channels, self.paper = size, channels, paper
        self.use_normal, self.use_specular = use_normal, use_specular
        self.light = LearnedLight(environment)
        self.sphere = BakedSphere()
        self.f_normal = FNormal(max(8, channels // 2))
        self.f_albedo = FAlbedo(channels, direct=paper)
        self.f_cspec = FCspec(max(8, channels // 2))
        self.register_buffer("skin", torch.from_numpy(np.asarray(skin, np.float32)))
        self.register_buffer("cloth", torch.full((CLOTHS, 3), torch.inf))

    def tensors(self) -> dict[str, np.ndarray]:
        """For `weights.safetensors`: the parameters, and under "shape" what the model was made with."""
        shape = [self.size, self.channels, self.paper, self.use_normal, self.use_specular]
        state = {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}
        return state | {"shape": np.array(shape, np.int64)}

    @classmethod
    def from_tensors(cls, values: dict[str, np.ndarray]) -> "ReflectanceModel":
        """The inverse of `tensors`.

        Raises:
            ReliTalkError: the tensors are not a whole decomposition.
        """
        try:
            size, channels, paper, use_normal, use_specular = (int(v) for v in values["shape"])
            start = np.exp(values["light.start"]).reshape(*START_SIZE, 3)
            model = cls(start, values["skin"], size, channels, bool(paper), bool(use_normal), bool(use_specular))
            state = {name: torch.from_numpy(np.array(v)) for name, v in values.items() if name != "shape"}
            model.load_state_dict(state)
        except (KeyError, ValueError, RuntimeError) as error:
            raise ReliTalkError(
                "bad_weights", "The subject's weights hold no whole decomposition.", "Train the subject again."
            ) from error
        return model.eval()

    def radiance(self) -> Tensor:
        """[K, 3] of the clip's light."""
        return self.light.radiance(self.sphere.solid * (0.5 + 0.5 * self.sphere.directions[:, 2]))

    def clip_light(self) -> Light:
        """The clip's light, for ``light.json``."""
        return self.light.to_light(self.sphere.solid * (0.5 + 0.5 * self.sphere.directions[:, 2]))

    def specular_exponent(self) -> float:
        """The subject's Blinn-Phong exponent."""
        return float(self.light.exponent.detach())

    def shade(self, batch: Batch, normal: Tensor, weight: Tensor, radiance: Tensor, visible: Tensor | None = None
              ) -> tuple[Tensor, Tensor, Tensor]:
        """Light a decomposed batch, but for the light that comes through its hair.

        Args:
            batch: for its hair and transfer.
            normal: [B, 3, S, S], refined.
            weight: [B, 1, S, S], C_spec.
            radiance: [K, 3].
            visible: [B, 3, S, S], self-shadow, where it is known already.

        Returns:
            S [B, 3, S, S], C ⊙ S_spec [B, 3, S, S], and the least shading to divide by [3].
        """
        shade, _, shine, floor = self._light_up(batch, normal, weight, radiance, visible)
        return shade, shine, floor

    def _light_up(self, batch: Batch, normal: Tensor, weight: Tensor, radiance: Tensor, visible: Tensor | None
                  ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `relight.light_up`, and the least shading to divide by."""
        diffuse, specular, coefficients = self.sphere(radiance, self.light.exponent)
        surface = normal.permute(0, 2, 3, 1)
        spheres = torch.cat([diffuse, specular, self.sphere.on_hair(radiance)], -1)
        smooth, gleam, loose, through, gloss = lit_sphere.sample(spheres, surface).permute(0, 3, 1, 2).split(3, 1)
        shade, through = smooth + batch.hair * (loose - smooth), batch.hair * through
        shine = weight * (gleam + batch.hair * (gloss - gleam))
        if visible is None and batch.transfer is not None and batch.transfer0 is not None:
            maps = batch.transfer.permute(0, 2, 3, 1), batch.transfer0.permute(0, 2, 3, 1)
            visible = self_shadow(*maps, coefficients.detach()).permute(0, 3, 1, 2)
        if visible is not None:
            visible = visible + HAIR_OPEN * batch.hair * (1 - visible)
            shade, through, shine = shade * visible, through * visible, shine * visible
        inside = self.sphere.around[..., 2] > 0
        return shade, through, shine, SHADING_FLOOR * diffuse[inside].mean(0) + 1e-5

    def relit(self, batch: Batch, found: Decomposition, radiance: Tensor) -> Tensor:
        """The batch under another light [K, 3], [B, 3, S, S] linear."""
        shade, through, shine, _ = self._light_up(batch, found.normal, found.specular_weight, radiance, None)
        lit = replace(found, shading=shade, shine=shine + found.albedo.sqrt() * through)
        return lit.rendered(self.paper)

    def forward(self, batch: Batch, radiance: Tensor | None = None, visible: Tensor | None = None) -> Decomposition:
        """Decompose frames lit by a known light, the clip's own if none is given."""
        radiance = self.radiance() if radiance is None else radiance
        encoded = batch.encoded
        if self.use_normal:
            normal, delta = self.f_normal(encoded, batch.normal)
        else:
            normal, delta = facing(batch.normal), torch.zeros_like(batch.normal)
        weight = self.f_cspec(encoded, normal)
        weight = (weight + batch.hair * (hair.GLOSS - weight)) * (1.0 if self.use_specular else 0.0)
        shade, through, shine, floor = self._light_up(batch, normal, weight, radiance, visible)
        # What shines no more than so much in this light does not shine more in another: black cloth stays black.
        most = SPECULAR_SHARE * batch.image.mean(1, keepdim=True) + 1e-6
        share = most / (shine.mean(1, keepdim=True) + most)
        weight, shine = weight * share, shine * share
        least = (shade.square() + floor[:, None, None].square()).sqrt()
        start = hair.paint(matt(batch.image, shine).clamp_min(1e-6), least, through)
        evened = torch.zeros_like(start) if self.paper else even(start, batch, self.skin, self.cloth)
        started = (start * evened.exp()).clamp(1e-4, ALBEDO_MOST)
        gain = evened + self.f_albedo(encoded, started) * (1.0 if self.paper else plain(started, self.skin))
        albedo = (start * gain.exp()).clamp(1e-4, ALBEDO_MOST)
        return Decomposition(normal, delta, weight, gain, albedo, shade, shine + albedo.sqrt() * through, evened)

    @torch.no_grad()
    def look(self, image: np.ndarray, normal: np.ndarray, alpha: np.ndarray, regions: dict[str, np.ndarray],
             visible: np.ndarray | None = None) -> Look:
        """Decompose one frame at the networks' size, for the albedo texture; arguments as of `decompose`."""
        return self._look(*self._found(image, calmed(normal, regions, alpha), alpha, regions, visible), regions)

    def _found(self, image: np.ndarray, normal: np.ndarray, alpha: np.ndarray, regions: dict[str, np.ndarray],
               visible: np.ndarray | None) -> tuple[Batch, Decomposition]:
        device = self.skin.device
        batch = small_batch(image, normal, alpha, regions, self.size).to(device)
        return batch, self(batch, None, None if visible is None else tensor(shrink(visible, self.size)).to(device))

    def _look(self, batch: Batch, found: Decomposition, regions: dict[str, np.ndarray]) -> Look:
        image, albedo, shading, shine = (pixels(x) for x in (batch.image, found.albedo, found.shading, found.shine))
        stays = sum((regions[name] for name in STAYS if name in regions), np.zeros_like(regions["skin"]))
        return Look(image, albedo, shading, shine, pixels(batch.alpha)[..., 0], shrink(stays, self.size))

    @torch.no_grad()
    def decompose(self, image: np.ndarray, normal: np.ndarray, alpha: np.ndarray, regions: dict[str, np.ndarray],
                  visible: np.ndarray | None = None, texture: np.ndarray | None = None) -> FramePasses:
        """Decompose one frame at its own size.

        Args:
            image: [H, W, 3] uint8, sRGB.
            normal: [H, W, 3], N̂.
            alpha: [H, W], 0..1.
            regions: ``skin`` and ``hair`` at least, [H, W] each.
            visible: [H, W, 3], self-shadow under the clip's light.
            texture: [S, S, 4] albedo to follow (`AlbedoTexture.at`).

        Returns:
            Its passes.
        """
        normal = calmed(normal, regions, alpha)
        batch, found = self._found(image, normal, alpha, regions, visible)
        if texture is not None:
            taken = tensor(follow(self._look(batch, found, regions), texture)).to(batch.alpha.device)
            found = replace(found, gain=found.gain + taken)
        height, width = alpha.shape
        # Outside the matte the networks never learned anything: carry the inside's values there before enlarging.
        inside = batch.alpha
        delta = pixels(_carry(found.delta, inside))
        weight = pixels(_carry(found.specular_weight, inside))[..., 0]
        gain = pixels(_carry(found.gain, inside))
        refined = normal + cv2.resize(delta, (width, height), interpolation=cv2.INTER_LINEAR)
        refined[..., 2] = np.maximum(refined[..., 2], 0.02)
        refined /= np.linalg.norm(refined, axis=-1, keepdims=True)
        weight = cv2.resize(weight, (width, height), interpolation=cv2.INTER_LINEAR)
        hair = shrink(np.asarray(regions["hair"], np.float32), self.size)
        return FramePasses(refined.astype(np.float32), weight, alpha.astype(np.float32), gain, hair)


def _carry(values: Tensor, alpha: Tensor) -> Tensor:
    """Values inside the matte, carried outwards."""
    weight = alpha.square()
    out, cover = values * weight, weight
    result = out / cover.clamp_min(1e-4)
    for kernel in (5, 17):
        wide = F.avg_pool2d(out, kernel, 1, kernel // 2) / F.avg_pool2d(cover, kernel, 1, kernel // 2).clamp_min(1e-4)
        mix = ((cover - 0.05) / 0.25).clamp(0, 1) if kernel == 5 else (F.avg_pool2d(cover, 5, 1, 2) / 0.02).clamp(0, 1)
        result = mix * result + (1 - mix) * wide
    return result
