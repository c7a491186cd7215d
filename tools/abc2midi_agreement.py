"""Compare what tunes sound like with what abc2midi plays.

    python tools/abc2midi_agreement.py [--every N] [--list] [ABC ...]
    python tools/abc2midi_agreement.py --table tests/tunes/notation/abc2midi_table.json

Every tune of the three collections that music21 carries (or of the files given) is played by
`sluice.tunes.export.midi.build_melody` and by abc2midi (Debian: `apt-get install abcmidi`), and
pitches, onsets and lengths are compared, repeats and endings played. What abc2midi adds of its own
is taken out first: fields that change the rhythm (`R:hornpipe`), ornaments, grace notes, chord
symbols, staccato dots and fermatas. Tunes of several voices are not compared: Sluice reads one.

Two figures are printed. Where a `:|` has no `|:`, ABC 2.1 (section 4.8) goes back to the latest
double bar or end of a repeated section; abc2midi goes back to the beginning where no repeat was
before, and into the section before where a second ending ends with `||`. The second figure is with
a `|:` written there for abc2midi. `EXCEPTIONS` explains the tunes that differ even then.

`--table` fills the notes of a table of tunes with what abc2midi plays.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sluice.tunes.corpus import collections
from sluice.tunes.errors import AbcSyntaxError
from sluice.tunes.export.midi import build_melody
from sluice.tunes.notation.abc_file import Block
from sluice.tunes.notation.tune_files import read_file
from sluice.tunes.tune import Tune, from_abc

OPTIONS = ("-NGUI", "-NGRA", "-NFER", "-NFNP", "-quiet", "-silent")
ONSET_TOLERANCE = Fraction(1, 20)
LENGTH_TOLERANCE = Fraction(1, 10)
"""In eighths. abc2midi ends a note a few ticks early (of 240 an eighth), a chord ten."""
_TUPLET = "a (5 in 3/4 is in the time of two (ABC 2.1, section 4.13); abc2midi takes three"
_GRACE = "an accidental of a grace note holds in its bar, with abc2midi only if it plays the grace"
EXCEPTIONS = {
    "0001-0050.abc:377": "nine notes within an eighth, which abc2midi rounds to ticks",
    "0051-0100.abc:356": _TUPLET,
    "0051-0100.abc:792": _TUPLET,
    "0101-0200.abc:1063": _TUPLET,
    "1276-1375.abc:91": "a broken rhythm from a triplet's last note to a plain one; undefined",
    "AbithaMugginsFavoriteReel.abc:1": "a repeat sign `:[|]`, which abc2midi does not read",
    "BrooksideHornpipe.abc:1": "an ending's number on the next line, which abc2midi does not read",
    "HOnTheWabashJig.abc:1": _GRACE,
    "HiberniasPrideReel.abc:1": "`||1`, which abc2midi does not read as an ending",
    "KittyCloversReel.abc:1": "`||:`, which abc2midi does not read as the beginning of a repeat",
    "MollShurkiesJig.abc:1": "`[Ac]<a3`, unequal notes; abc2midi shortens the chord alone",
    "MollyBawnsReel.abc:1": "`||:`, which abc2midi does not read as the beginning of a repeat",
    "book5.abc:825": _GRACE,
    "book6.abc:1327": _GRACE,
}
"""Why tunes of the three collections differ, by file and line."""
_SIGN = re.compile(
    r"\[[A-OQ-Za-z]:[^\]]*\]|^[A-OQ-Za-z]:.*$|(?P<part>^P:.*\n(?:[A-Z]:.*\n)*|\[P:[^\]]*\])"
    r"|(?P<ending>\[\s*\d[-,\d]*|(?<=\|)\s*\d[-,\d]*)"
    r"|(?P<bar>(?::\s*)*(?:\[?\|+\]?)+(?:(?<!\]):|[ \t]+:(?![\s:]*[\[|]))*|::+)",
    re.MULTILINE,
)
_FIELD = re.compile(r"[A-Za-z+]:")
_NOT_ORNAMENT = re.compile(r'("[^"]*"|\[[A-Za-z]:[^\]]*\])')
_ORNAMENT = re.compile(r"(\{[^}]*\})|![^!|\s]*!|!|\+[a-z]+\+|[~.H-Wh-w]")


@dataclass(frozen=True)
class PlayedNote:
    """Onset and length in eighths, and MIDI number."""

    onset: Fraction
    pitch: int
    length: Fraction


def find_abc2midi() -> str | None:
    """The path of abc2midi, if it is installed."""
    return shutil.which("abc2midi")


def strip_ornaments(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a tune without what abc2midi would play in a way of its own."""
    in_body = False
    for line in lines:
        if _FIELD.match(line) and not re.match(r"[A-Ga-gxz]:\s*[|:\[]", line):
            in_body = in_body or line.startswith("K:")
            if line[0] not in "RQwWNHZ+" and not line.startswith("V:"):
                yield line.split("%")[0].rstrip()
            continue
        if not in_body or line.startswith("%"):
            continue
        parts = _NOT_ORNAMENT.split(line.split("%")[0])
        parts[::2] = [_ORNAMENT.sub(r"\1", part) for part in parts[::2]]
        yield "".join(part for part in parts if not part.startswith('"'))


