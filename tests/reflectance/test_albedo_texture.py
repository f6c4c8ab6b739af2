import cv2
import numpy as np
import pytest

from relitalk_engine.errors import ReliTalkError
from relitalk_engine.face.heads import load_head
from relitalk_engine.geometry.raster import cast, interpolate
from relitalk_engine.geometry.surface import vertex_normals
from relitalk_engine.reflectance.albedo_texture import MOVES, SIZE, AlbedoTexture, Look, Samples, follow
from relitalk_engine.reflectance.texels import Texels, look_up

SIDE, FOCAL = 128, 260.0
SKIN = np.float32([0.5, 0.31, 0.22])


class Frame:
    """A head at a pose, its albedo spoilt by a light that was found wrong, a highlight and the camera's exposure."""

    def __init__(self, head, index):
        turn = cv2.Rodrigues(np.float32([0.12 * np.cos(2.0 * index), 0.5 * np.sin(1.3 * index), 0]))[0]
        self.vertices = (head.template @ turn.T + np.float32([0, 0.02, -0.55])).astype(np.float32)
        self.hits = cast(self.vertices, head.faces, FOCAL, (SIDE / 2, SIDE / 2), (SIDE, SIDE))
        normal = interpolate(self.hits, vertex_normals(self.vertices, head.faces), head.faces)
        freckles = np.sin(120 * head.template[:, 1:2]) * np.float32([[0.1, 0.15, 0.2]])
        self.true = np.log(SKIN) + interpolate(self.hits, freckles.astype(np.float32), head.faces)
        wrong = 0.15 * normal[..., :1] + 0.05 * np.sin(index)
        wrong[20 + 6 * index : 34 + 6 * index, 50:78] += 0.5
        self.mask = self.hits.mask
        solid = self.mask.astype(np.float32)
        albedo = (np.exp(self.true + wrong) * solid[..., None]).astype(np.float32)
        ones = np.ones_like(albedo)
        self.look = Look(np.clip(albedo, 0, 0.9), albedo, ones, 0 * ones, solid, solid)

    @staticmethod
    def project(points):
        return points[:, :2] / -points[:, 2:] * np.float32([FOCAL, -FOCAL]) + SIDE / 2


@pytest.fixture(scope="module")
def head():
    return load_head("anny")


@pytest.fixture(scope="module")
def frames(head):
    return [Frame(head, index) for index in range(9)]


def solved(head, frames):
    samples = Samples.of(head)
    for frame in frames:
        samples.add(frame.look, frame.hits, frame.vertices, frame.project)
    return samples.solve()


@pytest.fixture(scope="module")
def texture(head, frames):
    return solved(head, frames)


def test_paint_is_what_stays_whatever_the_pose(texture, frames):
    for frame in frames[::4]:
        seen = texture.at(frame.hits, SIDE)
        sure = seen[..., 3] > 0.7
        assert sure.sum() > 800
        found, spoilt = (x[sure] - frame.true[sure] for x in (seen[..., :3], np.log(frame.look.albedo + 1e-6)))
        assert found.std() < 0.62 * spoilt.std()


def test_frames_that_follow_agree_and_keep_their_detail(head, texture, frames):
    moves = np.maximum.reduce([head.regions[name] for name in MOVES])
    points = Texels.of(head, 128)
    points = Texels(128, *(x[points.read(moves[:, None])[:, 0] < 0.02] for x in (
        points.places, points.triangle, points.bary)), head.faces)
    before, after, weight = [], [], []
    for frame in frames:
        view = points.view(frame.vertices, frame.hits, frame.project)
        own = np.log(np.maximum(frame.look.albedo, 1e-4))
        taken = follow(frame.look, texture.at(frame.hits, SIDE))
        before.append(look_up(own, view.pixels))
        after.append(look_up((own + taken).astype(np.float32), view.pixels))
        weight.append(view.facing > 0.5)
        detail = own - cv2.GaussianBlur(own, (0, 0), 1)
        inner = cv2.erode(frame.mask.astype(np.uint8), np.ones((15, 15))) > 0
        kept = own + taken - cv2.GaussianBlur(own + taken, (0, 0), 1)
        assert kept[inner].std() > 0.5 * detail[inner].std()
    often = np.sum(weight, 0) > 5
    assert often.sum() > 200
    one, other = (np.ma.array(np.stack(x), mask=~np.stack(weight)[..., None] * np.ones(3, bool)).std(0)[often].mean()
                  for x in (before, after))
    assert other < 0.5 * one


def test_nothing_is_taken_off_the_head_or_where_something_is_before_it(texture, frames):
    look = frames[0].look
    taken = follow(look, texture.at(frames[0].hits, SIDE))
    away = cv2.dilate(frames[0].mask.astype(np.uint8), np.ones((15, 15))) == 0
    assert np.abs(taken[away]).max() < 0.01
    covered = Look(look.image, look.albedo, look.shading, look.shine, look.alpha, 0 * look.stays)
    assert np.abs(follow(covered, texture.at(frames[0].hits, SIDE))).max() == 0


def test_another_exposure_is_evened_out_over_the_whole_frame(texture, frames):
    look = frames[0].look
    dark = Look(look.image, (0.5 * look.albedo).astype(np.float32), look.shading, look.shine, look.alpha, look.stays)
    one, other = (follow(x, texture.at(frames[0].hits, SIDE)) for x in (look, dark))
    assert np.abs(np.median((other - one - np.log(2))[frames[0].mask])) < 0.02
    assert np.abs(other[0, 0] - np.log(2)).max() < 0.1


def test_a_side_that_is_never_lit_leans_on_the_other(head, frames):
    def one_sided(frame):
        left = interpolate(frame.hits, head.template[:, :1], head.faces)[..., 0] < 0
        dark = np.where(left, 0.02, 1.0).astype(np.float32)[..., None]
        look = frame.look
        albedo = np.where(left[..., None], look.albedo * 0.4, look.albedo).astype(np.float32)
        other = Frame.__new__(Frame)
        other.__dict__.update(frame.__dict__)
        other.look = Look(look.image, albedo, look.shading * dark, look.shine, look.alpha, look.stays * dark[..., 0])
        return other

    found = solved(head, [one_sided(frame) for frame in frames])
    seen = found.at(frames[0].hits, SIDE)
    left = interpolate(frames[0].hits, head.template[:, :1], head.faces)[..., 0] < -0.01
    face = frames[0].mask & (seen[..., 3] > 0.5)
    away = (seen[..., :3] - frames[0].true).mean(-1)
    assert (face & left).sum() > 200
    assert np.abs(np.median(away[face & left]) - np.median(away[face & ~left])) < 0.1


def test_a_texture_comes_back_from_its_tensors(head, texture, frames):
    back = AlbedoTexture.from_tensors(texture.tensors(), head)
    one, two = (x.at(frames[1].hits, 48) for x in (texture, back))
    assert np.abs(one - two).max() < 5e-3 and back.paint.shape == (SIZE, SIZE, 3)
    with pytest.raises(ReliTalkError, match="texture"):
        AlbedoTexture.from_tensors({"paint": texture.paint[:8]}, head)


def test_no_texture_where_no_face_was_seen(head, frames):
    look = frames[0].look
    hidden = Look(look.image, look.albedo, look.shading, look.shine, look.alpha, 0 * look.stays)
    samples = Samples.of(head)
    samples.add(hidden, frames[0].hits, frames[0].vertices, Frame.project)
    assert samples.solve() is None
