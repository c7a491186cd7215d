"""Chord symbols as musicians write them: `G`, `Em`, `D7`, `A/C#`, `Dsus4`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from sluice.tunes.theory.keys import Pitch

_SIGN = r"(?:##|bb|[#b♯♭])?"
_QUALITY = (
    r"(?:maj|min|dim|aug|sus|add|omit|no|alt|ma|mi|M|m|[-+^°ºøØΔ]|[#b♯♭]?(?:1[13]|[24-79])|[(),])*"
)
_CHORD = re.compile(rf"([A-G]|[a-g](?=m(?!a)))({_SIGN})({_QUALITY})(?:/([A-Ga-g])({_SIGN}))?(?!\w)")
_SEPARATOR = re.compile(r"([\s;]+)")
_ALTERATIONS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1, "##": 2, "bb": -2}
_SIGNS = {0: "", 1: "#", -1: "b", 2: "##", -2: "bb"}
NO_CHORD = re.compile(r"N\.? ?C\.?")
"""Says that the accompaniment is silent."""


class ChordSymbol(NamedTuple):
    """A chord: its root, what stands after it (`m7`), and its bass where that is another note."""

    root: Pitch
    quality: str
    bass: Pitch | None = None
    is_capital: bool = True

    @classmethod
    def parse(cls, text: str) -> ChordSymbol | None:
        """The chord that `text` names, or None.

        >>> ChordSymbol.parse("A7/C#").name, ChordSymbol.parse("Fine")
        ('A7/C#', None)
        """
        match = _CHORD.fullmatch(text)
        if match is None or match[3].count("(") != match[3].count(")"):
            return None
        bass = _make_pitch(match[4], match[5]) if match[4] else None
        return cls(_make_pitch(match[1], match[2]), match[3], bass, match[1].isupper())

    @property
    def name(self) -> str:
        """As it is written."""
        root = name_pitch(self.root)
        bass = f"/{name_pitch(self.bass)}" if self.bass else ""
        return (root if self.is_capital else root[0].lower() + root[1:]) + self.quality + bass

    def transpose(self, letters: int, semitones: int) -> ChordSymbol:
        """This chord an interval higher.

        >>> ChordSymbol.parse("Em7/B").transpose(1, 2).name
        'F#m7/C#'
        """
        bass = self.bass.transpose(letters, semitones) if self.bass else None
        return self._replace(root=self.root.transpose(letters, semitones), bass=bass)

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes of root, third, fifth and what is added, C being 0.

        >>> [ChordSymbol.parse(name).pitch_classes for name in ("D7", "Dsus4", "Bdim", "Gmaj7")]
        [(2, 6, 9, 0), (2, 7, 9), (11, 2, 5), (7, 11, 2, 6)]
        """
        return tuple((self.root.midi + step) % 12 for step in _list_steps(self.quality))

    @property
    def bass_pitch_class(self) -> int:
        """Pitch class of the lowest note."""
        return (self.bass or self.root).midi % 12


def transpose_symbols(text: str, letters: int, semitones: int) -> str | None:
    """The chords in `text`, several or in parentheses too, an interval higher; None if it names
    none, or anything else as well.

    >>> transpose_symbols("(G D7)", 1, 2), transpose_symbols("D.C. al fine", 1, 2)
    ('(A E7)', None)
    """
    inner = text[1:-1] if text[:1] == "(" and text[-1:] == ")" else text
    found = []
    for piece in _SEPARATOR.split(inner):
        chord = ChordSymbol.parse(piece)
        if chord is None and piece and not _SEPARATOR.fullmatch(piece):
            return None
        found.append(chord.transpose(letters, semitones).name if chord else piece)
    moved = "".join(found)
    return None if not moved.strip() else moved if inner == text else f"({moved})"


def parse_first(text: str) -> ChordSymbol | None:
    """The first chord of `text`, where it names chords and nothing else."""
    if transpose_symbols(text, 0, 0) is None:
        return None
    return ChordSymbol.parse(next(p for p in _SEPARATOR.split(text.strip("()")) if p.strip()))


def name_pitch(pitch: Pitch) -> str:
    """A pitch's letter and sign, as in `Bb`."""
    return pitch.letter + _SIGNS[pitch.alter]


def _make_pitch(letter: str, sign: str) -> Pitch:
    return Pitch(Pitch.parse(letter.upper())[0].step, _ALTERATIONS[sign])


@lru_cache(maxsize=256)
def _list_steps(quality: str) -> tuple[int, ...]:
    """Semitones above the root: root, third (or what stands for it), fifth, seventh, ninth."""
    if quality == "5":
        return 0, 7
    flat_fifth = re.search(r"dim|[°ºøØ]|[-b♭]5", quality)
    minor = re.match(r"m(?!a)|-(?!5)|dim|[°ºøØ]", quality)
    suspended = re.search(r"sus([24]?)", quality)
    third = {"2": 2}.get(suspended[1], 5) if suspended else 3 if minor else 4
    fifth = 6 if flat_fifth else 8 if re.search(r"aug|\+|[#♯]5", quality) else 7
    steps = [0, third, fifth]
    if re.search(r"(?:maj|ma|M)\d|Δ|\^", quality):
        steps.append(11)
    elif re.search(r"(?:dim|[°º])7", quality):
        steps.append(9)
    elif re.search(r"[øØ]|(?<!add)(?<![#b♯♭])(?:7|9|11|13)", quality):
        steps.append(10)
    elif "6" in quality:
        steps.append(9)
    if ninth := re.search(r"([#b♯♭]?)9", quality):
        steps.append(2 + _ALTERATIONS[ninth[1]])
    return tuple(steps)
