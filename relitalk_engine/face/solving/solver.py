"""The steps of the whole-clip fit: Adam on all frames, and on a few with their pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...config import FitConfig
from ...events import Reporter
from ..head_model import HeadModel
from .photometric import Pictures
from .terms import LEAST_DOUBT, Evidence, Habits
from .unknowns import PointModel, Unknowns, placed

RATES = {"turn": 0.01, "move": 0.004, "psi": 0.03, "beta": 0.05, "soft": 0.03, "zoom": 0.01, "relief": 0.01}
"""Learning rates of the unknowns, all frames."""
PICTURE_RATES = {"turn": 0.001, "move": 0.0003, "psi": 0.01, "beta": 0.02, "soft": 0.02}
"""Likewise, with pictures."""
LIGHT_RATE, ALBEDO_RATE = 0.01, 0.02
SHAPE = ("beta", "soft")
STAY = {"psi": (0.1, 0.3), "turn": (0.02, 1.0), "move": (0.003, 1.0)}
"""How far (standard deviation) and how surely (weight) pose and expression stay while the pictures shape the head."""
FIRST_DOUBT = 0.09
"""Error over the eyes' distance up to which no frame is doubted before anything is fitted."""
OUTLINE_STEPS = 30
"""Steps after which the silhouette is looked for anew."""
LOOKS = 3
"""Times that hidden vertices are looked for."""


class Solver:
    """Fits one head in several steps, and says how far it is.

    Args:
        head: the head model.
        fields: [V, J] personal fields.
        config: weights.
        reporter: hears the progress and may cancel.
        total: steps in all.
        fps: frames per second of the clip.
        fixed: actions that stay zero.
        device: torch device.
    """

    def __init__(
        self,
        head: HeadModel,
        fields: np.ndarray,
        config: FitConfig,
        reporter: Reporter,
        total: int,
        fps: float,
        fixed: list[int],
        device: str,
    ) -> None:
        self.landmarks = PointModel(head, fields, head.at_landmarks, device)
        self.habits = Habits(head, config, fps)
        self.config, self.reporter, self.total, self.fixed = config, reporter, total, fixed
        self.done = 0

    def _tracked_cost(self, u: Unknowns, evidence: Evidence, step: int) -> Any:
        if evidence.outline is not None and step % OUTLINE_STEPS == 0:
            evidence.outline.look(u)
        return evidence.cost(placed(self.landmarks.at(u), u), u)

    def all_frames(self, u: Unknowns, evidence: Evidence, steps: int, shape: bool) -> np.ndarray:
        """Fit all frames to what was tracked; at the start and half-way, frames that no pose explains are doubted.

        Args:
            u: where it starts; changed.
            evidence: what was tracked; leaves out doubted frames afterwards.
            steps: of Adam.
            shape: fit shape and camera too.

        Returns:
            [T] bool, the doubted frames.
        """
        rates = {k: v for k, v in RATES.items() if shape or k not in (*SHAPE, "zoom")}
        if self.config.focal:
            rates.pop("zoom", None)
        bad = np.zeros(len(u.psi), bool)
        first = u.turn.detach().clone(), u.move.detach().clone()

        def cost(step: int) -> Any:
            if step in (0, steps // 2):
                points = placed(self.landmarks.at(u), u)
                bad[:] = evidence.doubt(points, u, FIRST_DOUBT if step == 0 else LEAST_DOUBT)
                if bad.any():  # smoothness has drawn the neighbours along
                    u.turn.data.copy_(first[0])
                    u.move.data.copy_(first[1])
                    _bridge(u, bad)
            habits = self.habits.action_cost(u.psi) + self.habits.shape_cost(u) + self.habits.motion_cost(u)
            return self._tracked_cost(u, evidence, step) + habits

        self._descend(u, [(getattr(u, name), rate) for name, rate in rates.items()], steps, cost)
        return bad

    def pictures(self, u: Unknowns, evidence: Evidence, pictures: Pictures, which: np.ndarray, steps: int) -> None:
        """Shape the head by the pictures of some frames.

        Args:
            u: where it starts; its shape is changed.
            evidence: what was tracked in these frames.
            pictures: the frames.
            which: their numbers.
            steps: of Adam.
        """
        few = u.rows(which)
        start = {name: getattr(few, name).clone() for name in STAY}
        pictures.refresh(few)
        unknowns = [(getattr(few, name).requires_grad_(), rate) for name, rate in PICTURE_RATES.items()]
        unknowns += [(pictures.light, LIGHT_RATE), (pictures.albedo, ALBEDO_RATE)]

        def cost(step: int) -> Any:
            if step and step % max(steps // LOOKS, 1) == 0:
                pictures.refresh(few)
            held: Any = 0.0
            for name, (sigma, weight) in STAY.items():
                held = held + weight * (((getattr(few, name) - start[name]) / sigma) ** 2).sum(1).mean()
            habits = self.habits.action_cost(few.psi) + self.habits.shape_cost(few)
            seen = self.config.photometric * pictures.cost(few)
            return self._tracked_cost(few, evidence, step) + seen + habits + held

        self._descend(few, unknowns, steps, cost)
        for name in SHAPE:
            getattr(u, name).data.copy_(getattr(few, name).detach())

    def _descend(
        self, u: Unknowns, unknowns: list[tuple[Any, float]], steps: int, cost: Callable[[int], Any]
    ) -> None:
        import torch

        optimizer = torch.optim.Adam([{"params": [x], "lr": rate} for x, rate in unknowns], betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, [rate for _, rate in unknowns], total_steps=max(steps, 2), pct_start=0.15, final_div_factor=50
        )
        for step in range(steps):
            self.reporter.progress("fit", self.done, self.total)
            optimizer.zero_grad()
            cost(step).backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                u.psi.clamp_(0, 1)
                u.psi[:, self.fixed] = 0
            self.done += 1


def _bridge(u: Unknowns, bad: np.ndarray) -> None:
    """Put pose and expression of some frames between those of their neighbours."""
    import torch

    good = np.flatnonzero(~bad)
    if not len(good):
        return
    for value in (u.turn, u.move, u.psi):
        known = value.detach().cpu().numpy()
        between = np.stack([np.interp(np.flatnonzero(bad), good, column[good]) for column in known.T], -1)
        value.data[torch.tensor(bad)] = torch.tensor(between, dtype=value.dtype, device=value.device)


def start(
    head: HeadModel, poses: tuple[np.ndarray, np.ndarray], beta: np.ndarray, fields: int, device: str
) -> Unknowns:
    """The unknowns before the fit: poses as given, no expression.

    Args:
        head: the head model.
        poses: axis-angle [T, 3] and translation [T, 3].
        beta: [S].
        fields: number of personal fields.
        device: torch device.
    """
    import torch

    def unknown(value: np.ndarray) -> Any:
        return torch.tensor(np.asarray(value), dtype=torch.float32, device=device).requires_grad_()

    turn, move = poses
    psi = np.zeros((len(turn), len(head.expression_names)))
    return Unknowns(*(unknown(x) for x in (beta, np.zeros((fields, 3)), psi, turn, move, np.zeros(()), np.zeros(()))))
