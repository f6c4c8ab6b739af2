"""Regions of a painted head: the mesh says where each begins, the picture's colours what is really there."""

import cv2
import numpy as np
import pytest

from relitalk_engine.face.heads import load_head
from relitalk_engine.face.regions import REGIONS, region_maps
from relitalk_engine.geometry.raster import cast, interpolate

SIDE = 256
SKIN, HAIR, CLOTH = np.array([205, 150, 125]), np.array([70, 45, 30]), np.array([60, 80, 140])


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def painted(head):
    """A person with an open mouth: what the pixels see, matte, picture, and where things are, [H, W] each."""
    psi = np.zeros(len(head.expression_names))
    psi[head.index("jawOpen")] = 0.5
    vertices = head.vertices(np.zeros(head.shape_basis.shape[0]), psi) + [0, 0.02, -0.6]
    hits = cast(vertices, head.faces, 290, (SIDE / 2, SIDE / 2), (SIDE, SIDE))
    names = ("lips", "mouth_interior", "scalp", "neck", "ears", "brows", "eye_l", "eye_r")
    maps = interpolate(hits, np.stack([head.regions[n] for n in names], -1), head.faces)
    seen = {name: maps[..., k] > 0.5 for k, name in enumerate(names)}
    rows, columns = np.mgrid[:SIDE, :SIDE]
    face = hits.mask & ~seen["scalp"] & ~seen["neck"] & ~seen["ears"]
    chin, middle = rows[face].max(), columns[face].mean()
    width = np.ptp(columns[face])
    where = {"face": face & ~np.logical_or.reduce([seen[n] for n in names])} | seen
    where["neck"] = (np.abs(columns - middle) < 0.36 * width) & (rows > chin - 4) & (rows < chin + 30) & ~face
    where["cloth"] = (((columns - middle) / 110) ** 2 + ((rows - SIDE) / (SIDE - chin - 22)) ** 2 < 1) & ~face
    where["neck"] &= ~where["cloth"]
    ring = cv2.dilate(seen["scalp"].astype(np.uint8), np.ones((13, 13))) > 0
    where["hair"] = (ring & ~face & (rows < chin - 20)) | seen["scalp"]
    mouth = np.nonzero(seen["mouth_interior"])[0]
    where["teeth"] = seen["mouth_interior"] & (rows < np.percentile(mouth, 50))
    image = np.broadcast_to([90.0, 110, 100], (SIDE, SIDE, 3)).copy()
    for name, colour in (
        ("neck", 0.85 * SKIN), ("cloth", CLOTH), ("face", SKIN), ("ears", SKIN), ("brows", HAIR),
        ("eye_l", (230, 230, 230)), ("eye_r", (230, 230, 230)), ("lips", (170, 80, 80)),
        ("mouth_interior", (50, 15, 15)),
        ("teeth", (225, 220, 205)), ("hair", HAIR),
    ):  # fmt: skip
        image[where[name]] = colour
    person = np.logical_or.reduce([where[n] for n in ("neck", "cloth", "hair")]) | hits.mask
    shade = 0.75 + 0.25 * (1 - np.abs(columns - middle) / SIDE * 2)
    image = image * np.where(person, shade, 1)[..., None] + np.random.default_rng(0).normal(0, 4, image.shape)
    picture = np.clip(cv2.GaussianBlur(image, (0, 0), 0.7), 0, 255).astype(np.uint8)
    return hits, cv2.GaussianBlur(person.astype(np.float32), (0, 0), 0.8), picture, where


def share(found, name, where):
    """Mean of a region inside a mask, its outline left out."""
    inner = cv2.erode(where.astype(np.uint8), np.ones((3, 3))) > 0
    return found[name][inner].mean()


def test_regions_add_up_to_the_matte(head, painted):
    hits, alpha, picture, _ = painted
    found = region_maps(hits, head, alpha, picture)
    assert set(found) == {*REGIONS, "background"}
    assert np.allclose(sum(found[name] for name in REGIONS), alpha, atol=1e-4)
    assert np.allclose(sum(found.values()), 1, atol=1e-4)


def test_each_part_of_a_head_gets_its_name(head, painted):
    hits, alpha, picture, where = painted
    found = region_maps(hits, head, alpha, picture)
    for name, mask in (("skin", "face"), ("hair", "hair"), ("cloth", "cloth"), ("neck", "neck"), ("lips", "lips")):
        assert share(found, name, where[mask]) > 0.8, name
    assert found["teeth"][where["teeth"]].mean() > 0.6
    assert found["teeth"][where["mouth_interior"] & ~where["teeth"]].mean() < 0.25
    assert found["brows"][where["brows"]].mean() > 0.6


def test_a_bald_head_is_skin_and_a_fringe_is_hair(head, painted):
    hits, alpha, picture, where = painted
    rows = np.arange(SIDE)[:, None]
    top = rows[np.nonzero(where["face"])[0].min(), 0]
    fringe = where["face"] & (rows < top + 14) & (np.arange(SIDE)[None] < SIDE / 2)
    other = picture.copy()
    other[fringe] = HAIR
    found = region_maps(hits, head, alpha, other)
    assert share(found, "hair", fringe) > 0.7 > 0.3 > share(region_maps(hits, head, alpha, picture), "hair", fringe)


def test_beard_glasses_and_hands_are_no_face_skin(head, painted):
    hits, alpha, picture, where = painted
    rows, columns = np.mgrid[:SIDE, :SIDE]
    low, high = np.nonzero(where["lips"])[0].max(), np.nonzero(where["eye_l"])[0].mean()
    beard = where["face"] & (rows > low + 3)
    glasses = where["face"] & (np.abs(rows - high - 11) < 3)
    hand = where["cloth"] & ((columns - 60) ** 2 + (rows - 240) ** 2 < 14**2)
    other = picture.copy()
    other[beard], other[glasses], other[hand] = HAIR, (15, 15, 18), SKIN
    found = region_maps(hits, head, alpha, cv2.GaussianBlur(other, (0, 0), 0.7))
    assert share(found, "beard", beard) > 0.7 and share(found, "hands", hand) > 0.6
    assert share(found, "skin", beard) < 0.25 and found["skin"][glasses].mean() < 0.35
    assert share(found, "cloth", hand) < 0.3


def test_a_frame_without_the_face_has_regions_too(head, painted):
    hits, alpha, picture, _ = painted
    vertices = head.template + np.array([5.0, 0, -0.6], np.float32)
    nothing = cast(vertices, head.faces, 290, (SIDE / 2, SIDE / 2), (SIDE, SIDE))
    found = region_maps(nothing, head, alpha, picture)
    assert np.allclose(found["cloth"], alpha, atol=1e-4)
