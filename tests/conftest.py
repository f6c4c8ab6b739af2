"""What all tests share: the sample that ships, and the data beside the repository where it is there."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is loaded

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def sample_clip() -> Path:
    return ROOT / "presets" / "sample" / "sample.mp4"


@pytest.fixture(scope="session")
def sample_voice() -> Path:
    return ROOT / "presets" / "sample" / "sentence.wav"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the data folder beside the repository is not here")
    return folder
