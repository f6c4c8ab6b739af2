"""Training and painting, end to end, on a small clip with known truth."""

import dataclasses

import numpy as np
import pytest
import torch

from relitalk_engine.config import SynthesisConfig
from relitalk_engine.errors import Cancelled, ReliTalkError
from relitalk_engine.events import Reporter
from relitalk_engine.face.backdrop import Backdrop
from relitalk_engine.synthesis.synthesis import Painter, Synthesis
from relitalk_engine.synthesis.training import train_synthesis

CONFIG = dataclasses.replace(
    SynthesisConfig(), size=64, channels=8, steps_local=2, steps_blend=4, perceptual=0.0, neighbours=2, batch=1
)
HELD = slice(24, 36)


class StopAt(Reporter):
    """Cancels at a step of the training."""

    def __init__(self, step: int):
        """Quiet until then."""
        super().__init__(quiet=True)
        self.step = step

    def progress(self, stage: str, done: int, total: int) -> None:
        """Cancel when the step is reached."""
        if stage == "synthesis" and done == self.step:
            raise Cancelled
        super().progress(stage, done, total)


def _train(clip, config=CONFIG, reporter=None, **more) -> Synthesis:
    fit = clip.fit.select(slice(0, HELD.start))
    return train_synthesis(
        clip.head, fit, clip.rgb.__getitem__, clip.alpha.__getitem__, clip.sh, config,
        reporter=reporter or Reporter(quiet=True), **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def synthesis(clip) -> Synthesis:
    """Six steps: the retrieved mouths do nearly all."""
    return _train(clip)


def _painter(clip, synthesis, footage=None, backdrop=None) -> Painter:
    take = clip.fit.select(HELD)
    known = clip.fit.select(slice(0, HELD.start))
    return Painter(
        synthesis, clip.head, known, clip.rgb.__getitem__, clip.alpha.__getitem__, take, take.psi,
        footage=(clip.rgb[HELD] if footage is None else footage).__getitem__, backdrop=backdrop,
    )  # fmt: skip


def test_painted_frames_resemble_the_true_ones(clip, synthesis):
    painter = _painter(clip, synthesis)
    errors, held = [], []
    for t in range(0, 12, 3):
        true, alpha = clip.rgb[HELD][t], clip.alpha[HELD][t]
        patch = painter.paint(t, true, alpha)
        x, y, w, h = patch.box
        area = np.s_[y : y + h, x : x + w]
        errors.append(((patch.rgb.astype(float) - true[area]) ** 2).mean())
        held.append(((clip.rgb[HELD.start - 1][area].astype(float) - true[area]) ** 2).mean())
    assert 10 * np.log10(255**2 / np.mean(errors)) > 24
    assert np.mean(errors) < 0.4 * np.mean(held)


def test_beside_the_person_the_backdrop_is_shown_where_it_is_known(clip, synthesis):
    wall = np.random.default_rng(0).integers(60, 200, clip.rgb[0].shape, np.uint8)
    before_it = dataclasses.replace(clip, rgb=np.where(clip.alpha[..., None] > 0, clip.rgb, wall))
    true, alpha, errors = before_it.rgb[HELD][6], clip.alpha[HELD][6], {}
    for trust in (None, 0, 255):
        known = None if trust is None else Backdrop(wall, np.full(wall.shape[:2], trust, np.uint8))
        patch = _painter(before_it, synthesis, backdrop=known).paint(6, true, alpha)
        x, y, w, h = patch.box
        errors[trust] = np.abs(patch.rgb - true[y : y + h, x : x + w].astype(float)).mean(-1)
    beside = (patch.alpha < 0.02) & (alpha[y : y + h, x : x + w] == 0)
    assert beside.mean() > 0.03 and np.array_equal(errors[None], errors[0])
    assert errors[255][beside].mean() < 0.3 * errors[0][beside].mean()


def test_the_footages_mouth_never_shows_through(clip, synthesis):
    true = clip.rgb[HELD][4]
    painter, other = _painter(clip, synthesis), clip.rgb[HELD].copy()
    noise = np.random.default_rng(1)
    for t, (x, y, w, h) in enumerate(painter.boxes.removed):
        other[t, y : y + h, x : x + w] = noise.integers(0, 255, (h, w, 3), np.uint8)
    x, y, w, h = painter.boxes.removed[4]
    scrambled, matte = true.copy(), clip.alpha[HELD][4].copy()
    scrambled[y : y + h, x : x + w] = np.random.default_rng(0).integers(0, 255, (h, w, 3), np.uint8)
    matte[y : y + h, x : x + w] = 0.5
    one = painter.paint(4, true, clip.alpha[HELD][4])
    two = _painter(clip, synthesis, other).paint(4, scrambled, matte)
    assert np.array_equal(one.rgb, two.rgb) and np.array_equal(one.alpha, two.alpha)


def test_pixels_outside_the_removed_area_stay_to_the_bit(clip, synthesis):
    true = clip.rgb[HELD][2]
    patch = _painter(clip, synthesis).paint(2, true, clip.alpha[HELD][2])
    new = patch.onto(true)
    x, y, w, h = patch.box
    new[y : y + h, x : x + w] = true[y : y + h, x : x + w]
    assert np.array_equal(new, true)


def test_any_frame_alone_is_as_in_the_whole(clip, synthesis):
    whole = _painter(clip, synthesis)
    patches = [whole.paint(t, clip.rgb[HELD][t]) for t in range(7)]
    alone = _painter(clip, synthesis).paint(6, clip.rgb[HELD][6])
    assert np.array_equal(alone.rgb, patches[6].rgb)


def test_the_mouth_follows_what_drives_it(clip, synthesis):
    jaw = clip.fit.psi[: HELD.start, clip.head.index("jawOpen")[0]]
    mouths = [clip.fit.psi[jaw.argmin()], clip.fit.psi[jaw.argmax()]]
    truth = [clip.render(30, psi).astype(float) for psi in mouths]
    known, take = clip.fit.select(slice(0, HELD.start)), clip.fit.select(slice(30, 31))
    for own, psi in enumerate(mouths):
        painter = Painter(synthesis, clip.head, known, clip.rgb.__getitem__, None, take, psi[None])
        new = painter.paint(0, clip.rgb[30]).onto(clip.rgb[30])
        x, y, w, h = painter.boxes.driven[0]
        right, wrong = (((new - truth[k])[y : y + h, x : x + w] ** 2).mean() for k in (own, 1 - own))
        assert right < 0.3 * wrong


def test_weights_go_through_tensors(clip, synthesis):
    again = Synthesis.from_tensors(synthesis.tensors())
    true = clip.rgb[HELD][1]
    one, two = (_painter(clip, s).paint(1, true) for s in (synthesis, again))
    assert np.array_equal(one.rgb, two.rgb)


def test_incomplete_weights_are_refused(synthesis):
    values = synthesis.tensors()
    del values["synthesis.sweep"]
    with pytest.raises(ReliTalkError, match="whole mouth synthesis"):
        Synthesis.from_tensors(values)


def test_a_cancelled_training_is_taken_up_and_ends_the_same(clip, synthesis, tmp_path):
    kept = tmp_path / "synthesis.safetensors"
    with pytest.raises(Cancelled):
        _train(clip, reporter=StopAt(3), checkpoint=kept)
    assert kept.exists()
    again = _train(clip, checkpoint=kept)
    for one, two in zip(again.networks.parameters(), synthesis.networks.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)


def test_without_retrieval_it_paints_from_normals_alone(clip):
    config = dataclasses.replace(CONFIG, retrieval=False, steps_local=1, steps_blend=1)
    synthesis = _train(clip, config)
    assert synthesis.networks.local.layers == 0
    assert _painter(clip, synthesis).paint(0, clip.rgb[24]).rgb.shape[2] == 3


def test_without_f_blend_the_nearest_pose_stands_about_the_mouth(clip):
    synthesis = _train(clip, dataclasses.replace(CONFIG, blend=False))
    again = Synthesis.from_tensors(synthesis.tensors())
    assert again.networks.blend is None and not again.config.blend
    patch = _painter(clip, again).paint(0, clip.rgb[24])
    assert (patch.rgb == _painter(clip, synthesis).paint(0, clip.rgb[24]).rgb).all()


def test_training_ends_when_its_minutes_are_over(clip, monkeypatch):
    from relitalk_engine.synthesis import training

    rates = []
    monkeypatch.setattr(training, "_rate", lambda step, share: rates.append(share) or 1.0)
    _train(clip, dataclasses.replace(CONFIG, steps_local=1000, steps_blend=100_000, minutes=0.03))
    assert 0 < len(rates) < 1000 and rates == sorted(rates) and rates[-1] < 1
    assert rates[-1] > len(rates) / 100_000


def test_training_lowers_its_loss(clip, monkeypatch):
    from relitalk_engine.synthesis import training

    seen = []
    whole = training.loss

    def watched(*args, **more):
        value = whole(*args, **more)
        seen.append(value.item())
        return value

    monkeypatch.setattr(training, "loss", watched)
    _train(clip, dataclasses.replace(CONFIG, steps_local=0, steps_blend=160, learning_rate=2e-3))
    assert np.mean(seen[110:]) < 0.97 * np.mean(seen[:50])
