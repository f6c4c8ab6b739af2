"""The registry of weights that a user may add; none of them ships, each has a built-in part that works without it.

Files lie in `RELITALK_WEIGHTS`, or `~/.relitalk/weights`. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Weights:
    """One file that a user may add."""

    name: str
    file: str
    """Its name in the weights folder."""
    licence: str
    where: str
    """Where to get it."""
    replaces: str
    """The built-in part that does its work until then."""
    least_bytes: int
    """A smaller file is not whole."""
    magic: tuple[bytes, ...] = ()
    """What the file may begin with; empty: not looked at."""
    read_by: str = ""
    """The part of this version that reads it; empty: none does yet."""
    or_file: str = ""
    """Another name that it may have there."""
    beside: str = ""
    """Ending, in place of its own, of a second file that it needs; empty: none."""
    head: str = ""
    """The head model that it holds, as in a preset; empty: none."""

    def path(self) -> Path:
        """Where it is, or where it is looked for."""
        other = folder() / self.or_file
        return other if self.or_file and other.exists() else folder() / self.file

    def problem(self) -> str:
        """What is wrong with what lies there; empty: nothing that can be told at a glance, or there is none."""
        path = self.path()
        if not path.exists():
            return ""
        second = path.with_suffix(self.beside)
        if self.beside and not second.is_file():
            return f"{second.name} is not beside it"
        size = sum(part.stat().st_size for part in (path.iterdir() if path.is_dir() else (path,)))
        if size < self.least_bytes:
            return f"it holds {size} bytes, and {self.least_bytes} or more are expected"
        if self.magic:
            with open(path, "rb") as file:
                start = file.read(max(map(len, self.magic)))
            if not start.startswith(self.magic):
                return "it is not the kind of file that is expected"
        return ""


_TORCH = (b"PK", b"\x80\x02")

REGISTRY = (
    Weights(
        "FaceNet (InceptionResnetV1, VGGFace2)",
        "facenet_vggface2.pt",
        "MIT code; weights trained on VGGFace2 (CC BY-SA 4.0 list)",
        "https://github.com/timesler/facenet-pytorch/releases",
        "identity features of the dlib face-recognition network",
        100_000_000,
        _TORCH,
    ),
    Weights(
        "VGG-Face (VGG-16)",
        "vgg_face.pth",
        "CC BY-NC 4.0",
        "https://www.robots.ox.ac.uk/~vgg/software/vgg_face/",
        "perceptual features of the dlib face-recognition network",
        500_000_000,
        _TORCH,
    ),
    Weights(
        "Wav2Lip (expert discriminator)",
        "lipsync_expert.pth",
        "research use only",
        "https://github.com/Rudrabha/Wav2Lip",
        "no built-in part: a further measure of lip-sync",
        100_000_000,
        _TORCH,
    ),
    Weights(
        "Wav2Lip (generator)",
        "wav2lip_gan.pth",
        "research use only",
        "https://github.com/Rudrabha/Wav2Lip (there Wav2Lip-SD-GAN.pt and Wav2Lip-SD-NOGAN.pt)",
        "no built-in part: a further picture of the mouth for F_blend",
        70_000_000,
        _TORCH,
        read_by="training, and the subjects trained with it",
        or_file="wav2lip.pth",
    ),
    Weights(
        "HuBERT or wav2vec 2.0 (base)",
        "hubert_base.safetensors",
        "Apache-2.0",
        "https://huggingface.co/facebook/hubert-base-ls960",
        "phone features of pocketsphinx and log-mel energies",
        300_000_000,
        read_by="training, and the subjects trained with it",
        or_file="hubert_base.pt",
    ),
    Weights(
        "VOCA (an .index file, its .data-00000-of-00001 beside it)",
        "gstep_52280.model.index",
        "VOCA licence, non-commercial",
        "https://voca.is.tue.mpg.de",
        "F_mesh",
        1_000,
        read_by="training where DeepSpeech's logits lie beside the clip, and the subjects trained with it",
        or_file="voca.index",
        beside=".data-00000-of-00001",
    ),
    Weights(
        "FLAME 2020 or 2023",
        "flame.pkl",
        "FLAME licence; 2023 Open: CC BY 4.0",
        "https://flame.is.tue.mpg.de (generic_model.pkl or flame2023.pkl)",
        "the Anny head",
        1_000_000,
        read_by='a preset with head = "flame" under [fit]',
        or_file="flame.npz",
        head="flame",
    ),
    Weights(
        "ICT-FaceKit",
        "FaceXModel",
        "MIT",
        "https://github.com/ICT-VGL/ICT-FaceKit (its folder FaceXModel, whole)",
        "the Anny head",
        1_000_000,
        read_by='a preset with head = "ict" under [fit]',
        head="ict",
    ),
)


def of_head(kind: str) -> Weights:
    """The entry that holds a head model."""
    return next(entry for entry in REGISTRY if entry.head == kind)


def own(file: str) -> Path | None:
    """The user's file of the entry with this name in the weights folder; None: it is not here."""
    path = next(entry for entry in REGISTRY if entry.file == file).path()
    return path if path.is_file() else None


def digest(path: Path) -> str:
    """Eight digits of a file's checksum, by which a subject knows the weights that it was made with."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def folder() -> Path:
    """Where a user's own weights lie."""
    named = os.environ.get("RELITALK_WEIGHTS")
    return Path(named) if named else Path.home() / ".relitalk" / "weights"
