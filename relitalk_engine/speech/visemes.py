"""The mouth of each phone, in ARKit's actions: the rule that F_mesh starts from, for any speaker.

Values are for a relaxed adult speaker of English; a subject scales them. Left and right are alike.

Source: articulatory phonetics (Ladefoged & Johnson, A Course in Phonetics) put into actions by hand; dominance after
Cohen & Massaro 1993.
"""

from __future__ import annotations

import numpy as np

ACTIONS = (
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthStretch",
    "mouthSmile",
    "mouthLowerDown",
    "mouthUpperUp",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthPress",
    "mouthShrugUpper",
)
"""Columns of the table; a name that ARKit splits stands for both sides."""

_REST = (0.06, 0.03, 0, 0, 0, 0, 0, 0, 0, 0, 0.05, 0)
_TABLE: dict[str, tuple[float, ...]] = {
    #      jaw   close funl  puck  stre  smil  lowr  uppr  rolL  rolU  press shrug
    "SIL": _REST,
    "+NSN+": _REST,
    "+SPN+": (0.20, 0, 0, 0, 0.05, 0, 0.10, 0.10, 0, 0, 0, 0),
    "AA": (0.62, 0, 0.03, 0, 0.05, 0, 0.25, 0.20, 0, 0, 0, 0),
    "AE": (0.55, 0, 0, 0, 0.22, 0.10, 0.30, 0.25, 0, 0, 0, 0),
    "AH": (0.40, 0, 0, 0, 0.05, 0, 0.20, 0.15, 0, 0, 0, 0),
    "AO": (0.48, 0, 0.24, 0.15, 0, 0, 0.15, 0.10, 0, 0, 0, 0),
    "AW": (0.55, 0, 0.15, 0.15, 0, 0, 0.20, 0.15, 0, 0, 0, 0),
    "AY": (0.55, 0, 0, 0, 0.15, 0.10, 0.25, 0.20, 0, 0, 0, 0),
    "EH": (0.42, 0, 0, 0, 0.20, 0.10, 0.25, 0.20, 0, 0, 0, 0),
    "ER": (0.25, 0, 0.18, 0.20, 0, 0, 0.15, 0.10, 0, 0, 0, 0),
    "EY": (0.38, 0, 0, 0, 0.25, 0.15, 0.25, 0.20, 0, 0, 0, 0),
    "IH": (0.31, 0, 0, 0, 0.20, 0.10, 0.20, 0.15, 0, 0, 0, 0),
    "IY": (0.22, 0, 0, 0, 0.30, 0.20, 0.25, 0.20, 0, 0, 0, 0),
    "OW": (0.36, 0, 0.24, 0.45, 0, 0, 0.10, 0.05, 0, 0, 0, 0),
    "OY": (0.40, 0, 0.24, 0.35, 0, 0, 0.10, 0.10, 0, 0, 0, 0),
    "UH": (0.24, 0, 0.21, 0.35, 0, 0, 0.10, 0.10, 0, 0, 0, 0),
    "UW": (0.14, 0, 0.18, 0.70, 0, 0, 0.05, 0.05, 0, 0, 0, 0),
    "B": (0.10, 0.12, 0, 0, 0, 0, 0, 0, 0.15, 0.10, 0.25, 0),
    "P": (0.10, 0.12, 0, 0, 0, 0, 0, 0, 0.15, 0.10, 0.25, 0),
    "M": (0.10, 0.12, 0, 0, 0, 0, 0, 0, 0.15, 0.10, 0.20, 0),
    "F": (0.14, 0.03, 0, 0, 0.05, 0, 0, 0.15, 0.40, 0, 0, 0.05),
    "V": (0.14, 0.03, 0, 0, 0.05, 0, 0, 0.15, 0.35, 0, 0, 0.05),
    "W": (0.10, 0, 0.18, 0.75, 0, 0, 0.05, 0, 0, 0, 0, 0),
    "R": (0.17, 0, 0.24, 0.30, 0, 0, 0.15, 0.10, 0, 0, 0, 0),
    "L": (0.28, 0, 0, 0, 0.10, 0, 0.20, 0.15, 0, 0, 0, 0),
    "Y": (0.22, 0, 0, 0.05, 0.20, 0.10, 0.15, 0.15, 0, 0, 0, 0),
    "T": (0.20, 0, 0, 0, 0.10, 0, 0.18, 0.12, 0, 0, 0, 0),
    "D": (0.20, 0, 0, 0, 0.10, 0, 0.18, 0.12, 0, 0, 0, 0),
    "N": (0.23, 0, 0, 0, 0.10, 0, 0.18, 0.12, 0, 0, 0, 0),
    "S": (0.14, 0, 0, 0, 0.20, 0.05, 0.22, 0.18, 0, 0, 0, 0),
    "Z": (0.14, 0, 0, 0, 0.20, 0.05, 0.22, 0.18, 0, 0, 0, 0),
    "SH": (0.08, 0, 0.33, 0.30, 0, 0, 0.22, 0.20, 0, 0, 0, 0),
    "ZH": (0.08, 0, 0.33, 0.30, 0, 0, 0.22, 0.20, 0, 0, 0, 0),
    "CH": (0.10, 0, 0.30, 0.30, 0, 0, 0.22, 0.18, 0, 0, 0, 0),
    "JH": (0.11, 0, 0.30, 0.30, 0, 0, 0.22, 0.18, 0, 0, 0, 0),
    "TH": (0.22, 0, 0, 0, 0.10, 0, 0.20, 0.12, 0, 0, 0, 0),
    "DH": (0.22, 0, 0, 0, 0.10, 0, 0.18, 0.12, 0, 0, 0, 0),
    "K": (0.26, 0, 0, 0, 0.05, 0, 0.15, 0.12, 0, 0, 0, 0),
    "G": (0.26, 0, 0, 0, 0.05, 0, 0.15, 0.12, 0, 0, 0, 0),
    "NG": (0.26, 0, 0, 0, 0.05, 0, 0.15, 0.12, 0, 0, 0, 0),
    "HH": (0.32, 0, 0, 0, 0.05, 0, 0.15, 0.12, 0, 0, 0, 0),
}

