"""Curves over a clip as small SVG drawings, for the report."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT, LEFT, FOOT = 960, 130, 56, 20
INKS = ("#8fd3ff", "#ffb070")


@dataclass(frozen=True)
class Curve:
    """What is drawn in one diagram.

    Attributes:
        title: what it shows.
        values: name to [T].
        unit: written after the axis's numbers.
        limit: a line up to which all is well, if there is one.
    """

    title: str
    values: dict[str, np.ndarray]
    unit: str = ""
    limit: float | None = None

    def svg(self, fps: float, lost: np.ndarray) -> str:
        """The drawing.

        Args:
            fps: frames per second of the values.
            lost: [T] bool, frames to be shaded.
        """
        series = list(self.values.values())
        high = max([float(np.max(v)) for v in series] + ([self.limit] if self.limit else []))
        low = min(0.0, *(float(np.min(v)) for v in series))
        span = max(high - low, 1e-9) * 1.05

        def y(value: float) -> float:
            return round(HEIGHT - (value - low) / span * (HEIGHT - 8), 1)

        step = (WIDTH - LEFT) / max(len(series[0]), 1)
        parts = [
            f'<rect x="{LEFT + i * step:.1f}" y="0" width="{step + 0.5:.1f}" height="{HEIGHT}" fill="#6b2f2f"/>'
            for i in np.flatnonzero(lost)
        ]
        parts += [_text(LEFT - 6, y(value) + 4, f"{value:.3g}{self.unit}", "end") for value in (low, high)]
        parts += [
            _text(LEFT + s * fps * step, HEIGHT + 14, f"{s} s", "middle")
            for s in range(0, int(len(series[0]) / fps) + 1, max(1, int(len(series[0]) / fps / 10)))
        ]
        if self.limit is not None:
            at = y(self.limit)
            parts.append(f'<path d="M{LEFT} {at}H{WIDTH}" stroke="#7a7a7a" stroke-dasharray="4 4"/>')
        for ink, values in zip(INKS, series, strict=False):
            points = " ".join(f"{LEFT + (i + 0.5) * step:.1f},{y(float(v))}" for i, v in enumerate(values))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-width="1.3"/>')
        keys = " ".join(
            f'<span style="color:{ink}">{html.escape(name)}</span>'
            for ink, name in zip(INKS, self.values, strict=False)
        )
        box = f'<svg viewBox="0 0 {WIDTH} {HEIGHT + FOOT}" role="img" aria-label="{html.escape(self.title)}">'
        return f"<h3>{html.escape(self.title)} {keys}</h3>{box}{''.join(parts)}</svg>"


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'
