"""Damaged tables are read or refused in a sentence: nothing else is raised, whatever the bytes."""

import random
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from tests.sequence.data.readers.spreadsheet_files import write_xlsx

from sampling import thin_out
from sluice.sequence import DataError, Series, load_data

INSERTED = [b'"', b"\n", b"\0", b"\xff", b",,", b";", b"#", b"{"]
ROWS = [(float(n), n * 1.5, f"k{n % 3}") for n in range(30)]


def write_csv(path: Path) -> None:
    path.write_text("t,x,k\n" + "".join(f'{t},{x},"{k}"\n' for t, x, k in ROWS))


def write_json_lines(path: Path) -> None:
    path.write_text("".join(f'{{"t":{t},"x":{x},"k":"{k}"}}\n' for t, x, k in ROWS))


def write_parquet(path: Path) -> None:
    names = ("t", "x", "k")
    parquet.write_table(
        pyarrow.table(dict(zip(names, map(list, zip(*ROWS, strict=True)), strict=True))), path
    )


def write_spreadsheet(path: Path) -> None:
    write_xlsx(path, {"s": [["t", "x", "k"], *map(list, ROWS)]})


WRITERS: dict[str, Callable[[Path], None]] = {
    ".csv": write_csv,
    ".jsonl": write_json_lines,
    ".parquet": write_parquet,
    ".xlsx": write_spreadsheet,
}


def mutate(content: bytes, seed: int) -> bytes:
    """Flip, cut, double or insert bytes at places that the seed chooses."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        if not data:
            break
        first = chance.randrange(len(data))
        last = min(len(data), first + chance.randint(1, 40))
        how = chance.randrange(4)
        if how == 0:
            data[first] ^= 1 << chance.randrange(8)
        elif how == 1:
            del data[first:last]
        elif how == 2:
            data[first:first] = data[first:last]
        else:
            data[first:first] = chance.choice(
                [b'"', b"\n", b"\0", b"\xff", b",,", b";", b"#", b"{"]
            )
    return bytes(data)


@pytest.mark.parametrize("seeds", thin_out([range(30), range(30, 100)], 2), ids=["first", "rest"])
@pytest.mark.parametrize("suffix", WRITERS)
def test_mutations_end_in_a_reading_or_a_sentence(
    suffix: str, seeds: range, tmp_path: Path
) -> None:
    path = tmp_path / f"table{suffix}"
    WRITERS[suffix](path)
    content = path.read_bytes()
    outcomes = {"read": 0, "refused": 0}
    for seed in seeds:
        path.write_bytes(mutate(content, seed))
        try:
            series = load_data(path)
        except DataError as error:
            outcomes["refused"] += 1
            assert str(error) and "Traceback" not in str(error)
        else:
            outcomes["read"] += 1
            assert isinstance(series, Series) and len(series.values.flat) <= 100
    assert min(outcomes.values()) > 0
