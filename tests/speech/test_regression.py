"""The closed form finds what is there to be found."""

import numpy as np

from relitalk_engine.speech.regression import DRIFT, NOISE, Inputs, Kernel, Scaling


def inputs(rng: np.random.Generator, frames: int) -> Inputs:
    def walk(columns: int) -> np.ndarray:
        steps = rng.standard_normal((frames + 8, columns))
        return np.stack([np.convolve(c, np.ones(9) / 3, "valid") for c in steps.T], 1)[:frames].astype(np.float32)

    return Inputs(walk(4), walk(6), walk(6), walk(2), walk(2), np.zeros((frames, 0), np.float32))


def test_it_predicts_unseen_frames_of_a_smooth_map():
    rng = np.random.default_rng(0)
    seen = inputs(rng, 400)
    target = np.tanh(seen.lips[:, :1] + 0.5 * seen.spectrum[:, 1:2]) + 0.1 * rng.standard_normal((400, 1))
    predicted = Kernel.fit(seen, target, np.arange(300), step=2)(seen)
    assert np.corrcoef(predicted[300:, 0], target[300:, 0])[0, 1] > 0.8


def test_a_frame_sees_only_eighty_milliseconds_around_it():
    rng = np.random.default_rng(0)
    seen = inputs(rng, 120)
    kernel = Kernel.fit(seen, rng.standard_normal((120, 2)), np.arange(120), step=2)
    whole = kernel(seen)
    part = kernel(seen.pick(slice(40, 80)))
    assert np.allclose(whole[42:78], part[2:-2], atol=1e-5)


def test_columns_that_never_moved_do_not_blow_up():
    scaling = Scaling.of(np.ones((10, 2)))
    assert np.isfinite(scaling(np.full((3, 2), 5.0))).all()
    assert np.abs(scaling(np.full((3, 2), 1.1))).max() < 10


def test_frames_beside_each_other_are_not_two_witnesses(monkeypatch):
    rng = np.random.default_rng(0)
    seen, rows = inputs(rng, 300), np.arange(300)
    lasting = np.convolve(rng.standard_normal(308), np.ones(9) / 3, "valid")[:, None]
    learnt = Kernel.fit(seen, lasting, rows, step=2)(seen).std()
    monkeypatch.setattr("relitalk_engine.speech.regression.NOISE", NOISE + DRIFT)
    monkeypatch.setattr("relitalk_engine.speech.regression.DRIFT", 0.0)
    assert learnt < 0.85 * Kernel.fit(seen, lasting, rows, step=2)(seen).std()
