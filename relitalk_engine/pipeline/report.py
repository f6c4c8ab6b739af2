"""report.html: what a person would look at before trusting a subject."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass

import numpy as np

from ..events import Reporter
from ..face.residuals import eye_opening, fitted_landmarks, mouth_opening, reprojection
from ..lighting import lit_sphere
from .person import Person
from .report_curves import Curve
from .report_pictures import TILE, strips

COLUMNS = 6
"""Frames that are shown: spread over the clip, and the two that fit worst."""
GOOD_FIT = 0.02
"""A reprojection error, over the distance of the eyes, up to which a fit is good."""


@dataclass(frozen=True)
class Explained:
    """What a figure means.

    Attributes:
        words: in a sentence.
        good: what is good, None where there is no good or bad.
        fair: what still works.
        advice: what to do where it does not.
    """

    words: str
    good: float | None = None
    fair: float = 0.0
    advice: str = ""

    def verdict(self, value: float) -> str:
        """good, fair or poor, and what to do."""
        if self.good is None:
            return ""
        better = (lambda a, b: a <= b) if self.good < self.fair else (lambda a, b: a >= b)
        if better(value, self.good):
            return "good"
        return "fair" if better(value, self.fair) else f"poor: {self.advice}"


EXPLAINED = {
    "landmark_error": Explained(
        "fitted against tracked landmarks, RMS over the distance of the eyes",
        GOOD_FIT, 0.03, "film the face larger, sharper and better lit",
    ),
    "bridged_frames": Explained("frames in which no face was found"),
    "speech_opening": Explained(
        "mouth opening predicted from sound against the clip, on parts not learned from (correlation)",
        0.7, 0.4, "use a longer clip with clear speech and no music",
    ),
    "speech_width": Explained("the same for the mouth's width", 0.6, 0.3, "use a longer clip with clear speech"),
    "skin_albedo": Explained("mean skin albedo, linear red, green, blue"),
}  # fmt: skip
STYLE = """body{font:15px sans-serif;background:#1d1d1d;color:#ddd;margin:2em;max-width:1200px}
h2,h3{font-size:15px;margin:1.2em 0 .3em}h3{font-weight:normal}h3 span{margin-left:1em}
td{padding:.2em 1em .2em 0;vertical-align:top}img,svg{max-width:100%}svg{background:#262626}
text{font:11px sans-serif;fill:#999}.good{color:#7fd68a}.fair{color:#e8c46a}.poor{color:#ff8a75}"""


def write_report(person: Person, reporter: Reporter) -> None:
    """Write the subject's report, one file with its pictures inside.

    Args:
        person: the trained subject.
        reporter: hears the progress and may cancel.
    """
    subject, info, fit = person.subject, person.subject.info, person.fit
    points = fitted_landmarks(person.head, fit)
    errors = reprojection(points, fit.landmarks)
    spread = np.linspace(0, len(fit) - 1, COLUMNS - 2).round().astype(int)
    chosen = np.unique(np.concatenate([spread, np.argsort(errors)[-2:]]))
    rows = strips(person, chosen, points, reporter)
    curves = [
        Curve("fit against the tracked landmarks, % of the distance of the eyes",
              {"error": 100 * errors}, " %", 100 * GOOD_FIT),
        Curve("mouth opening over the distance of the eyes",
              {"tracked": mouth_opening(fit.landmarks), "fitted": mouth_opening(points)}),
        Curve("eye opening over the eye's width",
              {"tracked": eye_opening(fit.landmarks), "fitted": eye_opening(points)}),
        Curve("head turned to its left and raised, degrees", _turns(fit.rotation), "°"),
    ]  # fmt: skip
    fps = float(info.fps)
    drawn = "".join(curve.svg(fps, ~fit.valid) for curve in curves)
    times = ", ".join(f"{index / fps:.2f}" for index in chosen)
    pictures = "".join(f"<h2>{html.escape(name)}</h2>{_picture(tiles)}" for name, tiles in rows.items())
    figures = "".join(_figure(name, value) for name, value in info.metrics.items())
    text = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(info.name)}</title>
<style>{STYLE}</style><h1>{html.escape(info.name)}</h1>
<p>{info.frames} frames of {info.size[0]} × {info.size[1]} pixels at {fps:g} a second, preset
{html.escape(info.preset)}, head model {html.escape(info.head_model)}.
Consent: {"given" if info.consent.given else "not recorded"}.</p>
<table>{figures}</table><h2>the clip's own light</h2>{_picture(lit_sphere.preview(person.light, TILE))}
<p>Frames at {times} s; among them the two that fit worst.</p>{pictures}
<h2>over the clip</h2><p>Shaded: frames in which the face was not found.</p>{drawn}</html>"""
    part = subject.report_path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(subject.report_path)


def _turns(rotation: np.ndarray) -> dict[str, np.ndarray]:
    """Yaw and pitch of the face's forward axis, degrees, from [T, 3, 3] head to camera."""
    forward = rotation[:, :, 2]
    yaw = np.degrees(np.arctan2(forward[:, 0], forward[:, 2]))
    return {"turned": yaw, "raised": np.degrees(np.arcsin(np.clip(forward[:, 1], -1, 1)))}


def _figure(name: str, value: object) -> str:
    explained = EXPLAINED.get(name, Explained(""))
    verdict = explained.verdict(value) if isinstance(value, float) else ""
    return (
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td>"
        f'<td class="{verdict[:4]}">{html.escape(verdict)}</td><td>{html.escape(explained.words)}</td></tr>'
    )


def _picture(rgb: np.ndarray) -> str:
    import cv2

    encoded = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}">'
