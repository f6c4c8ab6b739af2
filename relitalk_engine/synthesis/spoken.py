"""Wav2Lip's mouths as a further input of F_blend, where the user has its weights: each in its frame's window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import torch

from .. import weights
from ..errors import ReliTalkError
from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..face.landmarks import OVAL
from .bank import Bank, Driven
from .mel import mel_spectra, window
from .warp import pull, window_map
from .wav2lip import SIDE, Wav2Lip, checkpoint, load_wav2lip

CHANNELS = 4
"""RGB and where it is known."""
BELOW = 0.05
"""What is added below the chin, over the face's height."""
FADE = 6
"""Pixels of Wav2Lip's face over which its lower half fades out at its sides."""


@dataclass(frozen=True)
class Spoken:
    """A sound, and the network that paints faces which say it.

    Attributes:
        net: the user's Wav2Lip.
        digest: eight digits of its file's checksum.
        spectra: [N, 80] of `mel.mel_spectra`.
        fps: frames a second of what is painted.
        later: seconds by which the mouth comes after the sound.
    """

    net: Wav2Lip
    digest: str
    spectra: np.ndarray
    fps: Fraction
    later: float = 0.0

    @classmethod
    def of(
        cls, sound: Iterable[np.ndarray], fps: Fraction, device: str = "cpu", later: float = 0.0, digest: str = ""
    ) -> Spoken | None:
        """The user's Wav2Lip and a sound; None where there is no Wav2Lip and none is wanted.

        Args:
            sound: blocks of it, mono, 16 kHz.
            fps: frames a second.
            device: torch device.
            later: seconds by which the mouth comes after the sound.
            digest: the one that is wanted; empty: whichever there is, or none.

        Raises:
            ReliTalkError: the file is none of Wav2Lip's; or not the one that is wanted.
        """
        path = checkpoint()
        if path is None and not digest:
            return None
        found = "" if path is None else weights.digest(path)
        if path is None or found != (digest or found):
            raise ReliTalkError(
                "no_weights",
                f"This subject was trained with the Wav2Lip weights {digest}, and they are not here"
                + (f": {path} is {found}." if path else "."),
                "Put back the file that it was trained with, or train the subject again.",
            )
        return cls(load_wav2lip(path).to(device), found, mel_spectra(sound), fps, later)

    def say(self, frame: int, pose: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Paint a face that says what is heard at a frame.

        Args:
            frame: its number.
            pose: [96, 96, 3] RGB, 0..1, the face, its lower half black.
            other: [96, 96, 3] the same person at another time.

        Returns:
            [96, 96, 3] RGB, 0..1.
        """
        device = next(self.net.parameters()).device
        seen = np.concatenate([pose[..., ::-1], other[..., ::-1]], -1)
        inputs = window(self.spectra, frame, self.fps, self.later)[None], np.moveaxis(seen, -1, 0)
        with torch.inference_mode():
            painted = self.net(*(torch.from_numpy(np.ascontiguousarray(x))[None].to(device) for x in inputs))
        return np.ascontiguousarray(np.moveaxis(painted[0].float().cpu().numpy(), 0, -1)[..., ::-1])


class Speaker:
    """Wav2Lip's mouths of one clip or take, each in its frame's window.

    Args:
        spoken: the sound and the network.
        bank: the training clip, which shows the face at another time.
        fit: the footage's head, one pose per frame.
        removed: [T, 4] boxes; nothing of the footage below their upper edge is read.
        others: [T] the clip's frame that shows the face at another time.
    """

    def __init__(self, spoken: Spoken, bank: Bank, fit: HeadFit, removed: np.ndarray, others: np.ndarray) -> None:
        """Find the faces."""
        self._spoken, self._bank, self._removed, self._others = spoken, bank, removed, others
        self._faces, self._bank_faces = faces(bank.head, fit), faces(bank.head, bank.fit)

    def crop(self, driven: Driven, frame: int, heard: int, rgb: np.ndarray) -> np.ndarray:
        """What Wav2Lip paints for a frame.

        Args:
            driven: the frame.
            frame: its number among the poses.
            heard: its number in the sound.
            rgb: [H, W, 3] uint8, the footage.

        Returns:
            [S, S, 4] float32: RGB, encoded, light-normalised, times how far it is known; that, 0..1.
        """
        box, other = self._faces[frame], int(self._others[frame])
        pose = _face(rgb, box)
        pose[_first(box, self._removed[frame]) :] = 0
        said = self._spoken.say(heard, pose, _face(self._bank.frame(other)[0][..., :3], self._bank_faces[other]))
        positions = window_map(driven.view, driven.size)
        places = ((positions - box[:2]) * SIDE / box[2:]).astype(np.float32)
        known = _known(places)[..., None]
        shown = driven.normalise(pull(said, places, sharp=False), positions, driven.shading)
        return np.concatenate([shown * known, known], -1).astype(np.float32)


def faces(head: HeadModel, fit: HeadFit) -> np.ndarray:
    """[T, 4] x, y, width, height, in pixels, of the face in every frame: of its pose, never of its mouth."""
    rest = fit.shape(head, np.zeros(len(head.expression_names), np.float32))
    oval = head.at_landmarks(rest)[OVAL]
    placed = np.einsum("tij,kj->tki", fit.rotation, oval) + fit.translation[:, None]
    points = fit.project(placed)
    low, high = points.min(1), points.max(1)
    high[:, 1] += BELOW * (high - low)[:, 1]
    return np.concatenate([low, high - low], 1)


def _face(rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
    """[96, 96, 3] float32, 0..1, of a face; the border repeats outside the picture."""
    x, y, width, height = box
    fine = max(1, int(np.ceil(max(width, height) / SIDE)))
    steps = (np.arange(SIDE * fine, dtype=np.float32) + 0.5) / (SIDE * fine)
    places = np.stack(np.meshgrid(x + steps * width, y + steps * height), -1)
    found = pull(rgb, places.astype(np.float32), sharp=False).astype(np.float32) / 255
    return cv2.resize(found, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _first(face: np.ndarray, removed: np.ndarray) -> int:
    """The first row of a face that is hidden from Wav2Lip: its lower half, or from the removed area on."""
    return int(np.clip(np.floor((removed[1] - 1 - face[1]) / face[3] * SIDE), 0, SIDE // 2))


def _known(places: np.ndarray) -> np.ndarray:
    """[h, w] 1 well inside the lower half of Wav2Lip's face, falling to 0 at its edges, of places [h, w, 2] in it."""
    u, v = places[..., 0], places[..., 1]
    edge = np.minimum(np.minimum(u, SIDE - u), np.minimum(v - SIDE / 2, SIDE - v))
    return np.clip(edge / FADE, 0, 1)
