"""A person who never was, to be rendered: shape, skin, hair and shirt drawn by chance, as meshes and strands. Numpy.

Everything is in the head frame (x right, y up, z out of the face, metres), at rest; `Sitter.pose` moves it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.head_model import HeadModel
from .hair import Strands, grow

MELANIN = np.array([0.75, 1.0, 1.25])
"""How much more melanin takes of red, green and blue."""
BLOOD = np.array([0.18, 0.95, 0.75])
"""Likewise blood."""
BARE = np.array([0.86, 0.75, 0.62])
"""Skin without either."""
EYE_RADIUS = 0.0148
TEETH = 12
"""To a row."""
COLLAR = (
    (0.056, 0.050, -0.176), (0.060, 0.054, -0.168), (0.064, 0.058, -0.170), (0.080, 0.070, -0.184),
    (0.112, 0.086, -0.200), (0.150, 0.102, -0.220), (0.182, 0.114, -0.248), (0.200, 0.122, -0.292),
    (0.210, 0.128, -0.350), (0.214, 0.132, -0.480),
)  # fmt: skip
"""The shirt from the collar's inside outward: half width, half depth, height."""
AROUND = 64


@dataclass(frozen=True)
class Looks:
    """What is drawn of a person.

    Attributes:
        beta: [S] shape.
        melanin: of the skin, 0 (hardly any) to 2.
        blood: of the skin, about 0.3.
        freckles: 0..1.
        stubble: 0..1.
        iris: [3] linear colour.
        hair: "short", "curly", "long" or "crop".
        hair_melanin: of the hair, 0..1, and how red it is, 0..1.
        shirt: [3] linear colour.
    """

    beta: np.ndarray
    melanin: float
    blood: float
    freckles: float
    stubble: float
    iris: np.ndarray
    hair: str
    hair_melanin: tuple[float, float]
    shirt: np.ndarray

    @classmethod
    def draw(cls, head: HeadModel, tone: float, hair: str, rng: np.random.Generator) -> Looks:
        """One person.

        Args:
            head: whose shapes are meant.
            tone: 0 light to 1 dark skin.
            hair: as above.
            rng: who decides the rest.
        """
        beta = np.clip(rng.normal(0.0, 0.8, len(head.shape_basis)), -1.6, 1.6).astype(np.float32)
        dark = np.array([0.035, 0.018, 0.009])
        light = (np.array([0.10, 0.17, 0.28]), np.array([0.10, 0.13, 0.07]), np.array([0.14, 0.08, 0.04]))
        iris = dark if tone > 0.4 else light[rng.integers(3)]
        shirts = ((0.05, 0.12, 0.09), (0.32, 0.31, 0.29), (0.28, 0.05, 0.04), (0.06, 0.08, 0.20), (0.40, 0.28, 0.08))
        melanin = 0.08 + 2.0 * tone + rng.uniform(-0.03, 0.03)
        freckles = float(rng.uniform(0.4, 1.0)) if tone < 0.3 else 0.15
        stubble = 0.0 if hair == "long" else float(rng.uniform(0.4, 1.0))
        locks = (float(0.92 if tone > 0.4 else rng.uniform(0.35, 0.8)), float(rng.uniform(0.1, 0.6)))
        shirt = np.array(shirts[rng.integers(len(shirts))])
        return cls(beta, melanin, rng.uniform(0.22, 0.36), freckles, stubble, iris, hair, locks, shirt)


def skin_colour(melanin: np.ndarray, blood: np.ndarray) -> np.ndarray:
    """Linear albedo [..., 3] of skin with so much melanin and blood [...]: light is absorbed by both."""
    return BARE * np.exp(-melanin[..., None] * MELANIN - blood[..., None] * BLOOD)


@dataclass(frozen=True)
class Mesh:
    """A surface.

    Attributes:
        vertices: [V, 3].
        faces: [F, 3] or [F, 4].
        values: what its material reads, name to [V] or [V, 3].
    """

    vertices: np.ndarray
    faces: np.ndarray
    values: dict[str, np.ndarray]


