"""The head that ships, and the file that holds a head."""

from dataclasses import fields

import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.face.head_model import JOINTS, HeadModel
from relitalk_engine.face.heads import load_head


@pytest.fixture(scope="module")
def head():
    """The head that ships."""
    return load_head()


def test_a_head_survives_its_file(head, tmp_path):
    head.write(tmp_path / "head.safetensors")
    again = HeadModel.read(tmp_path / "head.safetensors")
    for field in fields(HeadModel):
        before, after = getattr(head, field.name), getattr(again, field.name)
        if isinstance(before, dict):
            assert before.keys() == after.keys() and all(np.array_equal(before[k], after[k]) for k in before)
        else:
            assert np.array_equal(before, after), field.name
    assert [path.name for path in tmp_path.iterdir()] == ["head.safetensors"]


def test_joints_lie_where_the_bones_turn(head):
    assert set(head.joints) == set(JOINTS)
    left, right, jaw, neck = (head.joints[name] for name in ("eye_l", "eye_r", "jaw", "neck"))
    assert 0.055 < left[0] - right[0] < 0.07 and np.abs((left - right)[1:]).max() < 1e-3
    for side, joint in (("eye_l", left), ("eye_r", right)):
        ball = head.template[head.regions[side] > 0.5]
        assert np.abs(ball[:, 0].mean() - joint[0]) < 2e-3 and joint[2] < ball[:, 2].max() - 0.01
    middle, points = (left[0] + right[0]) / 2, head.at_landmarks(head.template)
    assert abs(jaw[0] - middle) < 1e-3 and abs(neck[0] - middle) < 1e-3
    assert points[152, 1] < jaw[1] < left[1] and jaw[2] < points[234, 2]  # before the ears' height, behind the cheeks
    assert neck[1] < points[152, 1] and neck[2] < jaw[2]


def test_the_jaw_turns_about_its_joint(head):
    """Points of the chin move at right angles to their arm."""
    motion = head.at_landmarks(head.expression_basis)[head.index("jawOpen")[0]]
    arm = head.at_landmarks(head.template) - head.joints["jaw"]
    for point in (152, 175, 199):
        way, lever = motion[point, 1:], arm[point, 1:]
        assert abs(way @ lever) < 0.35 * np.linalg.norm(way) * np.linalg.norm(lever)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(ReliTalkError, match="is missing"):
        HeadModel.read(tmp_path / "head.safetensors")
