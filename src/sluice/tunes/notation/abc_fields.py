"""What the values of ABC's fields mean: meters, unit note lengths, keys, clefs and voices."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from sluice.tunes.errors import AbcSyntaxError
from sluice.tunes.theory.dances import FREE_METER
from sluice.tunes.theory.keys import Key, Pitch

_METER = re.compile(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3})*)\)?\s*/\s*(\d+)(?!\s*[\d+/(])")
_NAMED_METERS = {"C": "4/4", "C|": "2/2", "none": FREE_METER, "": FREE_METER}
_BEATS = ("1", "2", "4", "8", "16", "32")
_LENGTH = re.compile(r"(\d{1,3})(?:\s*/\s*(\d{1,3}))?(?![\d/])")
_SETTING = re.compile(r"(?<!\S)(?:[a-z]+|(?i:clef|octave|transpose|middle))=(?:\"[^\"]*\"|\S*)")
_CLEF = re.compile(
    r"(?i:treble|bass|tenor|alto|mezzo-?soprano|soprano|baritone|perc(?:ussion)?)[1-5]?"
    r"(?:[-+^_]\d+)?"
)
_CLEF_OCTAVES = {"+8": 1, "-8": -1, "+15": 2, "-15": -2}
_LETTERS_OF_SEMITONES = (0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6)
_MAX_OCTAVE, _MAX_TRANSPOSITION = 9, 96
_PRINTED_SIGNS = str.maketrans({"♭": "b", "♯": "#", "♮": None})
_OWN_ACCIDENTALS = re.compile(r"(?:exp\b|[_^=]{1,2}[A-Ga-g]\b)")


def parse_meter(value: str, line: int) -> str:
    """A meter as a fraction: `C` is `4/4`, `C|` is `2/2`, `(2+3)/8` is `5/8`, nothing is `none`.

    Raises:
        AbcSyntaxError: no meter.
    """
    if value.strip() in _NAMED_METERS:
        return _NAMED_METERS[value.strip()]
    match = _METER.match(value)
    beats = sum(map(int, match[1].split("+"))) if match else 0
    if match is None or not beats or match[2] not in _BEATS:
        raise AbcSyntaxError(f"M:{value} is no meter (as in M:6/8)", line)
    return f"{beats}/{match[2]}"


def parse_unit(value: str, line: int, meter: str) -> Fraction:
    """The unit note length, in whole notes; that of the meter if `auto` or nothing.

    Raises:
        AbcSyntaxError: not a fraction of whole numbers above zero.
    """
    if value.strip().lower() in ("", "auto"):
        return default_unit(meter)
    match = _LENGTH.match(value)
    if match is None or not int(match[1]) or match[2] == "0" * len(match[2] or ""):
        raise AbcSyntaxError(f"L:{value} is not a note length (as in L:1/8)", line)
    return Fraction(int(match[1]), int(match[2] or 1))


def default_unit(meter: str) -> Fraction:
    """The unit note length where no L: says it."""
    short = meter != FREE_METER and Fraction(meter) < Fraction(3, 4)
    return Fraction(1, 16) if short else Fraction(1, 8)


class StaffSettings(NamedTuple):
    """What a clef and its properties do to written pitches; None where they say nothing."""

    clef_octaves: int | None = None
    octaves: int | None = None
    semitones: int | None = None

    def update(self, later: StaffSettings) -> StaffSettings:
        """With what `later` says, where it says something."""
        return StaffSettings(*(a if b is None else b for a, b in zip(self, later, strict=True)))

    @property
    def interval(self) -> tuple[int, int]:
        """Letters and semitones from a written pitch to what sounds."""
        octaves = (self.clef_octaves or 0) + (self.octaves or 0)
        more, rest = divmod(self.semitones or 0, 12)
        octaves += more
        return 7 * octaves + _LETTERS_OF_SEMITONES[rest], 12 * octaves + rest


class KeyField(NamedTuple):
    """The value of a K: field: a key, if it names one, its clef, and words that mean nothing."""

    key: Key | None
    staff: StaffSettings
    unknown: str = ""


class VoiceField(NamedTuple):
    """The value of a V: field: the name of a voice, and its clef."""

    name: str
    staff: StaffSettings


def parse_key(value: str, line: int) -> KeyField:
    """A key and its clef; `none` is C major, and a clef alone or nothing is no key.

    >>> parse_key("Em clef=treble-8", 1).key.name, parse_key("Em clef=treble-8", 1).staff.interval
    ('Em', (-7, -12))

    Raises:
        AbcSyntaxError: no tonic, an unknown mode, or a property without a number.
    """
    staff, text = _take_settings(value.translate(_PRINTED_SIGNS), line)
    if not text or text.lower().startswith("none"):
        return KeyField(Key.of("C", "maj") if text else None, staff, text[4:].strip())
    if _OWN_ACCIDENTALS.match(text):
        text = f"C {text}"
    try:
        key = Key.parse(text)
    except ValueError as error:
        raise AbcSyntaxError(str(error), line) from None
    return KeyField(key, staff, _find_unknown_words(text))


def _find_unknown_words(text: str) -> str:
    """The words after tonic and mode that are no accidentals."""
    words = text.split()[1:]
    if words and words[0].isalpha() and words[0] != "exp":
        words = words[1:]
    return " ".join(word for word in words if not _OWN_ACCIDENTALS.fullmatch(word))


def parse_voice(value: str, line: int) -> VoiceField:
    """A voice's name and clef.

    Raises:
        AbcSyntaxError: a property without a number.
    """
    name, _, rest = value.strip().partition(" ")
    return VoiceField(name, _take_settings(rest, line)[0])


def _take_settings(value: str, line: int) -> tuple[StaffSettings, str]:
    """The properties and clefs in a value, and the rest of it."""
    value = re.sub(r"(?<=[a-z])\s*=\s*(?=[^_^=\s])", "=", value)
    staff = StaffSettings()
    for word in _SETTING.findall(value):
        name, _, said = word.partition("=")
        staff = staff.update(_read_setting(name.lower(), said.strip('"'), line))
    rest = []
    for word in _SETTING.sub(" ", value).split():
        if _CLEF.fullmatch(word):
            staff = staff.update(_read_setting("clef", word, line))
        else:
            rest.append(word)
    return staff, " ".join(rest)


def _read_setting(name: str, value: str, line: int) -> StaffSettings:
    """What one property does; others than these only change how a staff looks."""
    if name == "clef":
        mark = re.search(r"[-+]\d+$", value)
        return StaffSettings(clef_octaves=_CLEF_OCTAVES.get(mark[0], 0) if mark else 0)
    if name not in ("octave", "transpose", "t"):
        return StaffSettings()
    most = _MAX_OCTAVE if name == "octave" else _MAX_TRANSPOSITION
    if not re.fullmatch(r"[-+]?\d{1,3}", value) or abs(int(value)) > most:
        raise AbcSyntaxError(f"{name}={value} is no whole number up to {most}", line)
    if name == "octave":
        return StaffSettings(octaves=int(value))
    return StaffSettings(semitones=int(value))


def transpose_key(key: Key, interval: tuple[int, int]) -> Key:
    """The key in which music in `key` sounds that an interval moves.

    >>> transpose_key(Key.of("D", "maj"), (-1, -2)).name
    'C'
    """
    sign = {"#": 1, "b": -1, "": 0}[key.tonic[1:]]
    tonic = Pitch(Pitch.parse(key.tonic[0])[0].step, sign)
    letters, semitones = interval
    for more in (0, 1, -1):
        moved = tonic.transpose(letters + more, semitones)
        if abs(moved.alter) <= 1:
            break
    return Key.of(moved.letter + {1: "#", -1: "b", 0: ""}[moved.alter], key.mode)
