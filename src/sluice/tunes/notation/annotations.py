"""What stands around a note besides the music itself, as ABC text.

Chord symbols, words, decorations, grace notes and slurs are kept as written, except that chord
symbols and grace notes are on a root of C as tokens are, and that a grace note's accidental says
what sounds (a natural has none).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from sluice.tunes.errors import TuneError
from sluice.tunes.notation.chord_symbols import transpose_symbols
from sluice.tunes.theory.keys import Pitch

_ITEM = re.compile(
    r'"(?P<quoted>[^"]*)"|(?P<decoration>![^!\s|:\[\]]+!|\.(?!\()|[~H-Wh-w])|(?P<grace>\{[^{}]*\})'
    r"|(?P<slur_start>\.?\()|(?P<slur_end>\))"
)
_GRACE_NOTE = re.compile(r"(?:\^{1,2}|_{1,2}|=)?[A-Ga-g][,']*")
_PLACES = "^_<>@"


class Annotation(NamedTuple):
    """ABC text before and after an event (a note, a chord or a rest)."""

    before: str = ""
    after: str = ""


class Annotations(Mapping[int, Annotation]):
    """Annotations by the number of their event in `Score.events`; a value that does not change.

    >>> found = Annotations({3: Annotation("~", ")"), 0: Annotation('"G"(')})
    >>> list(found), found[3].before, found == Annotations(dict(found))
    ([0, 3], '~', True)
    """

    def __init__(self, items: Mapping[int, Annotation] | Iterable[tuple[int, Annotation]] = ()):
        self._items = {n: Annotation(*item) for n, item in sorted(dict(items).items())}

    def __getitem__(self, event: int) -> Annotation:
        return self._items[event]

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return f"Annotations({self._items!r})"


class Item(NamedTuple):
    """One thing in an annotation.

    `kind` is `chord`, `words`, `decoration`, `grace`, `slur_start` or `slur_end`; `text` is as in
    ABC, quotation marks and braces included.
    """

    kind: str
    text: str


def split_items(text: str) -> list[Item]:
    """The things in an annotation's text, in order.

    >>> [item.kind for item in split_items('"G""^slow"!trill!{ga}(')]
    ['chord', 'words', 'decoration', 'grace', 'slur_start']

    Raises:
        TuneError: what is no annotation.
    """
    found, place = [], 0
    while place < len(text):
        match = _ITEM.match(text, place)
        if match is None:
            raise TuneError(f"{text!r} is no chord symbol, decoration, grace note or slur in ABC.")
        kind = str(match.lastgroup)
        if kind == "quoted":
            kind = "chord" if _is_chord(match["quoted"]) else "words"
        found.append(Item(kind, match[0]))
        place = match.end()
    return found


def transpose_annotation(text: str, letters: int, semitones: int) -> str:
    """An annotation's text with its chord symbols and grace notes an interval higher.

    >>> transpose_annotation('"Em"~{^f}', 1, 2)
    '"F#m"~{^g}'
    """
    moved = []
    for kind, item in split_items(text):
        if kind == "chord":
            moved.append(f'"{transpose_symbols(item[1:-1], letters, semitones)}"')
        elif kind == "grace":
            moved.append(rewrite_grace(item, lambda p: p.transpose(letters, semitones).token))
        else:
            moved.append(item)
    return "".join(moved)


def rewrite_grace(text: str, spell: Callable[[Pitch], str]) -> str:
    """Grace notes with each pitch spelt anew."""
    return _GRACE_NOTE.sub(lambda match: spell(Pitch.parse(match[0])[0]), text)


def parse_grace(text: str) -> tuple[bool, list[Pitch]]:
    """Whether grace notes are crossed by a stroke (`{/g}`), and their pitches."""
    pitches = [Pitch.parse(match[0])[0] for match in _GRACE_NOTE.finditer(text)]
    return text.startswith("{/"), pitches


def has_chords(annotations: Mapping[int, Annotation]) -> bool:
    """Whether a chord symbol stands above any note."""
    return any(
        item.kind == "chord" for note in annotations.values() for item in split_items(note.before)
    )


def list_slurs(annotations: Mapping[int, Annotation]) -> list[tuple[int, int]]:
    """First and last event of each slur, those without an end or a beginning left out."""
    return [(start[0], end[0]) for start, end in _pair_slurs(annotations)]


def balance_slurs(
    annotations: Mapping[int, Annotation], events: Container[int] | None = None
) -> Annotations:
    """The annotations without slurs that lack an end or a beginning (among `events` if given).

    >>> dict(balance_slurs({0: Annotation("(~"), 1: Annotation("(", ")"), 2: Annotation("T")}))
    {0: Annotation(before='~', after=''), 1: Annotation(before='(', after=')'), 2: Annotation(before='T', after='')}
    """  # noqa: E501
    kept = {
        end
        for pair in _pair_slurs(annotations)
        for end in pair
        if events is None or all(event in events for event, _, _ in pair)
    }
    found = {}
    for event, note in annotations.items():
        sides = []
        for side, text in enumerate(note):
            items = enumerate(split_items(text))
            sides.append(
                "".join(
                    item.text
                    for place, item in items
                    if not item.kind.startswith("slur") or (event, side, place) in kept
                )
            )
        if any(sides):
            found[event] = Annotation(*sides)
    return Annotations(found)


_SlurEnd = tuple[int, int, int]
"""Event, 0 before it or 1 after it, and place among the items there."""


def _pair_slurs(annotations: Mapping[int, Annotation]) -> list[tuple[_SlurEnd, _SlurEnd]]:
    """Where each slur begins and ends; the inner ones of several are closed first."""
    pairs, begun = [], list[_SlurEnd]()
    for event in sorted(annotations):
        for side, text in enumerate(annotations[event]):
            for place, item in enumerate(split_items(text)):
                if item.kind == "slur_start":
                    begun.append((event, side, place))
                elif item.kind == "slur_end" and begun:
                    pairs.append((begun.pop(), (event, side, place)))
    return pairs


def _is_chord(words: str) -> bool:
    return words[:1] not in _PLACES and transpose_symbols(words, 0, 0) is not None
