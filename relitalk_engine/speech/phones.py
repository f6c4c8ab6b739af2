"""Soft phones: which phone sounds when, with how much belief, from the acoustic model that pocketsphinx brings.

The recogniser gives one best string. Here its Gaussians are scored in numpy and summed over all strings (forward and
backward), so that an unsure phone is a mixture of the likely ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import MissingPart

_STATES = 3


@dataclass(frozen=True)
class PhoneModel:
    """Context-independent phones of the en-us model: P phones of three states, each a mixture in its own codebook.

    Attributes:
        names: P phone names, ARPABET and ``SIL``, ``+NSN+``, ``+SPN+``.
        means: [P, 3, 128, 13] of cepstra, their change, and the change of that.
        precisions: [P, 3, 128, 13] one over twice the variance.
        constants: [P, 3, 128] log normalisers.
        weights: [P, 3, 3, 128] log mixture weights by state and stream.
        stay: [P, 3] probability of staying in a state for another 10 ms.
        follows: [P, P] probability of a phone after a phone.
    """

    names: tuple[str, ...]
    means: np.ndarray
    precisions: np.ndarray
    constants: np.ndarray
    weights: np.ndarray
    stay: np.ndarray
    follows: np.ndarray

    def scores(self, cepstra: np.ndarray) -> np.ndarray:
        """Log likelihood of every state, [N, P, 3], for cepstra [N, 13]."""
        streams = [np.concatenate([x * x, x], 1).astype(np.float32) for x in _with_changes(cepstra)]
        total = np.zeros((len(cepstra), len(self.names), _STATES), np.float32)
        for phone in range(len(self.names)):
            for stream in range(3):
                mean, precision = self.means[phone, stream], self.precisions[phone, stream]
                x = streams[stream]
                # one product: [x², x] by [precision, -2 mean precision]
                form = np.concatenate([precision, -2.0 * mean * precision], 1).astype(np.float32)
                offset = self.constants[phone, stream] - (mean * mean * precision).sum(1)
                density = offset.astype(np.float32) - x @ form.T
                top = density.max(1, keepdims=True)
                part = np.exp(density - top) @ np.exp(self.weights[phone, :, stream]).T.astype(np.float32)
                total[:, phone] += np.log(part + 1e-30) + top
        return total

    def posteriors(self, scores: np.ndarray, sharpness: float = 0.3, insertion: float = 1.0) -> np.ndarray:
        """Belief in every phone at every moment, summed over all phone strings.

        Args:
            scores: [N, P, 3] log likelihoods.
            sharpness: exponent on the likelihoods; neighbouring 10 ms are not independent, so well below 1.
            insertion: exponent on the probability of a phone after a phone.

        Returns:
            [N, P], rows sum to 1.
        """
        count, phones, _ = scores.shape
        emit = sharpness * scores.reshape(count, -1)
        emit = np.exp(emit - emit.max(1, keepdims=True)) + 1e-8
        stay = self.stay.reshape(-1)
        leave = 1.0 - stay
        follows = self.follows**insertion
        first, last = slice(0, None, 3), slice(2, None, 3)

        forward = np.zeros((count, phones * 3))
        state = np.zeros(phones * 3)
        state[first] = 1.0 / phones
        for i in range(count):
            if i:
                moved = np.zeros_like(state)
                moved[1:] = (state * leave)[:-1]
                moved[first] = (state * leave)[last] @ follows
                state = state * stay + moved
            state = state * emit[i]
            state /= state.sum()
            forward[i] = state
        back = np.ones(phones * 3)
        belief = np.zeros((count, phones))
        for i in range(count - 1, -1, -1):
            both = forward[i] * back
            belief[i] = both.reshape(phones, 3).sum(1) / both.sum()
            ahead = emit[i] * back
            onward = np.zeros_like(back)
            onward[:-1] = ahead[1:]
            onward[last] = follows @ ahead[first]
            back = stay * ahead + leave * onward
            back /= back.sum()
        return belief.astype(np.float32)

    def part(self, scores: np.ndarray, phones: list[int]) -> np.ndarray:
        """Where each phone of a known string begins and ends: the likeliest path through its states.

        Args:
            scores: [N, P, 3] log likelihoods of the stretch that the K phones fill.
            phones: K indices of `names`.

        Returns:
            [K + 1] ascending rows from 0 to N; even where there are fewer rows than states.
        """
        count, states = len(scores), _STATES * len(phones)
        if count < states:
            return np.linspace(0, count, len(phones) + 1).round().astype(int)
        emit = scores[:, phones].reshape(count, states)
        best = np.full(states, -np.inf)
        best[0] = emit[0, 0]
        moved = np.zeros((count, states), bool)
        for i in range(1, count):
            onward = np.append(-np.inf, best[:-1])
            moved[i] = onward > best
            best = np.maximum(onward, best) + emit[i]
        edges = np.zeros(len(phones) + 1, int)
        state, edges[-1] = states - 1, count
        for i in range(count - 1, 0, -1):
            if moved[i, state]:
                if state % _STATES == 0:
                    edges[state // _STATES] = i
                state -= 1
        return edges


def _with_changes(cepstra: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cepstra less their mean, their change over 40 ms, and the change of that; each [N, 13]."""
    centred = np.asarray(cepstra - cepstra.mean(0), np.float64)
    padded = np.concatenate([centred[:1].repeat(3, 0), centred, centred[-1:].repeat(3, 0)])
    n = len(centred)
    at = lambda shift: padded[3 + shift : 3 + shift + n]  # noqa: E731
    return centred, at(2) - at(-2), (at(3) - at(-1)) - (at(1) - at(-3))


