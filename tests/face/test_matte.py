"""The matte and the foreground colour: on made mixtures, and on a rendered person whose truth is known."""

import cv2
import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.face.backdrop import Backdrop, find_backdrop
from relitalk_engine.face.edges import Mixture, Palette, behind, linear
from relitalk_engine.face.matte import Matter, foreground
from relitalk_engine.media.images import encode_uint8, read_image

SIDE = 192


def texture(seed: int, side: int = SIDE, grain: float = 2.0) -> np.ndarray:
    """[side, side, 3] uint8 with structure in all places."""
    noise = np.random.default_rng(seed).normal(size=(side, side, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), grain)
    return np.clip(120 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def mixture():
    """A skin-like left half before a textured background, ten mixed columns between them."""
    back = texture(1)
    front = np.clip(np.array([190, 130, 100]) + np.random.default_rng(2).normal(0, 8, (SIDE, SIDE, 3)), 0, 255)
    front = cv2.GaussianBlur(front, (0, 0), 1.5).astype(np.uint8)
    alpha = np.broadcast_to(np.clip((SIDE / 2 + 5 - np.arange(SIDE)) / 10, 0, 1), (SIDE, SIDE)).astype(np.float32)
    image = encode_uint8(alpha[..., None] * linear(front) + (1 - alpha[..., None]) * linear(back))
    return image, front, back, alpha


def unmixed(image, alpha, backdrop):
    rows, columns = np.nonzero((alpha > 0) & (alpha < 1))
    palette = Palette.around(linear(image), alpha == 1, rows, columns)
    found = Mixture.of(image, palette, behind(image, alpha == 0, backdrop), rows, columns)
    even = np.full(len(rows), 0.5, np.float32)
    return found.alpha(even, even)[0] - alpha[rows, columns], found.colour(alpha[rows, columns]), rows, columns


def test_a_known_background_gives_alpha_and_colour_of_a_mixture(mixture):
    image, front, back, alpha = mixture
    plate = Backdrop(back, np.full(back.shape[:2], 255, np.uint8))
    miss, colour, rows, columns = unmixed(image, alpha, plate)
    blind, _, _, _ = unmixed(image, alpha, None)
    assert np.abs(miss).mean() < 0.06 < 0.12 < np.abs(blind).mean()
    solid = alpha[rows, columns] > 0.3
    assert np.abs(colour - linear(front)[rows, columns])[solid].mean() < 0.02


def test_the_background_follows_the_frame_and_is_left_where_it_does_not_fit(mixture):
    _, _, back, alpha = mixture
    plate = Backdrop(back, np.full(back.shape[:2], 255, np.uint8))
    darker = (back * 0.9).astype(np.uint8)
    found = behind(darker, alpha == 0, plate)
    near = np.abs(np.arange(SIDE) - SIDE // 2) < 8
    assert np.abs(found.colour[:, near].astype(float) - darker[:, near]).mean() < 3
    other = behind(texture(9), alpha == 0, plate)
    assert np.median(other.variance[:, near]) > 20 * np.median(found.variance[:, near])


@pytest.fixture(scope="module")
def people(shared_data):
    """Twelve frames of a rendered person: colour [H, W, 3] linear and alpha [H, W]."""
    paths = sorted((shared_data / "synthetic" / "subject_a" / "test").glob("*.png"))
    pictures = [read_image(path) for path in paths]
    return [(linear(p[..., :3]), p[..., 3].astype(np.float32) / 255) for p in pictures]


def before(people, backdrops):
    """The people before backgrounds, as a camera sees them."""
    noise = np.random.default_rng(3)
    for (colour, alpha), back in zip(people, backdrops, strict=True):
        clean = encode_uint8(alpha[..., None] * colour + (1 - alpha[..., None]) * linear(back))
        yield np.clip(clean + noise.normal(0, 1.5, clean.shape), 0, 255).astype(np.uint8)


def misses(frames, people, backdrop):
    """Mean error of the matte, and of the picture over white in the edge's band."""
    matter, errors, halos = Matter(backdrop), [], []
    for index in (2, 7):
        (colour, truth), frame = people[index], frames[index]
        alpha = matter.alpha(frame)
        errors.append(np.abs(alpha - truth).mean())
        band = cv2.dilate(((truth > 0.02) & (truth < 0.98)).astype(np.uint8), np.ones((9, 9))) > 0
        over, wanted = (
            encode_uint8(a[..., None] * c + 1 - a[..., None]).astype(float)
            for a, c in ((alpha, foreground(frame, alpha, backdrop)), (truth, colour))
        )
        halos.append(np.square(over - wanted)[band].mean())
    matter.close()
    return np.mean(errors), 10 * np.log10(255**2 / np.mean(halos))


def test_a_person_before_a_still_background_is_cut_out_without_a_halo(people):
    back = texture(4, people[0][1].shape[0], 12)
    frames = list(before(people, [back] * len(people)))
    backdrop = find_backdrop(frames)
    seen = backdrop.trust > 200
    assert seen.mean() > 0.3 and np.abs(backdrop.colour.astype(float) - back)[seen].mean() < 3
    error, halo = misses(frames, people, backdrop)
    alone, halo_alone = misses(frames, people, None)
    assert error < 0.01 and error < 0.95 * alone and halo > halo_alone + 0.5


def test_a_moving_background_is_not_trusted_and_does_no_harm(people):
    side = people[0][1].shape[0]
    wide = texture(4, side + 60, 12)
    frames = list(before(people, [wide[5 * k :][:side, 4 * k :][:, :side] for k in range(len(people))]))
    backdrop = find_backdrop(frames)
    assert np.median(backdrop.trust) < 60
    error, halo = misses(frames, people, backdrop)
    alone, halo_alone = misses(frames, people, None)
    assert error < 1.05 * alone and halo > halo_alone - 0.3


def test_a_backdrop_is_kept_to_the_bit_and_another_size_is_refused(tmp_path):
    kept = Backdrop(texture(5), texture(6)[..., 0])
    kept.save(tmp_path / "backdrop.png")
    read = Backdrop.load(tmp_path / "backdrop.png", (SIDE, SIDE))
    assert np.array_equal(read.colour, kept.colour) and np.array_equal(read.trust, kept.trust)
    with pytest.raises(ReliTalkError, match="100 × 192"):
        Backdrop.load(tmp_path / "backdrop.png", (100, SIDE))
    with pytest.raises(ReliTalkError, match="missing"):
        Backdrop.load(tmp_path / "none.png", (SIDE, SIDE))


def test_the_background_of_a_frame_of_any_size_is_told():
    size = 331  # no whole ratio to what it is shrunk to
    frame = np.full((size, size, 3), 90, np.uint8)
    outside = np.ones((size, size), np.float32)
    outside[100:220, 100:220], frame[100:220, 100:220] = 0, 200
    found = behind(frame, outside, None).colour[outside > 0].astype(int)
    assert np.abs(found - 90).max() <= 1
