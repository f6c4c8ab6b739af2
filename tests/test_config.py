import pytest

from relitalk_engine.config import load_preset, preset_names, presets_folder
from relitalk_engine.errors import ReliTalkError


def test_presets_ship_from_the_quickest_to_the_papers():
    assert preset_names() == ["draft", "standard", "high", "paper"]
    steps = [load_preset(name).reflectance.steps_decompose for name in preset_names()]
    assert steps == sorted(steps)
    assert all(load_preset(name).description for name in preset_names())


def test_the_paper_preset_has_the_papers_weights():
    paper = load_preset("paper")
    assert paper.reflectance.paper and not paper.synthesis.retrieval
    weights = paper.reflectance
    assert (weights.render, weights.delta_normal, weights.consistency) == (1.0, 1.0, 3.0)
    assert (weights.parsimony, weights.smooth) == (0.001, 1.0)
    assert (paper.synthesis.rgb_local, paper.synthesis.rgb_blend, paper.speech.exp) == (1.0, 1.0, 1.0)


def test_a_preset_of_the_users_own_keeps_what_it_leaves_out(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[speech]\nsteps = 7\n[reflectance]\nrender = 2\n")
    preset = load_preset(path)
    assert (preset.name, preset.speech.steps, preset.reflectance.render) == ("mine", 7, 2.0)
    assert preset.synthesis == load_preset(presets_folder() / "quality" / "draft.toml").synthesis


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[speech]\nstep = 7", '"step"'),
        ("[speech]\nsteps = 'many'", "of the kind int"),
        ("[speech]\nsteps = -1", "negative"),
        ("speech = 3", "must be a table"),
        ("[speech", "not valid TOML"),
    ],
)
def test_a_preset_that_does_not_fit_is_refused_by_name(tmp_path, text, says):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ReliTalkError, match="mine.toml") as raised:
        load_preset(path)
    assert says in str(raised.value)


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(ReliTalkError, match="draft, standard, high, paper"):
        load_preset("ultra")
