"""Keys and pitches: what a key signature means, and the way to a root of C."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

LETTERS = "CDEFGAB"
_SEMITONES = (0, 2, 4, 5, 7, 9, 11)
_SHARPS_IN_MAJOR = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_CIRCLE_OF_FIFTHS = "FCGDAEB"
_MODE_SHARPS = {"maj": 0, "mix": -1, "dor": -2, "min": -3, "phr": -4, "loc": -5, "lyd": 1}
MODES = tuple(_MODE_SHARPS)
_MODE_NAMES = {"": "maj", "ion": "maj", "m": "min", "aeo": "min"} | {mode: mode for mode in MODES}
ACCIDENTALS = {"__": -2, "_": -1, "=": 0, "^": 1, "^^": 2}
_SIGNS = {alter: sign for sign, alter in ACCIDENTALS.items()}

_KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
_OWN_ACCIDENTAL = re.compile(r"(\^{1,2}|_{1,2}|=)([A-Ga-g])")
_IGNORED_WORDS = ("exp", "treble", "bass", "alto", "tenor", "clef", "none", "perc")
_PITCH = re.compile(r"(\^{1,2}|_{1,2}|=)?([A-Ga-g])([,']*)")


class Pitch(NamedTuple):
    """A written pitch: `step` counts letters from middle C, `alter` semitones up from there.

    >>> Pitch(step=7, alter=-1).token, Pitch(step=7, alter=-1).midi
    ('_c', 71)
    """

    step: int
    alter: int = 0

    @property
    def letter(self) -> str:
        return LETTERS[self.step % 7]

    @property
    def midi(self) -> int:
        """MIDI number: middle C is 60."""
        return 60 + 12 * (self.step // 7) + _SEMITONES[self.step % 7] + self.alter

    @property
    def accidental(self) -> str:
        """The accidental in ABC's spelling, `=` for a natural."""
        return _SIGNS[self.alter]

    @property
    def without_accidental(self) -> str:
        """Letter and octave in ABC's spelling, without accidental."""
        octave = self.step // 7
        if octave >= 1:
            return self.letter.lower() + "'" * (octave - 1)
        return self.letter + "," * -octave

    @property
    def token(self) -> str:
        """What sounds, in ABC's spelling: a natural has no sign."""
        return (self.accidental if self.alter else "") + self.without_accidental

    @classmethod
    def parse(cls, text: str) -> tuple[Pitch, bool]:
        """The pitch that `text` spells, and whether it bore an accidental.

        Raises:
            ValueError: `text` is not a pitch.
        """
        return _parse_pitch(text)

    @lru_cache(maxsize=4096)  # noqa: B019 -- a pitch is a value, and there are few
    def transpose(self, letters: int, semitones: int) -> Pitch:
        """This pitch an interval higher, respelt where it would need three accidentals."""
        natural = Pitch(self.step + letters)
        wanted = self.midi + semitones
        while wanted - natural.midi > 2:
            natural = Pitch(natural.step + 1)
        while wanted - natural.midi < -2:
            natural = Pitch(natural.step - 1)
        return Pitch(natural.step, wanted - natural.midi)


@lru_cache(maxsize=1024)
def _parse_pitch(text: str) -> tuple[Pitch, bool]:
    match = _PITCH.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a pitch")
    sign, letter, marks = match.groups()
    octave = letter.islower() + marks.count("'") - marks.count(",")
    step = LETTERS.index(letter.upper()) + 7 * octave
    return Pitch(step, ACCIDENTALS[sign] if sign else 0), sign is not None


def is_pitch(text: str) -> bool:
    """Whether `text` spells a pitch.

    >>> is_pitch("_e,"), is_pitch("z")
    (True, False)
    """
    return _PITCH.fullmatch(text) is not None