def model_folder() -> Path:
    """Folder of the en-us model inside the pocketsphinx wheel.

    Raises:
        MissingPart: pocketsphinx is not installed.
    """
    try:
        from pocketsphinx import get_model_path
    except ImportError as error:
        raise MissingPart(
            "no_pocketsphinx", "The speech recogniser pocketsphinx is not installed.", "Set up the engine again."
        ) from error
    return Path(get_model_path("en-us"))


@lru_cache(maxsize=1)
def load_phone_model() -> PhoneModel:
    """Read the acoustic model that lies in the pocketsphinx wheel; nothing is unpickled.

    Raises:
        MissingPart: pocketsphinx is not installed, or its files are not those of its en-us model.
    """
    folder = model_folder() / "en-us"
    try:
        names = _phone_names(folder / "mdef")
        phones = len(names)
        means = _gaussians(folder / "means", phones)
        variances = np.maximum(_gaussians(folder / "variances", phones), 1e-4)
        raw = np.frombuffer((folder / "sendump").read_bytes(), np.uint8)
        senones = int(np.frombuffer(raw[636:640].tobytes(), "<i4")[0])
        table = raw[640:].reshape(3, 128, senones)[:, :, : phones * _STATES].astype(np.float64)
        counts = np.frombuffer((folder / "transition_matrices").read_bytes()[60:], "<f4")
        counts = counts[: phones * 12].reshape(phones, 3, 4).astype(np.float64)
    except (OSError, ValueError) as error:
        raise MissingPart(
            "bad_phone_model",
            f"The speech recogniser's model in {folder} cannot be read.",
            "Set up the engine again, so that pocketsphinx 5 is installed afresh.",
        ) from error
    # quantised as minus the logarithm to base 1.0001, in steps of 1024
    weights = -table * 1024 * np.log(1.0001)
    weights = weights.reshape(3, 128, phones, _STATES).transpose(2, 3, 0, 1)
    own = counts[:, np.arange(3), np.arange(3)]
    constants = -0.5 * np.log(2 * np.pi * variances).sum(-1)
    stay = np.clip(own / counts.sum(-1), 0.3, 0.98)
    follows = _phone_pairs(model_folder() / "cmudict-en-us.dict", names)
    return PhoneModel(names, means, 0.5 / variances, constants, weights, stay, follows)


def _phone_names(path: Path) -> tuple[str, ...]:
    data = path.read_bytes()
    if data[:4] != b"BMDF":
        raise ValueError(path)
    start = 12 + int.from_bytes(data[8:12], "little")
    count = int.from_bytes(data[start : start + 4], "little")
    names = data[start + 40 : start + 40 + 16 * count].split(b"\0")[:count]
    return tuple(name.decode("ascii") for name in names)


def _gaussians(path: Path, phones: int) -> np.ndarray:
    data = path.read_bytes()
    start = data.index(b"endhdr\n") + 7 + 4 + 12 + 12 + 4
    values = np.frombuffer(data[start:], "<f4")[: phones * 3 * 128 * 13]
    return values.reshape(phones, 3, 128, 13).astype(np.float64)


def _phone_pairs(path: Path, names: tuple[str, ...]) -> np.ndarray:
    """How often a phone follows a phone in the words of a dictionary, silence between words; [P, P], rows sum to 1."""
    index = {name: i for i, name in enumerate(names)}
    silence = index["SIL"]
    counts = np.full((len(names), len(names)), 20.0)
    for line in path.read_text("utf-8", "replace").splitlines():
        phones = [index[p] for p in line.split()[1:] if p in index]
        if not phones:
            continue
        np.add.at(counts, (phones[:-1], phones[1:]), 1.0)
        counts[silence, phones[0]] += 1.0
        counts[phones[-1], silence] += 0.3
    word_start = counts[silence] / counts[silence].sum()
    counts += 0.7 * counts[:, silence : silence + 1] * word_start  # words run together
    np.fill_diagonal(counts, 1.0)
    for name in ("+NSN+", "+SPN+"):
        counts[:, index[name]] *= 0.5
    return counts / counts.sum(1, keepdims=True)