def open_repeats(lines: Sequence[str]) -> list[str]:
    """The lines with `|:` wherever a repeat begins that `:|` ends and no sign opens.

    That is after "the latest double bar line or end of repeated section", else at the beginning
    (ABC 2.1, section 4.8), and not before an ending. A `:|` after a last ending becomes `||`.
    """
    key = next(place for place, line in enumerate(lines) if line.startswith("K:"))
    body = "\n".join(lines[key + 1 :])
    edits: dict[tuple[int, int], str] = {}
    start, is_open, endings = (0, 0), False, 0
    signs = list(_SIGN.finditer(body))
    for number, match in enumerate(signs):
        after = signs[number + 1] if number + 1 < len(signs) else None
        touches = after is not None and not body[match.end() : after.start()].strip()
        if match["part"]:
            start, is_open, endings = (match.end(), match.end()), False, 0
        endings += bool(match["ending"])
        if not match["bar"]:
            continue
        sign = "".join(match[0].split())
        before_ending = touches and after is not None and bool(after["ending"])
        closes, opens = sign[0] == ":", sign[-1] == ":"
        ends = opens or ((closes or is_double(sign)) and not before_ending)
        if closes and endings > 1 and not before_ending:
            edits[match.span()] = "|:" if opens else "||"
        elif closes and not is_open:
            edits[start] = "::" if body[start[0] : start[0] + 1] == ":" else "|:"
        if is_double(sign.strip(":")) and endings and not before_ending:
            is_open = False
        if closes or opens:
            is_open = opens or (is_open and before_ending)
        if ends and (closes or opens or not is_open):
            start, endings = match.span(), 0
    for (begin, end), text in sorted(edits.items(), reverse=True):
        body = body[:begin] + text + body[end:]
    return [*lines[: key + 1], *body.split("\n")]


def is_double(sign: str) -> bool:
    """Whether a bar line without colons is a double one."""
    return len(sign) > 1 and sign != "[|]"


