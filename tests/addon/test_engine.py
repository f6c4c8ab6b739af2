import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE_PYTHON = Path(os.environ.get("RELITALK_ENGINE_PYTHON") or ROOT / ".venv" / "bin" / "python")
needs_engine = pytest.mark.skipif(not ENGINE_PYTHON.is_file(), reason="no Python with the engine's packages")


@pytest.fixture
def engine(plain, monkeypatch):
    monkeypatch.delenv("RELITALK_ENGINE_PYTHON", raising=False)
    return plain("relitalk_addon.engine")


@pytest.fixture
def refused(plain):
    return plain("relitalk_engine.errors").ReliTalkError


def test_without_anything_the_way_is_named(engine, tmp_path):
    found = engine.find_python("", tmp_path)
    assert found.python is None and "Set up engine" in found.complaint


def test_a_python_that_is_not_there_is_said(engine, tmp_path, refused):
    assert "There is no Python" in engine.find_python(str(tmp_path / "python"), tmp_path).complaint
    (tmp_path / "python").write_text("not a program")
    with pytest.raises(refused, match="does not answer"):
        engine.ready(str(tmp_path / "python"), tmp_path)


def test_what_a_python_lacks_is_listed(engine, tmp_path, refused):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    with pytest.raises(refused, match="lacks .*torch" if sys.version_info < (3, 13) else "runs on 3.11 and 3.12"):
        engine.ready(str(tmp_path / "bare"), tmp_path)


@needs_engine
def test_a_python_with_everything_is_ready_and_answers(engine, tmp_path):
    ready = engine.ready(str(ENGINE_PYTHON), tmp_path / "home of 日本")
    answer = subprocess.run(
        ready.command("--version"), env=ready.environ(), cwd=tmp_path, capture_output=True, text=True, check=True,
    )
    assert answer.stdout.startswith("relitalk ")


@needs_engine
def test_the_code_is_copied_by_version_and_an_update_changes_no_copy(engine, tmp_path):
    root = tmp_path / "extension"
    shutil.copytree(ROOT / "relitalk_engine", root / "relitalk_engine", ignore=shutil.ignore_patterns("__pycache__"))
    first = engine.copy_code(tmp_path / "home", root)
    assert engine.copy_code(tmp_path / "home", root) == first
    (root / "relitalk_engine" / "version.py").write_text('__version__ = "9.9.9"\n')
    second = engine.copy_code(tmp_path / "home", root)
    assert second != first
    assert "9.9.9" not in (first / "relitalk_engine" / "version.py").read_text()


def test_a_set_up_that_was_killed_does_not_count(engine, tmp_path):
    place = engine.environment_of(tmp_path)
    python = engine.python_in(place)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert engine.find_python("", tmp_path).python is None
    engine.mark_ready(place)
    assert engine.find_python("", tmp_path).python == python


def test_the_environment_follows_what_the_engine_needs(engine, tmp_path):
    place = engine.environment_of(tmp_path, ROOT)
    other = tmp_path / "other"
    other.mkdir()
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (other / "pyproject.toml").write_text(text.replace('"scipy', '"einops",\n    "scipy'), encoding="utf-8")
    assert engine.environment_of(tmp_path, other) != place


def test_a_set_up_without_its_tools_is_a_sentence(plain, engine, tmp_path):
    environment, events = plain("relitalk_addon.environment"), plain("relitalk_engine.events")
    reporter = events.Reporter(job=tmp_path / "job", quiet=True)
    with pytest.raises(plain("relitalk_engine.errors").MissingPart, match="cannot be started"):
        environment.make(tmp_path / "home", ROOT, reporter, uv=str(tmp_path / "uv"))
    assert engine.find_python("", tmp_path / "home").python is None


def test_the_zip_holds_the_extension_and_not_the_workshop(zip_file):
    names = zipfile.ZipFile(zip_file).namelist()
    for wanted in (
        "blender_manifest.toml", "__init__.py", "pyproject.toml", "LICENSE", "relitalk_engine/__main__.py",
        "presets/quality/draft.toml", "presets/sample/sample.mp4", "operators/train.py", "panels/subject.py",
    ):
        assert wanted in names
    workshop = ("tests/", "benchmarks/", "scripts/", ".")
    assert not [name for name in names if name.startswith(workshop) or "__pycache__" in name]


def test_what_the_machine_computes_on_is_named_with_its_size(plain):
    hardware = plain("relitalk_addon.hardware")
    builds = hardware.backends()
    assert "CPU" in [build.key for build in builds] and hardware.chosen("AUTO") == builds[0]
    assert builds[0].found and hardware.chosen("CPU").key == "CPU"
    assert all("GB to download" in build.words for build in builds)


def test_a_disk_without_room_is_said_before_anything_is_downloaded(plain, tmp_path):
    hardware = plain("relitalk_addon.hardware")
    small, large = (hardware.Backend("CPU", "Processor", "here", 1.0, disk) for disk in (0.0, 1e9))
    place = tmp_path / "not" / "there yet"
    assert not hardware.lacks_room(place, small) and "Make room" in hardware.lacks_room(place, large)


def test_what_a_python_lacks_stays_known_to_the_panels_which_may_not_ask(engine, tmp_path, refused):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    assert not engine.find_python(str(tmp_path / "bare"), tmp_path).complaint
    with pytest.raises(refused) as said:
        engine.ready(str(tmp_path / "bare"), tmp_path)
    assert engine.find_python(str(tmp_path / "bare"), tmp_path).complaint == str(said.value)
