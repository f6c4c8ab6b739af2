import dataclasses

import numpy as np
import pytest
import torch
from safetensors import safe_open

from relitalk_engine.config import ReflectanceConfig, load_preset
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.face.head_model import HeadModel
from relitalk_engine.reflectance import prior_training, synthetic_film
from relitalk_engine.reflectance.prior import CHANNELS, NETWORKS, PRIOR_FILE, start_from_prior
from relitalk_engine.reflectance.prior_training import Lessons, in_gauge, lesson_loss, measure, new_model
from relitalk_engine.reflectance.synthetic_film import film, random_light
from relitalk_engine.reflectance.synthetic_heads import DIRECTIONS, make_view
from relitalk_engine.reflectance.synthetic_paint import Painter

SIZE = 128


@pytest.fixture(scope="module")
def head():
    return HeadModel.read()


@pytest.fixture(scope="module")
def views(head):
    return [make_view(head, np.random.default_rng([7, k]), SIZE) for k in range(3)]


@pytest.fixture(scope="module")
def lessons(head, views):
    rng, painter, model = np.random.default_rng(3), Painter(head), new_model("cpu")
    return [in_gauge(model, film(view, painter.paint(view, rng, "cpu"), rng), rng) for view in views]


def test_a_view_is_a_body_seen_by_a_camera(views):
    for view in views:
        normal, share = view.normal.astype(float), view.parts.astype(float).sum(1)
        assert np.abs(np.linalg.norm(normal, axis=1) - 1).max() < 0.02
        assert normal[:, 2].min() > 0
        assert np.median(share) == pytest.approx(1, abs=0.01)
        assert 0.1 < len(view.inside) / SIZE**2 < 0.95
        fitted = view.fitted.reshape(-1, 3)[view.inside].astype(float)
        angle = np.degrees(np.arccos(np.clip((fitted * normal).sum(1), -1, 1)))
        assert 2 < np.median(angle) < 25  # a fit errs, and not wildly


def test_no_light_arrives_through_the_body(views):
    view = views[0]
    visible = np.unpackbits(view.visible, axis=1)[:, :DIRECTIONS].astype(bool)
    away = view.normal.astype(float) @ view.directions.T
    assert visible[away > 0.7].mean() > 0.8
    assert visible[away < -0.5].mean() < 0.01


def test_the_same_seed_is_the_same_person(head, views):
    again = make_view(head, np.random.default_rng([7, 0]), SIZE)
    assert np.array_equal(again.visible, views[0].visible) and np.array_equal(again.fitted, views[0].fitted)


def test_a_lesson_is_in_the_gauge(lessons):
    model = new_model("cpu")
    for lesson in lessons:
        model.skin = lesson.skin
        shade, _, _ = model.shade(lesson.seen, lesson.seen.normal, 0 * lesson.seen.skin, lesson.radiance)
        sure = (lesson.seen.skin[0, 0] > 0.6) & (lesson.seen.normal[0, 2] > 0.5)
        paint = (lesson.seen.image[0] / shade[0].clamp_min(1e-3))[:, sure].median(1).values
        assert torch.allclose(paint, lesson.skin, rtol=0.1)
        true = lesson.albedo[0][:, sure].mean(1)
        assert torch.allclose(true, lesson.skin, rtol=0.3)


def test_a_mirrored_lesson_is_lit_from_the_other_side(lessons):
    turned = synthetic_film.mirrored(lessons[0])
    model = new_model("cpu")
    one, two = (model.shade(x.seen, x.seen.normal, x.seen.alpha * 0.03, x.radiance) for x in (lessons[0], turned))
    for a, b in zip(one[:2], two[:2], strict=True):
        assert torch.allclose(a.flip(-1), b, atol=2e-3 * float(a.detach().max()))
    back = synthetic_film.mirrored(turned)
    assert torch.equal(back.radiance, lessons[0].radiance) and torch.equal(back.seen.image, lessons[0].seen.image)