_DOMINANCE = {"B": 4.0, "P": 4.0, "M": 4.0, "F": 3.0, "V": 2.5, "W": 2.5, "UW": 1.5, "SH": 2.0, "CH": 2.0, "JH": 1.5}

_TRAITS: dict[str, str] = {
    "closed": "B P M",
    "labiodental": "F V",
    "silent": "SIL +NSN+",
    "coronal": "T D N L S Z TH DH",
    "hissing": "S Z SH ZH CH JH",
    "vowel": "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
    "velar": "K G NG HH",
    "rounded": "UW UH OW AO OY W R ER SH CH JH ZH",
    "spread": "IY EY IH AE EH Y",
    "low": "AA AE AW AY AO",
}

PHONES = tuple(_TABLE)
"""Phones that the table knows."""

TRAITS = tuple(_TRAITS)
"""Names of the articulatory traits."""

SPOKEN = len(ACTIONS) + len(TRAITS)
"""Columns of what F_mesh's ear hears: actions of the table, then traits."""

CLOSED = tuple(_TRAITS["closed"].split())
"""Phones whose lips touch."""


def expand(names: tuple[str, ...]) -> np.ndarray:
    """Map [len(ACTIONS), E] from the table's columns to a head's action names, both sides where ARKit splits."""
    result = np.zeros((len(ACTIONS), len(names)), np.float32)
    for row, action in enumerate(ACTIONS):
        for column, name in enumerate(names):
            if name in (action, action + "Left", action + "Right", action + "_L", action + "_R"):
                result[row, column] = 1.0
    return result


def values(phones: tuple[str, ...]) -> np.ndarray:
    """The table's own rows [P, len(ACTIONS)] of each phone; one that it does not know rests."""
    return np.array([_TABLE.get(phone, _REST) for phone in phones], np.float32)


def resting() -> np.ndarray:
    """What F_mesh's ear hears of silence, [SPOKEN]."""
    return np.concatenate([values(("SIL",)), traits(("SIL",))], 1)[0]


def table(phones: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
    """Actions [P, E] of each phone; a phone the table does not know rests."""
    return values(phones) @ expand(names)


def dominance(phones: tuple[str, ...]) -> np.ndarray:
    """How strongly each phone [P] insists on its mouth against its neighbours."""
    return np.array([_DOMINANCE.get(phone, 1.0) for phone in phones], np.float32)


def traits(phones: tuple[str, ...]) -> np.ndarray:
    """Which articulatory traits each phone has, [P, A] of 0 and 1."""
    return np.array([[phone in group.split() for group in _TRAITS.values()] for phone in phones], np.float32)
