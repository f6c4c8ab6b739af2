"""What a synthetic person is painted with: skin, brows, eyes, lips, teeth, hair and cloth, drawn anew each time.

Skin is melanin along the locus of human skin, blood where faces redden, and what lies on it: freckles, blemishes,
stubble, make-up, pores. Paint is a function of the place on the body, so it knows nothing of light or pose.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from ..face.head_model import HeadModel
from .gauge import SKIN_LOCUS
from .networks import SPECULAR_MOST, SPECULAR_START
from .synthetic_heads import MARKS, HeadView

POINTS = {
    "nose": 1, "forehead": 151, "chin": 152, "cheek_l": 280, "cheek_r": 50, "lid_l": 386, "lid_r": 159,
    "bag_l": 450, "bag_r": 230, "lip": 0, "jaw_l": 397, "jaw_r": 172, "mouth": 13,
}  # fmt: skip
"""Mediapipe's points that paint is placed by."""
BLOOD = np.array([-0.05, -0.30, -0.24])
"""Logarithm that a full flush adds to the albedo."""
HAIR = np.array(
    [
        [0.010, 0.008, 0.007], [0.028, 0.017, 0.012], [0.065, 0.038, 0.022], [0.13, 0.075, 0.040], [0.30, 0.20, 0.10],
        [0.48, 0.37, 0.22], [0.20, 0.065, 0.025], [0.30, 0.30, 0.29], [0.55, 0.54, 0.51],
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Paint:
    """Of every pixel of a view; [P, ...] torch."""

    albedo: Tensor
    """3, linear."""
    specular: Tensor
    """1, C_spec."""
    exponent: Tensor
    """1, Blinn-Phong."""
    normal: Tensor
    """3, with pores, wrinkles, strands and folds."""
    skin: Tensor
    """1, bare skin of head and neck."""
    face: Tensor
    """1, what is told to be skin of the face: without brows, eyes, lips, ears, neck and beard."""
    hair: Tensor
    """1."""
    neck: Tensor
    """1, neck, ears and bare shoulders."""
    cloth: Tensor
    """1."""


class _Draws:
    """Random numbers on a device."""

    def __init__(self, rng: np.random.Generator, device: torch.device | str):
        self.rng, self.device = rng, device

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def tensor(self, values: ArrayLike) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(self.device)

    def waves(self, place: Tensor, length: float, count: int = 12) -> tuple[Tensor, Tensor]:
        """Smooth noise over places [P, 3]: values [P, 1] of deviation 1, and their gradient [P, 3] times the length."""
        turn = self.rng.normal(size=(3, count)) * (2 * np.pi / np.sqrt(3)) * self.rng.uniform(0.6, 1.4, count)
        k, phase = self.tensor(turn), self.tensor(self.rng.uniform(0, 2 * np.pi, count))
        angle = (place / length) @ k + phase
        scale = (2 / count) ** 0.5
        return scale * angle.sin().sum(1, keepdim=True), scale * (angle.cos() @ k.T)

    def noise(self, place: Tensor, length: float, count: int = 12) -> Tensor:
        return self.waves(place, length, count)[0]


class Painter:
    """Paints views of one head model's heads."""

    def __init__(self, head: HeadModel):
        """``head``: whose landmarks say where cheeks and chin are."""
        points = head.at_landmarks(head.template)
        self.points = {name: points[index] for name, index in POINTS.items()}
        self.eyes = {name: head.joints[name] for name in ("eye_l", "eye_r")}

    def paint(self, view: HeadView, rng: np.random.Generator, device: torch.device | str) -> Paint:
        """Draw a person's paint.

        Args:
            view: the pixels to paint.
            rng: where the person comes from.
            device: where to work.
        """
        draw = _Draws(rng, device)
        place = draw.tensor(view.place)
        parts, marks = draw.tensor(view.parts), draw.tensor(view.marks)
        mark = {name: marks[:, k : k + 1] for k, name in enumerate(MARKS)}
        shares = parts.split(1, 1)
        eyes, inner = mark["eye_l"] + mark["eye_r"], mark["mouth_interior"]
        normal = draw.tensor(view.normal)
        dark = draw.rng.random() ** 0.9
        tone, gloss = self._skin(draw, place, mark, dark)
        hue = self._hair_colour(draw, dark)
        covered = self._clothed(draw, place, shares[3])
        cloth, bump_cloth = self._cloth(draw, place)
        albedo, face = self._face(draw, place, mark, tone, hue)
        lips = mark["lips"].clamp(0, 1)
        gloss = gloss * (1 + draw.between(0, 1.2) * lips)
        albedo = albedo + inner * (draw.tensor([0.12, 0.035, 0.03]) * draw.between(0.5, 1.2) - albedo)
        teeth = inner * self._teeth(draw, place, inner)
        albedo = albedo + teeth * (draw.tensor([0.60, 0.54, 0.44]) * draw.between(0.7, 1.15) - albedo)
        white = self._eyes(draw, place, mark)
        albedo = albedo + eyes * (white - albedo)
        gloss = gloss + eyes * (0.09 - gloss) + inner * (0.05 - gloss)
        bump = self._pores(draw, place)
        exponent = torch.full_like(gloss, draw.between(9, 40))
        exponent = exponent + eyes * (160 - exponent) + inner * (60 - exponent)

        strands, bump_hair = self._strands(draw, place, hue)
        hair = (shares[1] + shares[2]).clamp(0, 1)
        for share, colour, shine, sharp, change in (
            (hair, strands, draw.between(0.010, 0.05), draw.between(10, 40), bump_hair),
            (covered, cloth, draw.between(0.002, 0.02) * (1 + 3 * draw.chance(0.1)), draw.between(5, 15), bump_cloth),
        ):
            albedo = albedo + share * (colour - albedo)
            gloss = gloss + share * (shine - gloss)
            exponent = exponent + share * (sharp - exponent)
            bump = bump + share * (change - bump)
        bump = bump * (1 - eyes) * (1 - inner)
        bump = bump - (bump * normal).sum(1, keepdim=True) * normal
        skin = (1 - hair) * (1 - covered) * (1 - eyes) * (1 - inner)
        face = face * skin * (1 - shares[3])
        return Paint(
            albedo.clamp(0.004, 0.92), gloss.clamp(5e-4, 0.97 * SPECULAR_MOST), exponent,
            F.normalize(normal + bump, dim=1), skin, face, hair,
            (mark["ears"] + mark["neck"] + shares[3]).clamp(0, 1) * skin, covered,
        )

    def _near(self, draw: _Draws, place: Tensor, name: str, radius: float) -> Tensor:
        """[P, 1] 1 at a landmark, falling off with the distance."""
        away = (place - draw.tensor(self.points[name])).square().sum(1, keepdim=True)
        return torch.exp(-0.5 * away / radius**2)

    def _skin(self, draw: _Draws, place: Tensor, mark: dict[str, Tensor], dark: float) -> tuple[Tensor, Tensor]:
        """Bare skin [P, 3] and its specular weight [P, 1]; ``dark`` from 0 to 1."""
        pick = dark * (len(SKIN_LOCUS) - 1)
        steps = np.arange(len(SKIN_LOCUS))
        colour = np.array([np.interp(pick, steps, np.log(SKIN_LOCUS[:, c])) for c in range(3)])
        colour = colour + draw.rng.normal(0, 0.08) + draw.rng.normal(0, [0.03, 0.015, 0.05])
        blood = 0.22 * draw.noise(place, 0.06) + 0.12 * draw.noise(place, 0.02)
        for name, radius, least, most in (
            ("cheek_l", 0.022, -0.1, 1.0), ("cheek_r", 0.022, -0.1, 1.0), ("nose", 0.012, 0, 1.2),
            ("chin", 0.018, -0.2, 0.7), ("forehead", 0.03, -0.5, 0.3),
        ):  # fmt: skip
            blood = blood + draw.between(least, most) * self._near(draw, place, name, radius)
        blood = blood + draw.between(0, 0.8) * mark["ears"]
        melanin = 0.10 * draw.noise(place, 0.08) + 0.05 * draw.noise(place, 0.025) + 0.03 * draw.noise(place, 0.008)
        for name in ("bag_l", "bag_r", "lid_l", "lid_r"):
            melanin = melanin - draw.between(0, 0.5) * self._near(draw, place, name, 0.010)
        melanin = melanin + draw.between(-0.25, 0.1) * self._near(draw, place, "forehead", 0.04)
        brown = draw.tensor([0.75, 1.0, 1.25])
        flush = draw.between(0.3, 1.1) * (1 - 0.6 * dark)
        spots = (draw.noise(place, 0.006, 24) - draw.between(1.4, 3.0)).clamp(0, 0.5)
        melanin = melanin - draw.between(0, 1.2) * spots * torch.exp(-((place[:, 1:2] + 0.03) / 0.05).square())
        marks = (draw.noise(place, 0.012, 24) - draw.between(2.0, 3.2)).clamp(0, 0.6)
        blood = blood + 2.0 * marks * draw.chance(0.4)
        melanin = melanin - 2.5 * (draw.noise(place, 0.016, 24) - 2.6).clamp(0, 0.5) * draw.chance(0.3)
        tone = torch.exp(draw.tensor(colour) + 0.55 * melanin * brown + flush * blood * draw.tensor(BLOOD))
        oily = 1 + 0.6 * self._near(draw, place, "forehead", 0.03) + 0.9 * self._near(draw, place, "nose", 0.012)
        oily = oily + 0.12 * draw.noise(place, 0.03)
        gloss = SPECULAR_START * draw.between(0.5, 1.7) * oily.clamp(0.3, 3)
        return tone, gloss

    def _face(
        self, draw: _Draws, place: Tensor, mark: dict[str, Tensor], tone: Tensor, hue: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Skin with lips, brows, lids and beard [P, 3], and what still counts as the face's skin [P, 1]."""
        lips = mark["lips"].clamp(0, 1)
        natural = tone * torch.exp(draw.tensor(BLOOD) * draw.between(0.6, 2.6)) * draw.between(0.75, 1.05)
        painted = draw.tensor(np.array([draw.between(0.2, 0.5), draw.between(0.01, 0.12), draw.between(0.02, 0.12)]))
        red = natural + draw.chance(0.25) * draw.between(0.5, 1) * (painted - natural)
        albedo = tone + lips * (red - tone)
        for name in ("lid_l", "lid_r"):
            shadow = draw.chance(0.25) * draw.between(0.2, 0.7) * self._near(draw, place, name, 0.008)
            albedo = albedo * (1 - shadow * draw.tensor([0.6, 0.7, 0.7]))
        brow = (mark["brows"] * draw.between(0.7, 1.8)).clamp(0, 1) * draw.between(0.45, 0.95)
        brow = brow * (0.85 + 0.25 * draw.noise(place, 0.004)).clamp(0.3, 1)
        albedo = albedo + brow * (hue * draw.between(0.5, 1.0) - albedo)
        beard = self._beard(draw, place) * (1 - lips) * (1 - mark["ears"])
        kind = draw.rng.random()
        much = 0.0 if kind < 0.6 else draw.between(0.1, 0.5) if kind < 0.85 else draw.between(0.6, 0.95)
        beard = (beard * much * (1 + 0.35 * draw.noise(place, 0.004))).clamp(0, 1)
        albedo = albedo * (1 - beard) + beard * hue * draw.between(0.7, 1.3)
        other = mark["ears"] + mark["neck"] + lips + (brow > 0.3) + mark["scalp"]
        return albedo, (1 - other).clamp(0, 1) * (1 - 1.6 * beard).clamp(0, 1)

    def _beard(self, draw: _Draws, place: Tensor) -> Tensor:
        chin, lip, nose = (self.points[name] for name in ("chin", "lip", "nose"))
        mouth = self.points["mouth"]
        y = place[:, 1:2]
        low = torch.sigmoid((mouth[1] - 0.012 - y - 0.6 * (place[:, :1].abs() - 0.045).clamp(-0.03, 0.03)) / 0.004)
        front = torch.sigmoid((place[:, 2:] + 0.075) / 0.008) * torch.sigmoid((y - chin[1] + 0.02) / 0.006)
        over = torch.exp(-0.5 * ((y - 0.5 * (lip[1] + nose[1]) + 0.006) / 0.005).square())
        over = over * torch.exp(-0.5 * (place[:, :1] / 0.02) ** 2 * (1 + 0 * y)) * (place[:, 2:] > 0)
        return torch.maximum(low * front, over * draw.between(0, 1))

    def _eyes(self, draw: _Draws, place: Tensor, mark: dict[str, Tensor]) -> Tensor:
        """[P, 3] sclera, iris and pupil."""
        iris = draw.tensor(np.exp(draw.rng.normal(np.log([0.09, 0.07, 0.05]), [0.7, 0.7, 0.9])))
        white = draw.tensor([0.58, 0.52, 0.49]) * draw.between(0.75, 1.15)
        gaze = np.array([*draw.rng.normal(0, 0.2, 2), 1.0])
        toward = draw.tensor(gaze / np.linalg.norm(gaze))
        found = white.expand(len(place), 3)
        for name in ("eye_l", "eye_r"):
            away = F.normalize(place - draw.tensor(self.eyes[name]), dim=1)
            angle = (away @ toward)[:, None].clamp(-1, 1).acos()
            round_ = torch.sigmoid((0.50 - angle) / 0.05)
            pupil = torch.sigmoid((draw.between(0.16, 0.26) - angle) / 0.05)
            colour = white + round_ * (iris - white) + pupil * (0.012 - white - round_ * (iris - white))
            found = torch.where(mark[name] > 0.01, colour, found)
        return found

    def _teeth(self, draw: _Draws, place: Tensor, inner: Tensor) -> Tensor:
        """[P, 1] where the mouth's inside shows teeth."""
        some = inner[:, 0] > 0.5
        if not draw.chance(0.75) or int(some.sum()) < 6:
            return torch.zeros_like(inner)
        height = place[some, 1].quantile(draw.between(0.35, 0.7))
        return torch.sigmoid((place[:, 1:2] - height) / 0.0015)

    def _hair_colour(self, draw: _Draws, dark: float) -> Tensor:
        if draw.chance(0.04):
            return draw.tensor(draw.rng.uniform(0.02, 0.5, 3))
        kinds = 3 if draw.chance(0.35 + 0.6 * dark) else len(HAIR)
        colour = HAIR[draw.rng.integers(kinds)] * np.exp(draw.rng.normal(0, 0.25))
        return draw.tensor(colour * np.exp(draw.rng.normal(0, 0.05, 3)))

    def _strands(self, draw: _Draws, place: Tensor, hue: Tensor) -> tuple[Tensor, Tensor]:
        """Hair [P, 3] and how its strands bend the normal [P, 3]."""
        around = torch.atan2(place[:, :1], -(place[:, 2:] + 0.08))
        along = torch.cat([0.09 * around.sin(), place[:, 1:2] * draw.between(0.05, 0.4), 0.09 * around.cos()], 1)
        fine, slope = draw.waves(along, draw.between(0.003, 0.007), 16)
        broad = draw.noise(along, 0.02)
        depth = draw.between(0.08, 0.32)
        colour = hue * torch.exp(depth * fine + 0.5 * depth * broad + 0.1 * draw.noise(place, 0.08))
        root = torch.exp(-draw.chance(0.2) * draw.between(0, 1.2) * ((place[:, 1:2] - 0.05) / 0.04).clamp(0, 1))
        return colour * root, draw.between(0.01, 0.035) * slope

    def _clothed(self, draw: _Draws, place: Tensor, torso: Tensor) -> Tensor:
        """[P, 1] where the shoulders wear something."""
        top = float(np.quantile(place[torso[:, 0] > 0.5, 1].cpu().numpy(), 0.98)) if bool((torso > 0.5).any()) else 0.0
        line = top - draw.between(-0.01, 0.05)
        deep = draw.between(0, 0.10) * draw.chance(0.6)
        front = torch.sigmoid((place[:, 2:] + 0.09) / 0.01)
        line = line - deep * front * (1 - place[:, :1].abs() / draw.between(0.04, 0.10)).clamp(0, 1)
        return torso * torch.sigmoid((line - place[:, 1:2]) / 0.0015)

    def _cloth(self, draw: _Draws, place: Tensor) -> tuple[Tensor, Tensor]:
        """Cloth [P, 3] and its folds [P, 3]."""
        def dye() -> Tensor:
            level = np.exp(draw.between(np.log(0.012), np.log(0.8)))
            hue = draw.rng.normal(0, 0.05 + 0.6 * draw.chance(0.5), 3)
            return draw.tensor(np.clip(level * np.exp(hue), 0.008, 0.85))

        colour = dye().expand(len(place), 3)
        other, kind = dye(), draw.rng.random()
        wave = draw.between(0.006, 0.03)
        if kind < 0.15:
            axis = draw.rng.integers(2)
            beat = (place[:, axis : axis + 1] * (2 * np.pi / wave)).sin()
            stripe = torch.sigmoid((beat - draw.between(-0.6, 0.6)) / 0.2)
            colour = colour + stripe * (other - colour)
        elif kind < 0.3:
            blot = torch.sigmoid((draw.noise(place, 2 * wave) - draw.between(0, 1)) / 0.15)
            colour = colour + blot * (other - colour)
        elif kind < 0.4:  # a jacket over a shirt
            open_ = torch.sigmoid((0.05 + 0.4 * (place[:, 1:2] + 0.17) - place[:, :1].abs()) / 0.002)
            colour = colour + open_ * (other - colour)
        colour = colour * torch.exp(0.06 * draw.noise(place, 0.005))
        stretched = place * draw.tensor(np.exp(draw.rng.normal(0, 0.5, 3)))
        bump = draw.between(0, 0.05) * draw.waves(stretched, 0.05)[1]
        return colour, bump + draw.between(0, 0.008) * draw.waves(place, 0.006)[1]

    def _pores(self, draw: _Draws, place: Tensor) -> Tensor:
        """[P, 3] what pores and wrinkles do to the normal."""
        bump = draw.between(0.001, 0.006) * draw.waves(place, draw.between(0.003, 0.006))[1]
        bump = bump + draw.between(0.0, 0.014) * draw.waves(place, 0.02)[1]
        lines = place * draw.tensor([0.15, 1.0, 0.3])
        creases = draw.waves(lines, 0.007, 6)[1] * draw.tensor([0.15, 1.0, 0.3])
        return bump + draw.chance(0.4) * draw.between(0, 0.06) * creases * self._near(draw, place, "forehead", 0.03)
