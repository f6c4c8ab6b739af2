"""What F_mesh is taught with: spoken sentences in many voices and rooms, and the mouth that says them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import visemes
from .acoustics import HOP, RATE
from .espeak import Spoken, say

SENTENCES = Path(__file__).with_name("sentences.txt")
"""Lines of voice, tab, sentence."""

VARIANTS = (
    *(f"f{i}" for i in range(1, 6)),
    *(f"m{i}" for i in range(1, 9)),
    *(f"klatt{i}" for i in ("", 2, 3, 4, 5, 6)),
    *"Andy Annie Denis Diogo Gene Hugo Lee Marco Mario Michael adam anika antonio aunty belinda boris caleb".split(),
    *"david ed grandma grandpa ian iven john linda max michel norbert paul quincy rob shelby steph victor zac".split(),
    *"croak whisper whisperf".split(),
)
MORE_SENTENCES = Path(__file__).with_name("more_sentences.txt")
"""Likewise, rich in p, b and m, in yet more languages."""

MORE_VARIANTS = tuple("Alex Andrea Jacky Nguyen announcer edward gustave miguel pedro sandro".split())

LEAD, LAG = 0.08, 0.04
"""Seconds in which a phone's pull on the mouth falls to a third before it begins and after it ends."""

EDGE = 0.008
"""Seconds over which one phone turns into the next."""

_IPA = {
    "a": "AA AE", "ɑ": "AA", "ɐ": "AH", "ä": "AA AE", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɚ": "ER", "ɜ": "ER EH",
    "ɛ": "EH", "e": "EH EY IY", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "y": "UW UW IY", "ʏ": "UW UW IH",
    "ø": "UW OW EH", "œ": "OW EH AO", "ɵ": "OW ER", "o": "OW AO", "ɔ": "AO", "u": "UW", "ʊ": "UH", "ʉ": "UW",
    "ɯ": "UH IH", "p": "P", "b": "B", "m": "M", "ɓ": "B", "ɸ": "F B", "β": "V B", "f": "F", "v": "V", "ʋ": "V",
    "w": "W", "ɥ": "W Y", "t": "T", "d": "D", "n": "N", "ɾ": "D", "r": "D ER", "ɽ": "D", "ɖ": "D", "ʈ": "T", "ɗ": "D",
    "s": "S", "z": "Z", "θ": "TH", "ð": "DH", "ʃ": "SH", "ʒ": "ZH", "ʂ": "SH S", "ʐ": "ZH Z", "ɕ": "SH S",
    "ʑ": "ZH Z", "ç": "HH Y", "ʝ": "Y", "j": "Y", "ɟ": "G Y", "c": "K Y", "ɲ": "N Y", "ʎ": "L Y", "l": "L", "ɫ": "L",
    "ɭ": "L", "ɬ": "L S", "ɹ": "R", "ɻ": "R", "ʁ": "K", "ʀ": "K", "x": "K", "χ": "K", "ɣ": "G", "k": "K", "g": "G",
    "ɡ": "G", "q": "K", "ŋ": "NG", "h": "HH", "ɦ": "HH", "ħ": "HH", "ʕ": "HH AA", "ʔ": "HH",
}  # fmt: skip
"""Each IPA letter as the mean of one or more mouths of the table."""

_DOMINANCE = {
    "T": 0.7, "D": 0.7, "N": 0.7, "L": 0.7, "TH": 0.8, "DH": 0.8, "K": 0.35, "G": 0.35, "NG": 0.35, "HH": 0.25
}  # fmt: skip
"""Beside the table's own: consonants that leave the lips to their neighbours."""


@dataclass(frozen=True)
class Course:
    """What is said in lessons, and by whom.

    Attributes:
        files: lines of voice, tab, sentence.
        variants: of each voice.
        nonsense: share of utterances that are words of no language.
    """

    files: tuple[Path, ...] = (SENTENCES,)
    variants: tuple[str, ...] = VARIANTS
    nonsense: float = 0.0


