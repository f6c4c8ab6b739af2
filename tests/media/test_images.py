"""Pictures: the sRGB curve to the bit, PNG and EXR there and back, what they say of themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.media import images


def test_every_pixel_value_survives_decoding_and_encoding():
    values = np.arange(256, dtype=np.uint8)
    linear = images.srgb_to_linear(values)
    assert linear.dtype == np.float32
    assert (images.encode_uint8(linear) == values).all()
    assert linear[[0, 255]].tolist() == [0.0, 1.0] and linear[188] == pytest.approx(0.5029, abs=1e-3)


def test_torch_and_numpy_agree_and_gradients_are_finite():
    values = torch.linspace(-0.1, 1.5, 50, dtype=torch.float64, requires_grad=True)
    for function in (images.srgb_to_linear, images.linear_to_srgb):
        out = function(values)
        assert np.allclose(out.detach().numpy(), function(values.detach().numpy()))
        (gradient,) = torch.autograd.grad(out.sum(), values)
        assert torch.isfinite(gradient).all()
    assert torch.allclose(images.srgb_to_linear(images.linear_to_srgb(values)), values)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_png_comes_back_to_the_bit_with_straight_alpha(tmp_path, kind, channels):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (13, 21, channels)).astype(kind)
    path = tmp_path / "picture.png"
    images.write_png(path, pixels, {"Comment": "Synthetic: made with ReliTalk – ü"})
    got = images.read_image(path)
    assert got.dtype == kind and (got == pixels).all()
    assert images.read_metadata(path)["Comment"] == "Synthetic: made with ReliTalk – ü"
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED) is not None  # another reader takes it too


def test_an_exr_keeps_its_channels_and_says_what_it_is(tmp_path):
    rng = np.random.default_rng(0)
    channels = {name: rng.normal(size=(5, 9)).astype(np.float16) for name in ("R", "G", "B", "A", "depth.Z")}
    channels["R"][0, 0] = 0.0
    path = tmp_path / "picture.exr"
    images.write_exr(path, channels, {"comment": "Synthetic"})
    got = images.read_exr(path)
    assert set(got) == set(channels)
    assert all((got[name] == channels[name]).all() for name in channels)
    assert images.read_metadata(path)["comment"] == "Synthetic"
    images.write_exr(path, {"R": np.full((2, 2), 1e9)})
    assert images.read_exr(path)["R"].max() == 65504.0


def test_every_part_of_a_multi_part_exr_is_read(shared_data):
    got = images.read_exr(shared_data / "synthetic" / "subject_a" / "passes" / "00002.exr")
    assert {"ViewLayer.Normal.X", "ViewLayer.Diffuse Color.R", "ViewLayer.Depth.Z"} <= set(got)
    assert {a.shape for a in got.values()} == {(384, 384)}


def test_a_photograph_stands_upright(tmp_path):
    path = tmp_path / "photo.jpg"
    stored = np.zeros((40, 60, 3), np.uint8)
    stored[:, :30] = 255
    data = cv2.imencode(".jpg", stored)[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # to be turned clockwise
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    got = images.read_image(path)
    assert got.shape == (60, 40, 3) and got[:25].min() > 200 and got[35:].max() < 50


def test_bad_pictures_are_refused_in_sentences(tmp_path):
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    for reader in (images.read_image, images.read_exr):
        for path, code in (
            (tmp_path / "none.png", "no_such_file"), (tmp_path, "not_a_file"), (text, "not_an_image"),
        ):
            with pytest.raises(ReliTalkError) as error:
                reader(path)
            assert error.value.code == code and str(path) in error.value.message
    with pytest.raises(ReliTalkError, match="cannot be written"):
        images.write_png(text / "a.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ReliTalkError, match="cannot be written"):
        images.write_exr(text / "a.exr", {"R": np.zeros((2, 2))})
