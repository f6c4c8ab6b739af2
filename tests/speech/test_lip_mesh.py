"""The rule: phones move this head's lips as they move anyone's."""

from fractions import Fraction

import numpy as np
import pytest

from relitalk_engine.speech import visemes
from relitalk_engine.speech.features import PhoneFeatures
from relitalk_engine.speech.lip_mesh import LipMesh, Lips

LAYOUT = PhoneFeatures().layout


@pytest.fixture(scope="module")
def mesh(head) -> LipMesh:
    return LipMesh(Lips.of(head, np.zeros(len(head.shape_basis))), LAYOUT)


def saying(*phones: str) -> np.ndarray:
    """f_pho of pure phones, one a frame."""
    features = np.zeros((len(phones), LAYOUT.width), np.float32)
    for frame, phone in enumerate(phones):
        for part in (LAYOUT.heard, LAYOUT.understood):
            features[frame, part.start + LAYOUT.phones.index(phone)] = 1.0
    return features


def test_every_phone_of_the_recogniser_has_a_mouth(head):
    names = tuple(head.expression_names)
    table = visemes.table(LAYOUT.phones, names)
    assert table.shape == (len(LAYOUT.phones), len(names))
    assert (table.max(1)[[LAYOUT.phones.index(p) for p in LAYOUT.phones if p not in ("SIL", "+NSN+")]] > 0.05).all()
    assert table.min() >= 0 and table.max() <= 1


def test_lips_close_on_p_b_m_and_open_on_vowels(mesh):
    opening = mesh.lips.opening(mesh.actions(saying("P", "B", "M", "AA", "AE", "IY", "SIL")))
    assert opening[:3].max() < 0.06
    assert opening[3:5].min() > 0.18
    assert opening[3] > opening[5] > opening[2]
    assert opening[6] < 0.05


def test_rounded_phones_narrow_the_mouth_and_spread_ones_widen_it(mesh):
    width = mesh.lips.width(mesh.actions(saying("UW", "W", "AA", "IY")))
    assert max(width[:2]) < width[2] < width[3]


def test_the_ear_closes_and_opens_the_mouth_of_a_stranger_in_another_language(mesh):
    pytest.importorskip("espeakng_loader", reason="espeak-ng speaks the sentence")
    from scipy.signal import resample_poly

    from relitalk_engine.speech.espeak import say
    from relitalk_engine.speech.utterances import nearest_phones

    spoken = say("Ma femme prépare un bon repas pour papa.", "fr+f2")
    sound = resample_poly(spoken.samples, 320, 441).astype(np.float32)
    frames = len(sound) * 50 // 16000
    opening = mesh.lips.opening(mesh.actions(PhoneFeatures(words=False).extract(sound, Fraction(50), frames), "ear"))
    said = [(name, opening[int((start + stop) * 25)]) for name, start, stop in nearest_phones(spoken)]
    closed, wide = ([gap for name, gap in said if name in kind] for kind in (("P", "B", "M"), ("AA",)))
    assert len(closed) > 5 and len(wide) > 4
    assert np.mean(closed) < 0.8 * np.mean(wide)


def test_a_closing_phone_wins_over_its_neighbour(mesh):
    half = 0.5 * (saying("M") + saying("AA"))
    opening = mesh.lips.opening(mesh.actions(np.concatenate([half, saying("M"), saying("AA")])))
    assert opening[0] < 0.5 * (opening[1] + opening[2])


def test_coordinates_tell_visemes_apart_and_vertices_are_the_heads(mesh, head):
    features = saying("P", "AA", "UW", "IY")
    lips = mesh.vertices(features)
    assert lips.shape == (4, 40, 3)
    assert np.abs(lips - mesh.lips.template).max() < 0.03
    seen = mesh.coordinates(lips)
    assert seen.shape == (4, 6)
    gaps = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(4, 1)]
    assert gaps.min() > 1.0