def play_with_abc2midi(abc: str, program: str) -> list[PlayedNote]:
    """What abc2midi plays of a text of one tune, by onset and pitch.

    Raises:
        ValueError: it wrote no file.
    """
    import mido

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "tune.abc", Path(folder) / "tune.mid"
        source.write_text(abc, encoding="utf-8")
        command = [program, str(source), "-o", str(target), *OPTIONS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        if not target.exists():
            raise ValueError(f"abc2midi wrote nothing: {done.stdout[-200:]}")
        file = mido.MidiFile(target)
    found = []
    for track in file.tracks:
        now, sounding = 0, dict[int, list[int]]()
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                sounding.setdefault(message.note, []).append(now)
            elif message.type in ("note_on", "note_off") and sounding.get(message.note):
                begin = sounding[message.note].pop(0)
                unit = Fraction(2, file.ticks_per_beat)
                found.append(PlayedNote(begin * unit, message.note, (now - begin) * unit))
    return _sort_notes(found)


def _sort_notes(notes: Iterable[PlayedNote]) -> list[PlayedNote]:
    """By onset and pitch; abc2midi begins the notes of a chord some ticks after each other."""
    found: list[PlayedNote] = []
    last = begin = Fraction(-1)
    for note in sorted(notes, key=lambda note: note.onset):
        begin = begin if note.onset - last < ONSET_TOLERANCE else note.onset
        last = note.onset
        found.append(PlayedNote(begin, note.pitch, note.onset + note.length - begin))
    unisons = {(note.onset, note.pitch): note for note in found}
    return [unisons[place] for place in sorted(unisons)]


def play_with_sluice(tune: Tune) -> list[PlayedNote]:
    """What Sluice plays, even, by onset and pitch."""
    notes = build_melody(tune)
    return _sort_notes(PlayedNote(n.start, n.pitch, n.length) for n in notes)


def find_difference(mine: Sequence[PlayedNote], theirs: Sequence[PlayedNote]) -> str:
    """The first note in which two performances differ, or nothing."""
    first = min((note.onset for note in theirs), default=Fraction(0))
    offset = first - min((note.onset for note in mine), default=Fraction(0))
    offset = offset if offset < ONSET_TOLERANCE else Fraction(0)
    for number, (a, b) in enumerate(zip(mine, theirs, strict=False)):
        if (
            a.pitch != b.pitch
            or abs(a.onset - b.onset + offset) > ONSET_TOLERANCE
            or abs(a.length - b.length) > LENGTH_TOLERANCE
        ):
            return (
                f"note {number} of {len(mine)}: {a.pitch} at {float(a.onset):g} for "
                f"{float(a.length):g}, abc2midi {b.pitch} at {float(b.onset):.3f} for "
                f"{float(b.length):.3f}"
            )
    return "" if len(mine) == len(theirs) else f"{len(mine)} notes, abc2midi {len(theirs)}"


def list_files(paths: Sequence[Path]) -> list[Path]:
    """These files, or those of the three collections."""
    return list(paths) or collections._list_collection_files()


def read_source(block: Block) -> str:
    """The lines of a tune as they stand in its file."""
    content = Path(block.source).read_bytes()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        lines = content.decode("latin-1").splitlines()
    found = [lines[block.line - 1]]
    for line in lines[block.line :]:
        if not line.strip() or line.startswith("X:"):
            break
        found.append(line)
    return "\n".join(strip_ornaments(found)) + "\n"


def compare(block: Block, program: str) -> tuple[str, str] | None:
    """How the two performances of a tune differ, and how with repeats that are all opened.

    Nothing where they do not differ; None if they cannot be compared.
    """
    try:
        tune = from_abc(block)
    except AbcSyntaxError:
        return None
    if any("voice" in remark.kind for remark in tune.remarks):
        return None
    tune = Tune(**{**vars(tune), "swing": 1.0})
    mine, source = play_with_sluice(tune), read_source(block)
    difference = find_difference(mine, play_with_abc2midi(source, program))
    if not difference:
        return "", ""
    opened = "\n".join(open_repeats(source.split("\n")))
    return difference, find_difference(mine, play_with_abc2midi(opened, program))


def fill_table(path: Path, program: str) -> None:
    """Write what abc2midi plays of each tune of a table: onset, number and length of every note.

    Times are in twelfths of an eighth.
    """
    table = json.loads(path.read_text(encoding="utf-8"))
    for tune in table["tunes"]:
        tune["notes"] = encode_notes(play_with_abc2midi(tune["abc"], program))
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def encode_notes(notes: Iterable[PlayedNote]) -> str:
    """Notes as text: `onset:number:length` of each, in twelfths of an eighth.

    abc2midi ends a note by up to half a twelfth early.
    """
    early = Fraction(1, 7)
    rows = sorted(
        (round(n.onset * 12), n.pitch, round((n.onset + n.length) * 12 + early)) for n in notes
    )
    return " ".join(f"{onset}:{pitch}:{end - onset}" for onset, pitch, end in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="ABC")
    parser.add_argument("--every", type=int, default=1, help="compare one tune in so many")
    parser.add_argument("--list", action="store_true", help="print each difference")
    parser.add_argument("--table", type=Path, help="fill the notes of this table instead")
    options = parser.parse_args()
    program = find_abc2midi()
    if program is None:
        sys.exit("abc2midi is not installed; on Debian: apt-get install abcmidi")
    if options.table:
        fill_table(options.table, program)
        return
    blocks = [block for file in list_files(options.files) for block in read_file(file).blocks]
    compared = as_written = agreed = unexplained = 0
    for block in blocks[:: options.every]:
        differences = compare(block, program)
        if differences is None:
            continue
        compared += 1
        as_written += not differences[0]
        agreed += not differences[1]
        if differences[1]:
            place = f"{Path(block.source).name}:{block.line}"
            explanation = EXCEPTIONS.get(place, "")
            unexplained += not explanation
            if options.list or not explanation:
                print(f"{place}: {block.title}: {differences[1]} ({explanation or 'unexplained'})")
    print(f"{compared} tunes compared with abc2midi")
    print(f"as they are written: {as_written} agree, {as_written / compared:.2%}")
    print(f"with |: wherever a repeat begins: {agreed} agree, {agreed / compared:.2%}")
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main()