def eyeball() -> Mesh:
    """An eye about its centre that looks along +z, with its cornea."""
    around, down = 32, 40
    theta = np.pi * (np.arange(down + 1) / down) ** 1.3
    phi = np.arange(around) * 2 * np.pi / around
    t, p = np.meshgrid(theta, phi, indexing="ij")
    radius = EYE_RADIUS + 0.0016 * np.exp(-((t / 0.36) ** 2))
    points = radius[..., None] * np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1)
    a = (np.arange(down)[:, None] * around + np.arange(around)).ravel()
    b = (np.arange(down)[:, None] * around + (np.arange(around) + 1) % around).ravel()
    faces = np.stack([a, a + around, b + around, b], -1)
    return Mesh(points.reshape(-1, 3), faces, {"angle": t.ravel()})


class Sitter:
    """One person, at rest and in motion.

    Args:
        head: the head model.
        looks: what is particular about the person.
        rng: grows the hair.
    """

    def __init__(self, head: HeadModel, looks: Looks, rng: np.random.Generator) -> None:
        self.head, self.looks = head, looks
        self.rest = head.vertices(looks.beta, np.zeros(len(head.expression_names), np.float32))
        eye_at = {}
        for name in ("eye_l", "eye_r"):
            own = head.regions[name] > 0.5
            eye_at[name] = head.joints[name] + (self.rest - head.template)[own].mean(0)
        self.eyes = eye_at
        moved = (self.rest - head.template).mean(0)
        self.pivot = np.array([0.0, -0.13, -0.07]) + (0.0, moved[1], moved[2])
        self.neck_faces, self.ring = self._neck_ring()
        self.skin = self._skin()
        self.shirt = self._shirt(rng)
        self.eyeball = eyeball()
        self.teeth = [self._teeth(upper) for upper in (True, False)]
        self.strands = grow(head, self.rest, looks.hair, rng)

    # At rest

    def _neck_ring(self) -> tuple[np.ndarray, np.ndarray]:
        """Faces of the skin (without the eyeballs) and the neck's open edge, as vertices in order."""
        head = self.head
        eye = (head.regions["eye_l"] > 0.5) | (head.regions["eye_r"] > 0.5)
        faces = head.faces[~eye[head.faces].all(1)]
        edges = np.concatenate([head.faces[:, [0, 1]], head.faces[:, [1, 2]], head.faces[:, [2, 0]]]).tolist()
        known = {(a, b) for a, b in edges}
        after = {a: b for a, b in known if (b, a) not in known}
        ring = [min(after, key=lambda vertex: head.template[vertex, 1])]
        while after[ring[-1]] != ring[0]:
            ring.append(after[ring[-1]])
        return faces, np.array(ring)

    def _skin(self) -> Mesh:
        """Head and neck, down into the shirt."""
        ring = self.rest[self.ring]
        middle = ring.mean(0)
        around = np.arctan2(ring[:, 2] - middle[2], ring[:, 0] - middle[0])
        rows = [self.rest]
        for share, drop, wide in ((0.35, 0.012, 0.0), (0.75, 0.028, 0.001), (1.0, 0.045, 0.006), (1.0, 0.07, 0.010)):
            round_off = middle + np.stack([0.058 * np.cos(around), 0 * around, 0.054 * np.sin(around)], -1)
            there = (1 - share) * ring + share * round_off
            outward = (there - middle) * (1, 0, 1)
            outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
            there = there + wide * outward
            there[:, 1] = ring[:, 1] * (1 - share) + middle[1] * share - drop
            rows.append(there)
        count, start = len(self.ring), len(self.rest)
        bands = []
        upper = self.ring
        for row in range(4):
            lower = start + row * count + np.arange(count)
            a, b = upper, np.roll(upper, -1)
            c, d = np.roll(lower, -1), lower
            bands += [np.stack([b, a, d], -1), np.stack([b, d, c], -1)]
            upper = lower
        vertices = np.concatenate(rows)
        tone, gloss, stubble = self._tone(vertices)
        values = {"rest": vertices, "tone": tone, "gloss": gloss, "stubble": stubble}
        return Mesh(vertices, np.concatenate([self.neck_faces, *bands]), values)

    def _tone(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Albedo [V, 3], roughness [V] and stubble [V]."""
        head, looks = self.head, self.looks
        extra = len(vertices) - len(self.rest)
        region = {k: np.concatenate([v, np.zeros(extra, np.float32)]) for k, v in head.regions.items()}
        at = {k: self._landmark(k) for k in (1, 50, 280, 152, 13, 10, 33, 263, 0, 17, 61, 291)}

        def near(point: np.ndarray, size: tuple[float, float, float]) -> np.ndarray:
            return np.exp(-0.5 * (((vertices - point) / size) ** 2).sum(-1))

        cheeks = near(at[50], (0.018, 0.016, 0.03)) + near(at[280], (0.018, 0.016, 0.03))
        nose = near(at[1], (0.013, 0.012, 0.015))
        chin = near(at[152], (0.02, 0.015, 0.03))
        under = sum(near(self.eyes[e] + (0, -0.016, 0.012), (0.013, 0.005, 0.02)) for e in self.eyes)
        flush = 0.9 * cheeks + 1.0 * nose + 0.35 * chin + 0.9 * region["ears"] + 0.15 * region["neck"]
        blood = looks.blood * (1 + flush)
        melanin = looks.melanin * (1 + 0.10 * under + 0.08 * near(at[10], (0.05, 0.02, 0.04))) + 0.06 * under
        lips = np.clip(region["lips"], 0, 1)
        blood = blood * (1 - lips) + lips * (looks.blood + 0.55)
        melanin = melanin * (1 - 0.25 * lips)
        colour = skin_colour(melanin, blood)
        inside = np.clip(region["mouth_interior"], 0, 1)[:, None]
        colour = colour * (1 - inside) + inside * np.array([0.34, 0.10, 0.09])
        deep = np.clip((self._landmark(13)[2] - 0.016 - vertices[:, 2]) / 0.03, 0, 1)[:, None] * inside
        colour = colour * (1 - 0.75 * deep)
        scalp = np.clip(region["scalp"] * 1.4 - 0.2, 0, 1)[:, None]
        colour = colour * (1 - 0.6 * scalp)
        gloss = 0.46 - 0.10 * nose - 0.06 * near(at[10], (0.04, 0.03, 0.04)) - 0.12 * lips - 0.25 * inside[:, 0]
        jaw = (vertices[:, 1] < at[0][1] + 0.012) & (vertices[:, 1] > at[152][1] - 0.03)
        width = abs(at[33][0] - at[263][0])
        beard = near((at[17] + at[152]) / 2 + (0, 0, -0.01), (0.5 * width, 0.028, 0.06)) * jaw
        beard = np.clip(1.6 * beard - 0.15, 0, 1) * (1 - lips) * (1 - inside[:, 0]) * (1 - region["ears"])
        return colour.astype(np.float32), gloss.astype(np.float32), (looks.stubble * beard).astype(np.float32)

    def _landmark(self, index: int) -> np.ndarray:
        corners = self.rest[self.head.faces[self.head.landmark_triangle[index]]]
        return self.head.landmark_bary[index] @ corners

    def _shirt(self, rng: np.random.Generator) -> Mesh:
        angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
        base = self.rest[self.ring].mean(0)
        phase = rng.uniform(0, 2 * np.pi, 6)
        rows = []
        for row, (wide, deep, height) in enumerate(COLLAR):
            square = 1.0 + 0.10 * min(row / 6, 1) * np.abs(np.sin(2 * angle)) ** 2
            x, z = wide * np.cos(angle) * square, deep * np.sin(angle) * square
            front = np.sin(angle)
            y = height - 0.018 * front - 0.05 * max(row - 3, 0) / 6 * np.abs(front)
            fold = sum(np.sin(k * angle + phase[i] + row * 0.9) / k for i, k in enumerate((3, 5, 8, 13)))
            rows.append(np.stack([x, y + 0.0035 * fold * (row > 3), z + 0.004 * fold * (row > 3) * front], -1))
        vertices = np.concatenate(rows) + base * (0, 0, 1) + (0, base[1] + 0.1497, 0.002)
        faces = []
        for row in range(len(COLLAR) - 1):
            a = row * AROUND + np.arange(AROUND)
            b = row * AROUND + np.roll(np.arange(AROUND), -1)
            faces.append(np.stack([a, b, b + AROUND, a + AROUND], -1)[:, ::-1])
        return Mesh(vertices, np.concatenate(faces), {"rest": vertices})

    def _teeth(self, upper: bool) -> Mesh:
        """A row of teeth in its gum."""
        lip = self._landmark(13 if upper else 14)
        half = 0.5 * abs(self._landmark(78)[0] - self._landmark(308)[0])
        sign = 1.0 if upper else -1.0
        front = lip[2] - (0.0085 if upper else 0.0105)
        vertices: list[np.ndarray] = []
        faces, gums = [], []
        u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 12, endpoint=False), np.linspace(0.02, np.pi - 0.02, 9))
        ball = np.stack([np.sin(v) * np.cos(u), np.cos(v), np.sin(v) * np.sin(u)], -1).reshape(-1, 3)
        ball = np.sign(ball) * np.abs(ball) ** 0.55
        quads = np.array([[r * 12 + c, r * 12 + (c + 1) % 12, (r + 1) * 12 + (c + 1) % 12, (r + 1) * 12 + c]
                          for r in range(8) for c in range(12)])  # fmt: skip
        for tooth in range(TEETH):
            side = (tooth - (TEETH - 1) / 2) / (TEETH / 2)
            turn = 1.25 * side
            place = np.array([1.05 * half * np.sin(turn), 0.0, front - 1.2 * half * (1 - np.cos(turn))])
            wide = half * (0.155 if abs(side) < 0.2 else 0.125) * (0.85 if not upper else 1.0)
            tall = 0.0052 - 0.0008 * abs(side)
            c, s = np.cos(turn), np.sin(turn)
            one = ball * (wide, tall, 0.0026)
            one = one @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T + place
            one[:, 1] += lip[1] + sign * (tall - 0.0012)
            faces.append(quads + sum(len(part) for part in vertices))
            vertices.append(one)
            gums.append(np.zeros(len(one)))
        along = np.linspace(-1.35, 1.35, 25)
        tube = [np.stack([1.05 * half * np.sin(along), 0 * along + lip[1] + sign * (0.0085 + 0.0045 * np.sin(t)),
                          front - 0.0008 - 1.2 * half * (1 - np.cos(along)) + 0.0035 * np.cos(t)], -1)
                for t in np.linspace(0, 2 * np.pi, 8, endpoint=False)]  # fmt: skip
        start = sum(len(part) for part in vertices)
        ring = np.array([[start + r * 25 + k, start + r * 25 + k + 1, start + (r + 1) % 8 * 25 + k + 1,
                          start + (r + 1) % 8 * 25 + k] for r in range(8) for k in range(24)])  # fmt: skip
        faces.append(ring)
        vertices += tube
        gums.append(np.ones(8 * 25))
        points = np.concatenate(vertices)
        return Mesh(points, np.concatenate(faces), {"gum": np.concatenate(gums), "rest": points})

    # In motion

    def hold(self, points: np.ndarray, rotation: np.ndarray, hair: bool = False) -> np.ndarray:
        """Turn points [N, 3] with the head; the neck follows by parts, its foot not at all."""
        foot = self.rest[self.ring].mean(0)[1] - 0.035
        share = np.clip((points[:, 1] - foot) / (0.055 if not hair else 0.08), 0.0, 1.0)
        chin = np.clip((points[:, 2] - self._landmark(152)[2] + 0.055) / 0.02, 0.0, 1.0)
        chin *= np.clip((points[:, 1] - foot - 0.035) / 0.02, 0.0, 1.0)
        share = np.maximum(share * share * (3 - 2 * share), 0.0 if hair else chin)[:, None]
        turned = (points - self.pivot) @ rotation.T + self.pivot
        return points + share * (turned - points)

    def deformed(self, psi: np.ndarray) -> np.ndarray:
        """[V, 3] the head's vertices with actions psi [E], before it turns."""
        return self.head.vertices(self.looks.beta, psi)

    def jaw(self, psi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lower jaw's rotation [3, 3] and shift [3] with actions psi, from the chin's skin."""
        head = self.head
        only = np.zeros_like(psi)
        rows = head.index("jawOpen", "jawForward", "jawLeft", "jawRight")
        only[rows] = psi[rows]
        chin = (self.rest[:, 1] < self._landmark(17)[1] - 0.012) & (self.rest[:, 2] > self._landmark(152)[2] - 0.02)
        chin &= (self.rest[:, 1] > self._landmark(152)[1] - 0.004) & (head.regions["skin"] > 0.5)
        a, b = self.rest[chin], self.deformed(only)[chin]
        left, _, right = np.linalg.svd((b - b.mean(0)).T @ (a - a.mean(0)))
        turn = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
        return turn, b.mean(0) - turn @ a.mean(0)

    def strands_at(self, deformed: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """[K, P, 3] strands as the head moves."""
        s: Strands = self.strands
        shift = ((deformed - self.rest)[self.head.faces[s.face]] * s.bary[..., None]).sum(1)
        return self.hold((s.points + shift[:, None]).reshape(-1, 3), rotation, hair=True).reshape(s.points.shape)
