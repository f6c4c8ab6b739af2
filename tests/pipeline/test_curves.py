"""A take's motion as files: what is written comes back, and other programs can read it."""

import json
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.pipeline.curves import read_mouth, write_motion
from relitalk_engine.pipeline.options import VoiceOptions


@dataclass
class Speaker:
    """As much of a person as the curves need: the head and the frame rate."""

    head: HeadModel
    subject: SimpleNamespace


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return Speaker(HeadModel.read(), SimpleNamespace(info=SimpleNamespace(fps=Fraction(30000, 1001))))


@pytest.fixture
def motion(speaker) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    turn = np.tile(np.eye(3), (12, 1, 1))
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(0.2)
    turn[:, 0, 2], turn[:, 2, 0] = np.sin(0.2), -np.sin(0.2)  # 0.2 radians about y
    fit = SimpleNamespace(rotation=turn, translation=np.tile([0.01, 0.02, -1.0], (12, 1)))
    return SimpleNamespace(psi=rng.random((12, len(speaker.head.expression_names))).astype(np.float32), fit=fit)


@pytest.mark.parametrize("name", ["motion.npz", "motion.json", "motion.bvh"])
def test_curves_come_back_and_hold_at_their_end(speaker, motion, tmp_path, name):
    write_motion(tmp_path, speaker, motion, VoiceOptions(mouth=1.2))
    mouth = read_mouth(tmp_path / name, speaker, 15)
    wanted = motion.psi[:, speaker.head.mouth_actions]
    assert np.allclose(mouth[:12], wanted, atol=1e-4) and np.allclose(mouth[12:], wanted[-1], atol=1e-4)


def test_the_json_says_what_made_it(speaker, motion, tmp_path):
    write_motion(tmp_path, speaker, motion, VoiceOptions(mouth=1.2, smooth=0.5, offset_ms=40))
    table = json.loads((tmp_path / "motion.json").read_text())
    assert (table["controls"]["mouth"], table["controls"]["smooth"], table["controls"]["offset_ms"]) == (1.2, 0.5, 40)
    assert "jawOpen" in table["names"] and len(table["frames"]) == 12


def test_the_bvh_holds_pose_and_actions(speaker, motion, tmp_path):
    write_motion(tmp_path, speaker, motion, VoiceOptions())
    lines = (tmp_path / "motion.bvh").read_text().split("MOTION\n")
    joints = [line.split()[1] for line in lines[0].splitlines() if "JOINT" in line]
    assert joints == list(speaker.head.expression_names)
    assert lines[0].count("{") == lines[0].count("}") == 1 + 2 * len(joints)
    frames, time, *rows = lines[1].splitlines()
    assert frames == "Frames: 12" and float(time.split(": ")[1]) == pytest.approx(1001 / 30000)
    first = np.array(rows[0].split(), float)
    assert np.allclose(first[:6], [1, 2, -100, 0, 0, np.degrees(0.2)], atol=1e-3)
    assert np.allclose(first[6:], motion.psi[0], atol=1e-4)


def test_a_bvh_that_another_program_wrote_with_more_channels_is_read(speaker, motion, tmp_path):
    write_motion(tmp_path, speaker, motion, VoiceOptions())
    text = (tmp_path / "motion.bvh").read_text()
    skeleton, rows = text.split("MOTION\n")
    skeleton = skeleton.replace("CHANNELS 1 Xposition", "CHANNELS 3 Zrotation Xposition Yposition")
    head, time, *frames = rows.splitlines()
    wide = [row.split()[:6] + [x for value in row.split()[6:] for x in ("9", value, "7")] for row in frames]
    (tmp_path / "wide.bvh").write_text(skeleton + "\n".join(["MOTION", head, time, *map(" ".join, wide)]))
    mouth = read_mouth(tmp_path / "wide.bvh", speaker, 12)
    assert np.allclose(mouth, motion.psi[:, speaker.head.mouth_actions], atol=1e-4)
    (tmp_path / "cut.bvh").write_text(text[:-20])
    with pytest.raises(ReliTalkError, match="do not fit"):
        read_mouth(tmp_path / "cut.bvh", speaker, 12)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "cannot be read"),
        ('{"fps": 29.97, "names": ["jawOpen"], "frames": [[0.5]]}', "has no"),
        ('{"fps": 25, "names": [], "frames": []}', "has no"),
    ],
)
def test_what_is_no_motion_is_refused(speaker, tmp_path, text, reason):
    path = tmp_path / "edited.json"
    path.write_text(text)
    with pytest.raises(ReliTalkError, match=reason):
        read_mouth(path, speaker, 10)
