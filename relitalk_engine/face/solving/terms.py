"""What the whole-clip fit weighs: the tracked points of some frames, and what heads are likely to do."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from ...config import FitConfig
from ..head_model import HeadModel
from ..landmarks import EYELIDS, IRISES, LIPS, OVAL, Track
from .contour import CHEEKS, Outline
from .unknowns import RIGID, Unknowns, View

LIP_PAIRS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318))
LID_PAIRS = ((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373))
LOWER_FACE = 0.02
"""Landmarks up to this far (m) above the nose's base may be hidden with the mouth."""
GAP_SIGMA = 0.005
"""Expected error of the distance of two lips or lids, over that of the outer eye corners."""
RELIEF_SIGMA = 0.045
"""Expected error of the tracker's depth, likewise."""
CONTOUR_SIGMA = 0.03
"""Expected error of the tracked outline, likewise."""
SHARE = 0.15
"""Landmarks are not independent: what one of them counts."""
PRIOR = 0.1
"""What one standard deviation of shape counts against one frame's landmarks."""
DOUBT, LEAST_DOUBT = 2.5, 0.035
"""A frame is doubted whose error is this many times the clip's median, and at least this, over the eyes' distance."""
TURN_BEND, MOVE_BEND, ACTION_BEND, BLINK_BEND = 0.001, 0.0002, 0.05, 0.2
"""Usual second differences from frame to frame at 25 frames a second: radians, metres, actions, and lids that blink."""
BLINK_FREE = 0.2
"""What a blink costs, over what another action costs: lids are well seen."""
NOT_MIRRORED = ("eyeLook", "jawLeft", "mouthLeft")


def soft(error: Any) -> Any:
    """Robust cost of errors in standard deviations: quadratic when small, linear when large (Charbonnier)."""
    return (1 + error * error).sqrt() - 1


def landmark_weights(head: HeadModel, upper_only: bool, contour: bool) -> np.ndarray:
    """[478] trust in each landmark; the outline slides over the surface, lips and lids are what is looked at."""
    weights = np.ones(478, np.float32)
    weights[OVAL] = 0.15
    if contour:
        weights[CHEEKS[1:-1]] = 0
    weights[LIPS] = 3.0
    weights[EYELIDS] = 3.0
    weights[IRISES] = 1.0
    if upper_only:
        points = head.at_landmarks(head.template)
        weights[points[:, 1] < points[2, 1] + LOWER_FACE] = 0  # 2: the nose's base
        weights[LIPS] = 0
        weights[OVAL] = 0
    return weights