@dataclass(frozen=True)
class Utterance:
    """A sentence and its mouth.

    Attributes:
        samples: [n] float32, 16 kHz.
        actions: [N, A] of `visemes.ACTIONS`, 100 a second.
        phones: [N, P] which of `visemes.PHONES` sounds, rows sum to 1.
    """

    samples: np.ndarray
    actions: np.ndarray
    phones: np.ndarray


def utterances(count: int, rng: np.random.Generator, course: Course = Course()) -> Iterator[Utterance]:  # noqa: B008
    """Sentences of mixed words in mixed voices, each heard through some room and microphone."""
    lines = [line.split("\t") for path in course.files for line in path.read_text(encoding="utf-8").splitlines()]
    voices = sorted({voice for voice, _ in lines})
    for i in range(count):
        language = voices[i % len(voices)]
        own = [text for voice, text in lines if voice == language]
        voice = f"{language}+{course.variants[rng.integers(len(course.variants))]}"
        rate, pitch, spread = int(rng.integers(120, 230)), int(rng.integers(10, 95)), int(rng.integers(20, 90))
        invented = course.nonsense and rng.random() < course.nonsense
        yield heard(say(_nonsense(rng) if invented else _words(own, rng), voice, rate, pitch, spread), rng)


def _words(sentences: list[str], rng: np.random.Generator) -> str:
    """A sentence, whole or with the words of all mixed."""
    if rng.random() < 0.4 or " " not in sentences[0]:
        return sentences[rng.integers(len(sentences))]
    words = " ".join(sentences).split()
    return " ".join(rng.choice(words, min(len(words), int(rng.integers(4, 14))), replace=False))


def _nonsense(rng: np.random.Generator) -> str:
    """A few words of a few syllables, in which p, b and m meet every neighbour, as often as all other consonants."""
    words = []
    for _ in range(rng.integers(4, 9)):
        word = ""
        for _ in range(rng.integers(1, 4)):
            onset = rng.choice(("p", "b", "m") if rng.random() < 0.5 else tuple("tdnkgfvslrwhz"))
            word += onset + rng.choice(tuple("aeiou")) + rng.choice(("", "", "", *"mpnlstk"))
        words.append(word)
    return " ".join(words)