def test_random_lights_are_lights():
    directions = synthetic_film.envmap.directions(8, 16).reshape(-1, 3)
    rng = np.random.default_rng(0)
    lights = [random_light(directions, rng) for _ in range(40)]
    assert all(np.isfinite(x).all() and x.min() >= 0 and x.sum() > 0.05 for x in lights)
    peaks = [x.sum(1).max() / x.sum() for x in lights]
    assert min(peaks) < 0.05 and max(peaks) > 0.2  # dull days and bare bulbs


def test_what_ships_decomposes_people_it_never_saw(lessons):
    before, model = measure(new_model("cpu"), lessons), new_model("cpu")
    assert start_from_prior(model)
    assert measure(model, lessons).albedo < 0.85 * before.albedo


def test_the_weights_are_small_and_say_how_they_were_made():
    assert PRIOR_FILE.stat().st_size < 3e6
    with safe_open(str(PRIOR_FILE), "numpy") as file:
        notes, names = file.metadata(), list(file.keys())
    assert "steps" in notes["trained"] and "minutes" in notes["trained"] and "untrained" in notes["held_out"]
    assert {name.split(".")[0] for name in names} == set(NETWORKS)


def test_all_presets_but_the_papers_start_from_the_prior():
    for name in ("draft", "standard", "high"):
        config = load_preset(name).reflectance
        assert config.use_prior and config.channels == CHANNELS
    assert not load_preset("paper").reflectance.use_prior


def test_a_model_of_another_size_starts_without_it(tmp_path):
    other = prior_training.ReflectanceModel(np.ones((16, 32, 3)), np.full(3, 0.4), 48, 8)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    assert not start_from_prior(other)
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items() if name in before)
    with pytest.raises(ReliTalkError, match="missing"):
        start_from_prior(other, tmp_path / "none.safetensors")


def test_training_on_lessons_lessens_their_error(head, views):
    def train(steps):
        torch.manual_seed(0)
        model = new_model("cpu")
        taught = Lessons(views[:1], Painter(head), new_model("cpu"), 0)
        taught.kept = [lesson.resized(48) for lesson in (taught.new(), taught.new())]
        found = []
        for _ in range(2):
            with torch.no_grad():
                found.append(sum(float(lesson_loss(prior_training.decompose(model, x), x)) for x in taught.kept))
            taught.new = lambda: taught.kept[0]
            model = prior_training.train(model, taught, steps, keep=2)
        return found, model

    (before, after), _ = train(8)
    assert after < before
    one, two = (train(2)[1] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_a_subject_stays_near_the_prior_where_its_clip_says_nothing(lessons):
    from relitalk_engine.events import Reporter
    from relitalk_engine.media.images import linear_to_srgb
    from relitalk_engine.reflectance.decompose import ClipFrame, train_reflectance

    seen = lessons[0].seen

    def picture(x):
        return x[0].permute(1, 2, 0).numpy()

    image = np.rint(picture(linear_to_srgb(seen.image)) * 255).astype(np.uint8)
    regions = {"skin": picture(seen.skin)[..., 0], "hair": picture(seen.hair)[..., 0]}
    frame = ClipFrame(image, picture(seen.normal), picture(seen.alpha)[..., 0], regions)
    config = ReflectanceConfig(size=64, samples=2, steps_coarse=10, steps_decompose=4, steps_consistency=0)

    def weights(use_prior):
        chosen = dataclasses.replace(config, use_prior=use_prior)
        return train_reflectance(lambda _: frame, 2, chosen, "cpu", 0, reporter=Reporter(quiet=True)).model

    known = prior_training.new_model("cpu")
    start_from_prior(known)
    near, far, start = weights(True), weights(False), list(known.f_albedo.parameters())
    distance = [
        sum(float((a - b).abs().sum().detach()) for a, b in zip(m.f_albedo.parameters(), start, strict=True))
        for m in (near, far)
    ]
    assert distance[0] < 0.05 * distance[1]