class Evidence:
    """What was tracked in some frames, held against the head.

    Args:
        track: landmarks.
        head: the head model.
        fields: [V, J] personal fields.
        view: the camera.
        config: weights of the terms.
        upper_only: nothing below the nose's base is looked at.
        device: torch device.
    """

    def __init__(
        self,
        track: Track,
        head: HeadModel,
        fields: np.ndarray,
        view: View,
        config: FitConfig,
        upper_only: bool,
        device: str,
    ) -> None:
        import torch

        self.view, self.config, self.device = view, config, device
        contour = config.contour > 0 and not upper_only
        weights = landmark_weights(head, upper_only, contour)
        self.target = torch.tensor(track.points, dtype=torch.float32, device=device)
        self.outline = Outline(head, fields, view, self.target) if contour else None
        self.weights = torch.tensor(weights, device=device)
        self.trust = torch.tensor(np.where(track.valid, 1.0, 0.1).astype(np.float32), device=device)
        self._given = self.trust
        self.rigid = torch.tensor([k for k in RIGID if weights[k] > 0], device=device)
        pairs = LID_PAIRS if upper_only else LID_PAIRS + LIP_PAIRS
        self.upper, self.lower = (torch.tensor(side, device=device) for side in zip(*pairs, strict=True))
        self.depth = None
        if config.relief and track.depth is not None:
            depth = torch.tensor(-track.depth[:, :468], device=device) * (view.eyes_m / view.eyes_px)
            self.depth = depth - depth[:, self.rigid].mean(1, keepdim=True)

    def rows(self, frames: np.ndarray) -> Evidence:
        """The same for some of the frames."""
        some = copy(self)
        some.target, some.trust = self.target[frames], self.trust[frames]
        some.depth = None if self.depth is None else self.depth[frames]
        some.outline = None if self.outline is None else self.outline.rows(frames)
        return some

    def cost(self, points: Any, u: Unknowns) -> Any:
        """Mean cost of a frame.

        Args:
            points: [T, 478, 3] landmarks of the head, camera frame.
            u: the unknowns.
        """
        config, view = self.config, self.view
        pixels = view.project(points, u.zoom)
        error = (pixels - self.target) / view.eyes_px
        cost = (self.weights[:, None] * soft(error / config.landmark_sigma)).sum((1, 2)) * SHARE
        gap = error[:, self.upper] - error[:, self.lower]
        cost = cost + soft(gap / GAP_SIGMA).sum((1, 2)) * SHARE
        if self.depth is not None:
            depth = points[:, :468, 2]
            depth = depth - depth[:, self.rigid].mean(1, keepdim=True)
            off = (depth - self.depth * u.relief.exp()) / view.eyes_m
            trust = self.weights[:468].clamp_max(1)
            cost = cost + config.relief * SHARE * (trust * soft(off / RELIEF_SIGMA)).sum(1)
        if self.outline is not None:
            cost = cost + config.contour * SHARE * soft(self.outline.error(u) / CONTOUR_SIGMA).sum(1)
        return (self.trust * cost).mean()

    def doubt(self, points: Any, u: Unknowns, least: float = LEAST_DOUBT) -> np.ndarray:
        """Leave out frames whose landmarks no pose of the head explains; [T] bool, which.

        Args:
            points: [T, 478, 3] landmarks of the head, camera frame.
            u: the unknowns.
            least: error over the eyes' distance up to which no frame is doubted.
        """
        import torch

        with torch.no_grad():
            error = (self.view.project(points, u.zoom) - self.target).norm(dim=-1) / self.view.eyes_px
            weights = self.weights.clamp_max(1)
            rms = ((weights * error**2).sum(1) / weights.sum()).sqrt()
            usual = rms[self._given > 0.5].median()
            bad = rms > torch.clamp(DOUBT * usual, min=least)
            self.trust = torch.where(bad, torch.zeros_like(self._given), self._given)
        return bad.cpu().numpy()


class Habits:
    """What heads are likely to do: shapes near the mean, few actions, both sides alike, smooth in time.

    Args:
        head: the head model.
        config: weights.
        fps: frames per second of the clip.
    """

    def __init__(self, head: HeadModel, config: FitConfig, fps: float) -> None:
        names = head.expression_names
        self.config = config
        blinks = np.array([name.startswith("eyeBlink") for name in names])
        self.dear = np.where(blinks, BLINK_FREE, 1.0).tolist()
        self.bends = np.where(blinks, BLINK_BEND, ACTION_BEND).tolist()
        self.rate = (fps / 25.0) ** 2  # second differences shrink with the square of the frame's length
        self.sides = [
            (names.index(name), names.index(name[:-4] + "Right"))
            for name in names
            if name.endswith("Left") and not name.startswith(NOT_MIRRORED)
        ]

    def shape_cost(self, u: Unknowns) -> Any:
        """Of shape and camera."""
        shape = self.config.shape_weight * ((u.beta**2).sum() + (u.soft**2).sum())
        return PRIOR * 0.5 * (shape + (u.zoom / 0.15) ** 2 + (u.relief / 0.2) ** 2)

    def action_cost(self, psi: Any) -> Any:
        """Of the actions [T, E]: what lasts all through the clip is shape, not expression."""
        left, right = (psi[:, [pair[side] for pair in self.sides]] for side in (0, 1))
        alike = 0.5 * ((left - right) ** 2).sum(1).mean()
        few = ((psi**2 + 0.3 * psi) @ psi.new_tensor(self.dear)).mean()
        return self.config.expression_weight * (few + 2 * (psi.mean(0) ** 2).sum() + alike)

    def motion_cost(self, u: Unknowns) -> Any:
        """Of bends in time: robust, so that blinks and plosives pass."""
        cost: Any = 0.0
        if not self.config.smooth or len(u.psi) < 3:
            return cost
        for value, sigma in ((u.turn, TURN_BEND), (u.move, MOVE_BEND), (u.psi, u.psi.new_tensor(self.bends))):
            bend = (value[2:] - 2 * value[1:-1] + value[:-2]) * self.rate / sigma
            cost = cost + self.config.smooth * soft(bend).sum(1).mean()
        return cost
