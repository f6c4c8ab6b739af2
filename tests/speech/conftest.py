"""The sample's voices, heard once."""

from fractions import Fraction

import numpy as np
import pytest

from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.media.audio import read_audio
from relitalk_engine.speech.features import PhoneFeatures

FPS = Fraction(25)


@pytest.fixture(scope="session")
def clip_voice(sample_clip) -> np.ndarray:
    return read_audio(sample_clip, 16000)


@pytest.fixture(scope="session")
def other_voice(sample_voice) -> np.ndarray:
    return read_audio(sample_voice, 16000)


@pytest.fixture(scope="session")
def clip_features(clip_voice) -> np.ndarray:
    return PhoneFeatures().extract(clip_voice, FPS, 200)


@pytest.fixture(scope="session")
def other_features(other_voice) -> np.ndarray:
    return PhoneFeatures().extract(other_voice, FPS, 75)


@pytest.fixture(scope="session")
def head() -> HeadModel:
    return HeadModel.read()
