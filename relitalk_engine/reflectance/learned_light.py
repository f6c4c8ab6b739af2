"""The light of the clip as something that is learned: a small positive environment and the specular exponent."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..lighting import envmap, hair, lit_sphere, phong, sh
from ..lighting.light import HEIGHT, WIDTH, Light
from .light_start import START_SIZE

SPHERE = 48
"""Rows and columns of the lit spheres used while learning."""
EXPONENT_START = 24.0
EXPONENT_RANGE = (6.0, 120.0)


class BakedSphere(nn.Module):
    """Lit spheres in torch: what each texel of the sphere takes from each direction of a coarse environment."""

    def __init__(self) -> None:
        """The geometry alone; there is nothing to learn."""
        super().__init__()
        around = lit_sphere.normals(SPHERE).reshape(-1, 3)
        directions = envmap.directions(*START_SIZE).reshape(-1, 3)
        cosine = np.maximum(around @ directions.T, 0)
        solid = envmap.solid_angles(*START_SIZE).reshape(-1)
        for name, value in (
            ("cosine", cosine), ("solid", solid),
            ("halfway", np.maximum(around @ phong.halfway(directions).T, 1e-4)), ("fresnel", phong.fresnel(directions)),
            ("strands", hair.response(around, directions) / np.pi), ("basis", sh.basis(directions)),
            ("directions", directions), ("around", around.reshape(SPHERE, SPHERE, 3)),
        ):
            self.register_buffer(name, torch.from_numpy(np.asarray(value, np.float32)), persistent=False)

    def forward(self, radiance: Tensor, exponent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Light a sphere.

        Args:
            radiance: [K, 3] per direction of the coarse environment.
            exponent: scalar, Blinn-Phong.

        Returns:
            Diffuse [S, S, 3], specular [S, S, 3], radiance coefficients [9, 3].

        Source: eq. 14 and 15 with the solid angle of each direction.
        """
        power = radiance * self.solid[:, None]
        diffuse = (self.cosine @ power / np.pi).reshape(SPHERE, SPHERE, 3)
        lobe = torch.exp(exponent * self.halfway.log()) * self.cosine * self.fresnel * ((exponent + 8) / (8 * np.pi))
        return diffuse, (lobe @ power).reshape(SPHERE, SPHERE, 3), self.basis.T @ power

    def on_hair(self, radiance: Tensor) -> Tensor:
        """The three lit spheres of hair (`hair.LitHair`) under `radiance` [K, 3], beside each other, [S, S, 9]."""
        lobes = self.strands @ (radiance * self.solid[:, None])
        return lobes.reshape(3, SPHERE, SPHERE, 3).permute(1, 2, 0, 3).reshape(SPHERE, SPHERE, 9)

    def random(self, level: Tensor, generator: torch.Generator) -> Tensor:
        """A random light: some ambient, one to three coloured lamps of any size, most of them in front.

        Args:
            level: [3] mean shading that it is brought to.
            generator: where it comes from.

        Returns:
            [K, 3] radiance.
        """
        def draw(*size: int) -> Tensor:
            return torch.rand(*size, generator=generator)

        radiance = (0.1 + 0.4 * draw(1)) * (0.8 + 0.4 * draw(3))[None].expand(len(self.solid), 3)
        for _ in range(int(torch.randint(1, 4, (1,), generator=generator))):
            toward = F.normalize(torch.randn(3, generator=generator) + torch.tensor([0.0, 0.3, 0.6]), dim=0)
            sharp = 2.0 + 40.0 * draw(1) ** 2
            lamp = torch.exp(sharp * (self.directions.cpu() @ toward - 1))[:, None]
            radiance = radiance + lamp * sharp * draw(1) * (0.7 + 0.6 * draw(3))
        radiance = radiance.to(self.solid.device)
        mean = (self.cosine @ (radiance * self.solid[:, None]) / np.pi).mean()
        return radiance * (level.mean() * (0.6 + 0.8 * float(draw(1))) / mean)


class LearnedLight(nn.Module):
    """The source's light and the subject's specular exponent, as parameters."""

    def __init__(self, environment: np.ndarray, exponent: float = EXPONENT_START):
        """``environment``: [*START_SIZE, 3] radiance to start from."""
        super().__init__()
        start = torch.from_numpy(np.asarray(environment, np.float32).reshape(-1, 3))
        start = start + 0.02 * start.mean(0, keepdim=True)
        self.register_buffer("start", start.log())
        self.log_radiance = nn.Parameter(start.log())
        self.log_exponent = nn.Parameter(torch.tensor(float(np.log(exponent))))

    @property
    def exponent(self) -> Tensor:
        """Blinn-Phong exponent, scalar."""
        return self.log_exponent.clamp(np.log(EXPONENT_RANGE[0]), np.log(EXPONENT_RANGE[1])).exp()

    def radiance(self, weight: Tensor) -> Tensor:
        """[K, 3], held to the start's mean over ``weight`` [K], which the gauge has set."""
        free, start = self.log_radiance.exp(), self.start.exp()
        return free * ((start * weight[:, None]).sum(0) / (free * weight[:, None]).sum(0))

    def shift(self, log_gain: Tensor) -> None:
        """Scale light and start alike by exp(log_gain) [3]."""
        with torch.no_grad():
            self.start += log_gain
            self.log_radiance += log_gain

    def drift(self) -> Tensor:
        """How far the light has gone from its start, scalar."""
        return (self.log_radiance - self.start).abs().mean()

    def to_light(self, weight: Tensor) -> Light:
        """The light for files: the environment brought to 32 by 64, and its coefficients."""
        coarse = self.radiance(weight).detach().cpu().numpy().reshape(*START_SIZE, 3)
        rows, columns = HEIGHT // START_SIZE[0], WIDTH // START_SIZE[1]
        environment = np.repeat(np.repeat(coarse, rows, 0), columns, 1)
        return Light.from_environment(environment, {"kind": "clip"})