def heard(spoken: Spoken, rng: np.random.Generator) -> Utterance:
    """A spoken sentence, with silence about it, resampled to other pitch and speed, through a room and a microphone."""
    from scipy.signal import resample_poly

    speed = rng.uniform(0.85, 1.2)
    source = round(spoken.rate * speed)
    before, after = rng.uniform(0.1, 0.7), rng.uniform(0.1, 0.7)
    divisor = np.gcd(source, RATE)
    samples = resample_poly(spoken.samples, RATE // divisor, source // divisor).astype(np.float32)
    samples = np.concatenate([np.zeros(int(before * RATE)), samples, np.zeros(int(after * RATE))]).astype(np.float32)
    phones = [(name, before + at / speed) for name, at in spoken.phones]
    actions, said = mouth(phones, -(-len(samples) // HOP))
    return Utterance(_recorded(samples / (np.abs(samples).max() + 1e-6), rng), actions, said)


def nearest_phones(spoken: Spoken) -> Iterator[tuple[str, float, float]]:
    """What was said as phones of the viseme table: name, first and last second."""
    for who, start, stop, _ in _segments(list(spoken.phones), len(spoken.samples) / spoken.rate):
        yield visemes.PHONES[who[0]], start, stop


def mouth(phones: list[tuple[str, float]], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The mouth that says phones, coarticulated.

    Args:
        phones: IPA, empty for a pause, and the second at which each begins.
        count: N.

    Returns:
        Actions [N, A] and which of `visemes.PHONES` sounds [N, P], at the middle of every 10 ms.

    Source: dominance after Cohen & Massaro 1993.
    """
    from scipy.ndimage import gaussian_filter1d

    names = visemes.PHONES
    table, dominance = visemes.values(names), visemes.dominance(names)
    dominance = dominance * np.array([_DOMINANCE.get(name, 1.0) for name in names], np.float32)
    vowels = visemes.traits(names)[:, visemes.TRAITS.index("vowel")]
    at = (np.arange(count) + 0.5) * HOP / RATE
    total, weight = np.zeros((count, table.shape[1])), np.zeros((count, 1))
    said = np.full((count, len(names)), 1e-9)
    for who, start, stop, stress in _segments(phones, count * HOP / RATE):
        shape = table[who].mean(0) * (stress if vowels[who].mean() > 0.5 else 1.0)
        away = np.maximum(start - at, 0.0) / LEAD + np.maximum(at - stop, 0.0) / LAG
        pull = (dominance[who].mean() * np.exp(-away))[:, None]
        total += pull * shape
        weight += pull
        outside = np.maximum(np.maximum(start - at, at - stop), 0.0)
        said[:, who] += np.exp(-0.5 * (outside / EDGE) ** 2)[:, None] / len(who)
    actions = gaussian_filter1d(total / np.maximum(weight, 1e-9), 1.5, axis=0, mode="nearest")
    return actions.astype(np.float32), (said / said.sum(1, keepdims=True)).astype(np.float32)


def _segments(phones: list[tuple[str, float]], end: float) -> Iterator[tuple[list[int], float, float, float]]:
    """Rows of the table, beginning, end and stress of every letter; silence before, between and after."""
    silence = [visemes.PHONES.index("SIL")]
    previous = 0.0
    ends = [at for _, at in phones[1:]] + [end]
    for (name, start), stop in zip(phones, ends, strict=True):
        if start > previous:
            yield silence, previous, start, 1.0
        previous = stop
        said = "" if name.startswith("(") else name  # "(en)": another language's rules read on
        letters = [[visemes.PHONES.index(p) for p in _IPA[c].split()] for c in said if c in _IPA]
        stress = 1.15 if "ˈ" in name else 0.85
        for i, who in enumerate(letters):
            step = (stop - start) / len(letters)
            yield who, start + i * step, start + (i + 1) * step, stress
        if not letters and stop > start:
            yield silence, start, stop, 1.0


def _recorded(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sound [n] through a room, noise, and a microphone or telephone, each some of the time."""
    from scipy.signal import butter, fftconvolve, sosfilt

    count = len(samples)
    if rng.random() < 0.5:
        reach = int(rng.uniform(0.1, 0.5) * RATE)
        tail = rng.standard_normal(reach) * np.exp(-6.9 * np.arange(reach) / reach)
        tail *= rng.uniform(0.1, 0.6) / np.sqrt((tail**2).sum())
        tail[0] = 1.0
        samples = fftconvolve(samples, tail)[:count]
    tilt = rng.uniform(-0.5, 0.5)
    samples = samples + tilt * np.append(0.0, samples[:-1])
    if rng.random() < 0.6:
        samples = samples + _noise(count, rng) * np.sqrt((samples**2).mean()) * 10 ** (-rng.uniform(3, 35) / 20)
    if rng.random() < 0.2:
        band = rng.uniform(150, 350), rng.uniform(3000, 3700)
        samples = sosfilt(butter(4, band, "band", fs=RATE, output="sos"), samples)
    if rng.random() < 0.1:
        samples = np.clip(samples, -0.3, 0.3)
    return (0.5 * samples / (np.abs(samples).max() + 1e-6)).astype(np.float32)


def _noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """White to brown noise [n] of unit power, at times swelling."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= (1.0 + np.arange(len(spectrum)) * RATE / count / 50.0) ** rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, count)
    if rng.random() < 0.3:
        noise *= 1.0 + 0.8 * np.sin(2 * np.pi * rng.uniform(0.3, 4) * np.arange(count) / RATE + rng.uniform(0, 6))
    return noise / (noise.std() + 1e-9)
