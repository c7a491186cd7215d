"""What is played, compared with abc2midi: notes, onsets and lengths, repeats and endings."""

import json
from pathlib import Path

import pytest

import abc2midi_agreement as agreement
from sampling import thin_out
from sluice.tunes.corpus import collections
from sluice.tunes.notation.abc_file import split_blocks
from sluice.tunes.notation.tune_files import read_file
from sluice.tunes.tune import from_abc

TABLE = json.loads(Path(__file__).with_name("abc2midi_table.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("tune", TABLE["tunes"], ids=lambda tune: tune["name"])
def test_tunes_of_the_table(tune: dict[str, str]) -> None:
    """abc2midi may be missing here: the table has what it plays."""
    (block,) = split_blocks(tune["abc"], tune["name"])
    mine = agreement.play_with_sluice(from_abc(block))
    assert agreement.encode_notes(mine) == tune["notes"]


@pytest.mark.parametrize("first", thin_out(range(3), 3))
def test_printed_tunes(first: int) -> None:
    """One in sixty of the three collections."""
    program = agreement.find_abc2midi()
    if program is None:
        pytest.skip("abc2midi is not installed (Debian: apt-get install abcmidi)")
    files = collections._list_collection_files()
    blocks = [b for file in files[first::18] for b in read_file(file).blocks][::10]
    differences = {}
    for block in blocks:
        found = agreement.compare(block, program)
        place = f"{Path(block.source).name}:{block.line}"
        if found and found[1] and place not in agreement.EXCEPTIONS:
            differences[place] = found[1]
    assert differences == {}
    assert len(blocks) > 15
