"""What the tests of the face share: the head that ships, and the sample's first frames."""

from itertools import islice

import pytest

from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.media.video import read_frames

FRAMES = 50


@pytest.fixture(scope="session")
def anny():
    """The head model that ships."""
    return HeadModel.read()


@pytest.fixture(scope="session")
def sample_frames(sample_clip):
    """The sample's first frames, uint8 RGB."""
    return list(islice(read_frames(sample_clip), FRAMES))
