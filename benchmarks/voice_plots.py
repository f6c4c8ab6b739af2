"""Driven and true apertures over each other, as pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relitalk_engine.speech.model import SpeechModel

from . import runs


@dataclass
class Curves:
    """Parts of a clip in order: the true aperture and the driven one, over the distance of the outer eye corners."""

    true: list[np.ndarray]
    driven: list[np.ndarray]

    @classmethod
    def empty(cls) -> Curves:
        """Nothing yet."""
        return cls([], [])

    def add(self, true: np.ndarray, model: SpeechModel, features: np.ndarray) -> None:
        """One more part."""
        self.true.append(true)
        self.driven.append(model.mesh.lips.opening(model.drive(features)))


def plot(name: str, curves: Curves) -> None:
    """Leave `voice_NAME.png` in the results folder; nothing where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure((14, 3.2), layout="constrained")
    axes = figure.subplots()
    for parts, colour, label in ((curves.true, "k", "true"), (curves.driven, "C1", "driven, held out")):
        line = np.concatenate(parts)
        axes.plot(np.arange(len(line)) / 25, line, colour, label=label)
    for edge in np.cumsum([len(part) for part in curves.true])[:-1]:
        axes.axvline(edge / 25, color="0.8")
    axes.set(title=f"{name}: aperture over the distance of the outer eye corners", xlabel="s")
    axes.legend(loc="upper right")
    runs.RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(runs.RESULTS / f"voice_{name}.png", dpi=80)
