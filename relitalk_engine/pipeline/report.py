"""report.html: what a person would look at before trusting a subject."""

from __future__ import annotations

import base64
import html

import numpy as np

from ..events import Reporter
from ..face.observation import Observer
from ..lighting import lit_sphere
from ..lighting.rigs import directional
from ..media.images import encode_uint8, srgb_to_linear
from ..reflectance.passes import read_frame_passes
from ..reflectance.relight import bake, compose, decompose, relight
from .person import Person

COLUMNS = 6
TILE = 192
TINTS = {
    "skin": (235, 120, 100), "lips": (220, 40, 90), "eyes": (60, 170, 255), "mouth": (120, 0, 40),
    "brows": (90, 60, 20), "ears": (255, 200, 80), "hair": (150, 100, 220), "cloth": (70, 160, 110),
}  # fmt: skip
EXPLAINED = {
    "landmark_error": "fitted against tracked landmarks, RMS over the distance of the eyes (0.02 is good)",
    "bridged_frames": "frames in which no face was found",
    "speech_opening": "mouth opening predicted from sound against the clip, on parts not learned from (correlation)",
    "speech_width": "the same for the mouth's width",
    "skin_albedo": "mean skin albedo, linear red, green, blue",
}


def write_report(person: Person, reporter: Reporter) -> None:
    """Write the subject's report, one file with its pictures inside.

    Args:
        person: the trained subject.
        reporter: hears the progress and may cancel.
    """
    import cv2

    subject, fit, head = person.subject, person.fit, person.head
    chosen = np.unique(np.linspace(0, len(fit) - 1, COLUMNS).round().astype(int))
    rows: dict[str, list[np.ndarray]] = {}
    exponent = person.reflectance.specular_exponent()
    source, side = bake(person.light, exponent), bake(directional(65, 25, 2.0), exponent)
    with Observer(head, fit) as observer:
        for index in reporter.steps("report", chosen):
            rgb, found = person.frames[int(index)], read_frame_passes(subject.passes_dir, int(index))
            seen = observer.observe(int(index), rgb, alpha=found.alpha)
            alpha = found.alpha[..., None]
            image = srgb_to_linear(rgb.astype(np.float32) / 255).astype(np.float32)
            shadow = person.shadow.at(seen.hits, fit.rotation[index])
            frame = compose(image, found, shadow)
            parts = decompose(frame, source)
            lit = relight(frame, source, side, parts)
            drawn = rgb.copy()
            points = fit.project(fit.place(head.at_landmarks(head.vertices(fit.beta, fit.psi[index])), int(index)))
            for point in points:
                cv2.circle(drawn, (int(point[0]), int(point[1])), max(1, rgb.shape[0] // 350), (80, 255, 120), -1)
            tinted = sum(seen.regions[name][..., None] * np.array(tint) for name, tint in TINTS.items())
            pictures = {
                "clip": rgb,
                "fit": drawn,
                "normal": (found.normal * 127 + 128) * alpha,
                "regions": 0.4 * rgb + 0.6 * tinted,
                "matte": np.repeat(255 * alpha, 3, 2),
                "albedo": encode_uint8(parts.albedo * alpha),
                "side light": encode_uint8(lit.beauty * alpha),
            }
            for name, picture in pictures.items():
                tile = cv2.resize(np.clip(picture, 0, 255).astype(np.uint8), (TILE, TILE), interpolation=cv2.INTER_AREA)
                rows.setdefault(name, []).append(tile)
    sphere = _picture(lit_sphere.preview(person.light, TILE))
    figures = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td><td>{EXPLAINED.get(name, '')}</td></tr>"
        for name, value in subject.info.metrics.items()
    )
    strips = "".join(f"<h2>{name}</h2>{_picture(np.concatenate(tiles, 1))}" for name, tiles in rows.items())
    info = subject.info
    text = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(info.name)}</title>
<style>body{{font:15px sans-serif;background:#1d1d1d;color:#ddd;margin:2em}}h2{{font-size:15px;margin:1em 0 .3em}}
td{{padding:.2em 1em .2em 0}}img{{max-width:100%}}</style>
<h1>{html.escape(info.name)}</h1>
<p>{info.frames} frames of {info.size[0]} × {info.size[1]} pixels at {float(info.fps):g} a second,
preset {html.escape(info.preset)}.
Consent: {"given" if info.consent.given else "not recorded"}.</p>
<table>{figures}</table><h2>the clip's own light</h2>{sphere}{strips}</html>"""
    part = subject.report_path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(subject.report_path)


def _picture(rgb: np.ndarray) -> str:
    import cv2

    encoded = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}">'

