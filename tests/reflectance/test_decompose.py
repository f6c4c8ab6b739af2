import dataclasses

import numpy as np
import pytest
import torch

from relitalk_engine.config import ReflectanceConfig
from relitalk_engine.errors import ReliTalkError
from relitalk_engine.events import Reporter
from relitalk_engine.lighting import lit_sphere
from relitalk_engine.lighting.light import Light
from relitalk_engine.media.images import encode_uint8
from relitalk_engine.reflectance.batch import small_batch
from relitalk_engine.reflectance.decompose import ClipFrame, train_reflectance
from relitalk_engine.reflectance.model import ReflectanceModel
from relitalk_engine.reflectance.networks import FAlbedo, FCoarse, FCspec, FNormal
from relitalk_engine.reflectance.relight import bake, look_up

SIZE = 96
SKIN = np.float32([0.50, 0.31, 0.22])
CONFIG = ReflectanceConfig(size=48, channels=8, samples=4, steps_coarse=20, steps_decompose=30, steps_consistency=0)


def lamp_light(level: float = 1.0) -> Light:
    environment = np.full((32, 64, 3), 0.3, np.float32)
    environment[8:14, 20:28] += np.float32([5.0, 4.8, 4.4])
    return Light.from_environment(environment).scaled(level)


def head_of_skin(index: int) -> ClipFrame:
    """A ball of skin with a dark patch that wanders, under one lamp."""
    yy, xx = np.mgrid[:SIZE, :SIZE] / SIZE * 2.2 - 1.1
    radius = np.hypot(xx, yy)
    normal = np.dstack([xx, -yy, np.sqrt(np.maximum(1 - radius**2, 0.05))]).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    paint = np.broadcast_to(SKIN, (SIZE, SIZE, 3)).copy()
    paint[40 + index : 48 + index, 30:60] *= 0.4
    picture = encode_uint8(paint * look_up(bake(lamp_light(), 24.0).sphere.diffuse, normal))
    alpha = np.clip((1 - radius) * 20, 0, 1).astype(np.float32)
    return ClipFrame(picture, normal, alpha, {"skin": (alpha > 0.9).astype(np.float32), "hair": np.zeros_like(alpha)})


def train(config=CONFIG, seed=0):
    return train_reflectance(head_of_skin, 6, config, "cpu", seed, reporter=Reporter(quiet=True))


@pytest.fixture(scope="module")
def trained():
    return train()


def test_networks_start_as_the_identity():
    image, normal = torch.rand(1, 3, 32, 32), torch.nn.functional.normalize(torch.rand(1, 3, 32, 32) + 0.1, dim=1)
    refined, delta = FNormal(8)(image, normal)
    assert torch.allclose(refined, normal, atol=1e-5) and delta.abs().max() == 0
    assert FAlbedo(8)(image, image).abs().max() == 0
    assert torch.allclose(FAlbedo(8, direct=True)(image, image).exp() * image, image, atol=0.02)
    assert FCspec(8)(image, normal).mean().item() == pytest.approx(0.028, abs=1e-4)
    assert FCoarse(8)(normal, torch.ones(1, 1, 32, 32)).shape == (1, 3, 32, 32)


def test_f_albedo_is_a_resnet_of_six_blocks():
    assert len(FAlbedo(8).network.blocks) == 6


def test_the_light_of_the_clip_is_found_up_to_the_gauge(trained):
    found, true = (bake(light, 24.0).sphere.diffuse for light in (trained.model.clip_light(), lamp_light()))
    disc = lit_sphere.normals(found.shape[0])[..., 2] > 0.4
    ratio = (found / true)[disc]
    assert (ratio.std(0) / ratio.mean(0)).max() < 0.12
    assert 0.5 < ratio.mean() < 2.0


def test_skin_has_the_gauges_albedo_and_the_patch_stays_dark(trained):
    seen = head_of_skin(2)
    with torch.no_grad():
        found = trained.model(small_batch(seen.image, seen.normal, seen.alpha, seen.regions, CONFIG.size))
    albedo = found.albedo[0].permute(1, 2, 0).numpy()
    assert np.median(albedo[28:40, 14:34].reshape(-1, 3), 0) == pytest.approx(trained.gauge.skin, rel=0.2)
    assert albedo[22:24, 18:28].mean() < 0.75 * albedo[30:34, 18:28].mean()


def test_training_is_the_same_for_the_same_seed(trained):
    again = train()
    for name, value in trained.model.tensors().items():
        assert np.array_equal(value, again.model.tensors()[name]), name


def test_weights_come_back_from_their_tensors(trained):
    seen = head_of_skin(1)
    back = ReflectanceModel.from_tensors(trained.model.tensors())
    one, two = (m.decompose(seen.image, seen.normal, seen.alpha, seen.regions) for m in (trained.model, back))
    assert np.array_equal(one.normal, two.normal) and np.array_equal(one.gain, two.gain)
    assert one.normal.shape == (SIZE, SIZE, 3) and one.gain.shape == (48, 48, 3)
    with pytest.raises(ReliTalkError):
        ReflectanceModel.from_tensors({"shape": np.array([48, 8, 0, 1, 1])})


def test_consistency_and_the_papers_form_train_too():
    from relitalk_engine.face.identity import face_trunk

    config = dataclasses.replace(CONFIG, steps_decompose=2, steps_consistency=2, paper=True)

    def frame(index):
        return dataclasses.replace(head_of_skin(index), chip=np.float32([[1.5, 0, 0], [0, 1.5, 0]]))

    found = train_reflectance(frame, 6, config, "cpu", 0, face_trunk(), reporter=Reporter(quiet=True))
    assert [stage for stage, _ in found.history][-1] == "consistency"
    assert all(np.isfinite(loss) for _, loss in found.history)


def test_a_clip_without_skin_is_refused():
    def frame(index):
        seen = head_of_skin(index)
        return dataclasses.replace(seen, regions={"skin": 0 * seen.alpha, "hair": seen.alpha})

    with pytest.raises(ReliTalkError, match="skin"):
        train_reflectance(frame, 6, CONFIG, "cpu", 0, reporter=Reporter(quiet=True))


def test_black_cloth_does_not_learn_to_shine(trained):
    seen = head_of_skin(0)
    seen.image[60:] = 4
    found = trained.model.decompose(seen.image, seen.normal, seen.alpha, seen.regions)
    assert found.specular_weight[70:90, 40:60].mean() < 0.25 * found.specular_weight[25:45, 40:60].mean()


@pytest.mark.parametrize("name", ["hair", "ears"])
def test_folds_of_the_mesh_do_not_show_in_hair_and_on_ears(name):
    from relitalk_engine.reflectance.batch import combed

    rng = np.random.default_rng(0)
    rough = rng.normal(size=(64, 64, 3)) * 0.3 + [0, 0, 1]
    rough /= np.linalg.norm(rough, axis=-1, keepdims=True)
    there = np.zeros((64, 64))
    there[:32] = 1
    smooth = combed(rough, {"hair": np.zeros((64, 64)), name: there})
    assert np.abs(smooth[40:] - rough[40:]).max() < 1e-5
    assert smooth[:28].std(axis=(0, 1))[0] < 0.5 * rough[:28].std(axis=(0, 1))[0]


def test_a_light_that_is_not_learnt_keeps_its_start():
    found = train(dataclasses.replace(CONFIG, use_learnt_light=False)).model
    assert torch.allclose(found.light.log_radiance, found.light.start)
