"""The fields above a tune's music."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sluice.tunes.errors import AbcSyntaxError
from sluice.tunes.notation.abc_fields import (
    StaffSettings,
    VoiceField,
    parse_key,
    parse_meter,
    parse_unit,
    parse_voice,
    transpose_key,
)
from sluice.tunes.notation.abc_lines import Line, is_prose
from sluice.tunes.notation.macros import Macro, parse_macro
from sluice.tunes.notation.parts import parse_part_order
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.theory.dances import FREE_METER
from sluice.tunes.theory.keys import Key

_NOTE = re.compile(r"[A-Ga-g]")
_FIELDS_LEFT_OUT = "EIs"


@dataclass(frozen=True)
class Header:
    """What stands above a tune's music.

    Attributes:
        titles: in order.
        rhythm: the kind of dance.
        meter: a fraction as written (`6/8`), or `none`.
        unit_length: the unit note length, in whole notes.
        key: the key that the tune is written in.
        sounding_key: the key that it sounds in, where clef or transposition make it another.
        staff: what clef and properties do to written pitches.
        voices: those that V: fields name.
        part_order: a letter for each part as played, or nothing.
        macros: what `m:` fields abbreviate.
        tempos: the values of Q: fields, with their lines.
        remarks: what was left out.
    """

    titles: tuple[str, ...]
    rhythm: str
    meter: str
    unit_length: Fraction
    key: Key
    sounding_key: Key
    staff: StaffSettings
    voices: tuple[VoiceField, ...] = ()
    part_order: str = ""
    macros: tuple[Macro, ...] = ()
    tempos: tuple[tuple[str, int], ...] = ()
    remarks: tuple[Remark, ...] = ()


Fields = dict[str, list[tuple[str, int]]]


def parse_header(lines: Sequence[Line]) -> Header:
    """The fields up to K:.

    Raises:
        AbcSyntaxError: a line that is no field, or a field whose value cannot be read.
    """
    remarks: list[Remark] = []
    fields = _gather_fields(lines, remarks)
    meter = parse_meter(*fields["M"][-1]) if "M" in fields else FREE_METER
    value, line = fields["K"][-1]
    key, staff, unknown = parse_key(value, line)
    if unknown:
        remarks.append(Remark("words after a key (K:) that mean nothing, left out", line))
    key = key or Key.of("C", "maj")
    voices = [parse_voice(*field) for field in fields.get("V", [])]
    sounding = transpose_key(key, staff.update(voices[0].staff if voices else staff).interval)
    return Header(
        titles=tuple(value for value, _ in fields.get("T", []) if value),
        rhythm=fields.get("R", [("", 0)])[-1][0],
        meter=meter,
        unit_length=parse_unit(*fields.get("L", [("", 0)])[-1], meter),
        key=key,
        sounding_key=sounding,
        staff=staff,
        voices=tuple(voices),
        part_order=_read_part_order(fields, remarks),
        macros=tuple(parse_macro(*field) for field in fields.get("m", [])),
        tempos=tuple(fields.get("Q", [])),
        remarks=tuple(remarks),
    )


def _gather_fields(lines: Iterable[Line], remarks: list[Remark]) -> Fields:
    """The values of each field, with their lines."""
    fields: Fields = {}
    for line in lines:
        if line.field is None:
            if not is_prose(line.text) and _NOTE.search(line.text):
                raise AbcSyntaxError("music above K:, whose key is not known", line.number)
            remarks.append(Remark("a line above K: that is no field, left out", line.number))
            continue
        if line.field[0] in _FIELDS_LEFT_OUT:
            remarks.append(Remark(f"a field ({line.field[0]}:), left out", line.number))
        fields.setdefault(line.field[0], []).append((line.field[1], line.number))
    return fields


def _read_part_order(fields: Fields, remarks: list[Remark]) -> str:
    order = ""
    for value, line in fields.get("P", []):
        try:
            order = parse_part_order(value)
        except ValueError:
            remarks.append(Remark("an order of parts (P:) that cannot be read, left out", line))
    return order