@dataclass(frozen=True)
class Key:
    """A tonic and a mode, with the accidentals that its signature puts on letters.

    >>> key = Key.parse("D Mixolydian")
    >>> key.mode, dict(key.signature), key.interval
    ('mix', {'F': 1}, (-1, -2))
    """

    tonic: str
    mode: str
    signature: Mapping[str, int] = field(hash=False)

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read the value of a K: field.

        Raises:
            ValueError: no tonic, or a mode that is none of the seven.
        """
        text = text.strip()
        if text[:2].lower() == "hp":  # the Highland pipes' scale, whether or not it is drawn
            return cls.of("A", "mix")
        match = _KEY.match(text)
        if match is None or text.lower().startswith("none"):
            raise ValueError(f"K:{text} names no tonic (as in K:D or K:Ador)")
        letter, sign, word = match.groups()
        key = cls.of(letter + sign, _parse_mode(word, text))
        return key._with_own_accidentals(text[match.end(2) :])

    @classmethod
    def of(cls, tonic: str, mode: str) -> Key:
        """The key of a tonic (`C`, `F#`, `Bb`) and one of `MODES`."""
        shift = {"#": 7, "b": -7, "": 0}[tonic[1:]]
        return cls(
            tonic, mode, _build_signature(_SHARPS_IN_MAJOR[tonic[0]] + shift + _MODE_SHARPS[mode])
        )

    def _with_own_accidentals(self, rest: str) -> Key:
        own = {letter.upper(): ACCIDENTALS[sign] for sign, letter in _OWN_ACCIDENTAL.findall(rest)}
        base = {} if re.search(r"\bexp\b", rest) else self.signature
        return Key(self.tonic, self.mode, {**base, **own})

    @property
    def sharps(self) -> int:
        """Sharps of the signature, flats counting as negative.

        >>> Key.of("D", "mix").sharps, Key.of("G", "min").sharps
        (1, -2)
        """
        return sum(self.signature.values())

    @property
    def name(self) -> str:
        """As a musician says it.

        >>> [Key.of("E", "min").name, Key.of("A", "dor").name, Key.of("Bb", "maj").name]
        ['Em', 'Ador', 'Bb']
        """
        return self.tonic + {"maj": "", "min": "m"}.get(self.mode, self.mode)

    @property
    def interval(self) -> tuple[int, int]:
        """Letters and semitones from this tonic to C.

        Keys move down by up to a fifth or up by up to a third, which brings the ranges of fiddle
        and flute tunes closest together.
        """
        tonic, _ = Pitch.parse({"#": "^", "b": "_", "": ""}[self.tonic[1:]] + self.tonic[0])
        octave = 1 if tonic.letter in "AB" else 0
        return 7 * octave - tonic.step, 60 + 12 * octave - tonic.midi


class AccidentalTracker:
    """Which notes need a sign, within a bar and a key signature.

    A sign is written unless the pitch is clear without, whether accidentals hold in one octave
    or in all.
    """

    def __init__(self, signature: Mapping[str, int]) -> None:
        self.signature = signature
        self.by_letter: dict[str, int] = {}
        self.by_step: dict[int, int] = {}
        self.grace_letters: set[str] = set()

    def start_bar(self) -> None:
        """A bar line: accidentals end."""
        self.by_letter, self.by_step = {}, {}
        self.grace_letters = set()

    def needs_grace_sign(self, pitch: Pitch) -> bool:
        """Whether a grace note needs its sign.

        Readers differ on whether that sign holds for later notes: they get signs in any case.
        """
        in_key = self.signature.get(pitch.letter, 0)
        known = (self.by_letter.get(pitch.letter, in_key), self.by_step.get(pitch.step, in_key))
        if pitch.letter not in self.grace_letters and known == (pitch.alter, pitch.alter):
            return False
        self.grace_letters.add(pitch.letter)
        return True

    def needs_sign(self, pitch: Pitch) -> bool:
        """Whether the next note, of this pitch, needs its sign."""
        in_key = self.signature.get(pitch.letter, 0)
        in_all = self.by_letter.get(pitch.letter, in_key)
        in_octave = self.by_step.get(pitch.step, in_key)
        if in_all == in_octave == pitch.alter and pitch.letter not in self.grace_letters:
            return False
        self.by_letter[pitch.letter] = self.by_step[pitch.step] = pitch.alter
        return True


def _parse_mode(word: str, text: str) -> str:
    short = word.lower()[:3]
    if short in _MODE_NAMES:
        return _MODE_NAMES[short]
    if word.lower().startswith(_IGNORED_WORDS):
        return "maj"
    raise ValueError(f"the mode of K:{text} must be one of {', '.join(MODES)}, got {word!r}")


def _build_signature(sharps: int) -> dict[str, int]:
    """The signature of so many sharps (flats if negative); beyond seven, double ones."""
    order, sign = (_CIRCLE_OF_FIFTHS, 1) if sharps >= 0 else (_CIRCLE_OF_FIFTHS[::-1], -1)
    signature: dict[str, int] = {}
    for place in range(abs(sharps)):
        letter = order[place % 7]
        signature[letter] = signature.get(letter, 0) + sign
    return signature
