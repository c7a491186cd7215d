"""A tune as JSON, so that it can be kept and made again without a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.tunes.errors import TuneError
from sluice.tunes.notation import score
from sluice.tunes.notation.annotations import Annotation, split_items
from sluice.tunes.notation.parts import TunePart
from sluice.tunes.notation.transcription import GAP
from sluice.tunes.tune import Tune, check_performance

_MAX_TOKENS, _MAX_TEXT, _MAX_ITEMS = 4000, 2000, 2000
_MAX_OCTAVE = 4
_TONIC = re.compile("[A-G][#b]?")
_LEFT_OUT = ("source", "line", "remarks", "seed")
"""Where a tune came from is no part of it."""


def store_tune(tune: Tune) -> dict[str, Any]:
    """What `restore_tune` makes the tune of again; what is as usual is left out.

    >>> store_tune(Tune(("M:2/4", "K:Cmaj", "c", "4"), title="A"))
    {'tokens': ['M:2/4', 'K:Cmaj', 'c', '4'], 'title': 'A'}
    """
    found: dict[str, Any] = {}
    for one in fields(tune):
        value = getattr(tune, one.name)
        default = None if one.default is MISSING else one.default
        if one.name in _LEFT_OUT or value == default:
            continue
        if isinstance(value, Mapping):
            value = {str(event): [*note] for event, note in value.items()}
        found[one.name] = _to_lists(value)
    return found


def restore_tune(stored: Mapping[str, Any]) -> Tune:
    """The tune that `store_tune` wrote.

    Raises:
        StudioError: it is no such thing, or its music is none.

    >>> restore_tune({"tokens": ["M:2/4", "K:Cmaj", "c", "4"], "tonic": "D"}).key.name
    'D'
    """
    unknown = [name for name in stored if name not in _READERS]
    if unknown:
        raise _refuse(str(unknown[0])[:40])
    values: dict[str, Any] = {}
    for name, value in stored.items():
        try:
            values[name] = _READERS[name](value)
        except (TypeError, ValueError, TuneError):
            raise _refuse(name) from None
    try:
        tune = Tune(**values)
        events = score.parse(["z" if token == GAP else token for token in tune.tokens]).events
        check_performance(tune.tempo, tune.swing, tune.instrument)
        is_whole = all(0 <= event < len(events) for event in tune.annotations)
        is_whole = is_whole and all(len(verse) == len(events) for verse in tune.lyrics)
        if not is_whole or tune.interval is None:
            raise _refuse("annotations")
    except StudioError:
        raise
    except (TypeError, ValueError, LookupError, TuneError):
        raise _refuse("tokens") from None
    return tune


def _refuse(name: str) -> StudioError:
    return StudioError(_("The stored tune cannot be read: {name}.").format(name=name), "source")


def _to_lists(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_lists(part) for part in value]
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError
    value.encode()
    return value


def _read_texts(value: object, most: int = _MAX_ITEMS) -> tuple[str, ...]:
    return tuple(_read_text(part) for part in _read_list(value, most))


def _read_tonic(value: object) -> str:
    text = _read_text(value)
    if not _TONIC.fullmatch(text):
        raise ValueError
    return text


def _read_list(value: object, most: int = _MAX_ITEMS) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or len(value) > most:
        raise ValueError
    return value


def _read_integer(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError
        return value

    return read


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _read_swing(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return value


def _read_pairs(value: object) -> tuple[tuple[str, str], ...]:
    return tuple((_read_text(a), _read_text(b)) for a, b in _read_list(value))


def _read_parts(value: object) -> tuple[TunePart, ...]:
    number = _read_integer(0, _MAX_TOKENS)
    return tuple(TunePart(_read_text(label), number(bar)) for label, bar in _read_list(value))


def _read_annotations(value: object) -> dict[int, Annotation]:
    if not isinstance(value, Mapping) or len(value) > _MAX_TOKENS:
        raise ValueError
    found = {}
    for event, note in value.items():
        before, after = (_read_text(text) for text in _read_list(note, 2))
        for text in (before, after):
            split_items(text)
        found[int(event)] = Annotation(before, after)
    return found


_READERS: dict[str, Callable[[Any], Any]] = {
    "tokens": lambda value: _read_texts(value, _MAX_TOKENS),
    "title": _read_text,
    "rhythm": _read_text,
    "tonic": _read_tonic,
    "octave": _read_integer(-_MAX_OCTAVE, _MAX_OCTAVE),
    "tempo": _read_integer(1, 10_000),
    "chords": _read_flag,
    "parts": _read_parts,
    "part_order": _read_text,
    "swing": _read_swing,
    "instrument": _read_text,
    "fields": _read_pairs,
    "annotations": _read_annotations,
    "lyrics": lambda value: tuple(_read_texts(verse, _MAX_TOKENS) for verse in _read_list(value)),
}
