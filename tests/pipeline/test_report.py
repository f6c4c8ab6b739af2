"""The report's curves and figures."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from relitalk_engine.pipeline.report import EXPLAINED
from relitalk_engine.pipeline.report_curves import HEIGHT, Curve


def drawing(curve: Curve, lost: np.ndarray) -> ET.Element:
    text = curve.svg(25.0, lost)
    return ET.fromstring(text[text.index("<svg") :])


def test_a_curve_keeps_its_peak_and_stays_inside_the_drawing():
    values = np.zeros(50)
    values[20] = 3.0
    svg = drawing(Curve("opening", {"fitted": values}), np.zeros(50, bool))
    points = [tuple(map(float, p.split(","))) for p in svg.find("polyline").get("points").split()]
    heights = [y for _, y in points]
    assert int(np.argmin(heights)) == 20
    assert min(heights) >= 0 and max(heights) <= HEIGHT


def test_lost_frames_are_shaded():
    lost = np.zeros(50, bool)
    lost[[3, 4]] = True
    assert len(drawing(Curve("error", {"error": np.ones(50)}), lost).findall("rect")) == 2


def test_a_constant_curve_and_a_single_frame_can_be_drawn():
    assert drawing(Curve("still", {"a": np.zeros(1)}), np.zeros(1, bool)).find("polyline") is not None


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [("landmark_error", 0.01, "good"), ("landmark_error", 0.025, "fair"), ("landmark_error", 0.2, "poor"),
     ("speech_opening", 0.8, "good"), ("speech_opening", 0.5, "fair"), ("speech_opening", -0.2, "poor")],
)  # fmt: skip
def test_a_figure_gets_a_verdict(name, value, verdict):
    assert EXPLAINED[name].verdict(value).startswith(verdict)
