"""Search of the studio's archive: 100,000 tunes by words and by notes, in both databases.

Prints the rows of `bench/results/studio.md`. The tunes are drawn at random: titles by Zipf's law
from 4,000 words, melodies mostly by step in four parts, the first of which come again.

    python bench/studio_search.py [sqlite] [postgresql] [number of tunes]
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from sluice.studio.archive.database import Database
from sluice.studio.archive.search import TuneQuery, find_tunes
from sluice.studio.archive.search_index import rebuild_index
from sluice.studio.archive.tables import ArchiveTune
from sluice.studio.config import StudioConfig

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.postgres_server import create_database, say_what_is_missing, start_server

NUM_TUNES = 100_000
REPEATS = 30
_DANCES = {"jig": "6/8", "reel": "4/4", "hornpipe": "4/4", "waltz": "3/4", "slip jig": "9/8"}
_SYLLABLES = "ba cor dun el fa gal hur in kil lo mac nor or pe quin ros sla tul un wex".split()


def draw_tunes(count: int) -> Iterator[dict[str, Any]]:
    """Rows of tunes, the same at every call."""
    drawn = random.Random(14128)
    words = ["".join(drawn.choices(_SYLLABLES, k=3)) for _ in range(4000)]
    weights = [1 / place for place in range(1, len(words) + 1)]
    for _ in range(count):
        dance = drawn.choice(list(_DANCES))
        title = " ".join(drawn.choices(words, weights, k=3))
        yield {
            "title": f"The {title}", "dance": dance, "meter": _DANCES[dance],
            "mode": drawn.choice(["maj", "min", "dor", "mix"]), "tonic": drawn.choice("CDEGA"),
            "abc": f"X:1\nT:{title}\nC:{drawn.choice(words)}\nM:{_DANCES[dance]}\nK:D\nabc|",
            "contour": _draw_contour(drawn), "num_books": int(drawn.paretovariate(1)) % 1000,
        }  # fmt: skip


def _draw_contour(drawn: random.Random) -> str:
    parts = []
    for _ in range(4):
        step, part = drawn.choice([0, 2, 4]), ""
        for move in drawn.choices([1, -1, 2, -2, 3, -3], [34, 36, 11, 10, 5, 4], k=30):
            part += str(step % 7 + 1)
            step += move
        parts.append(part)
    whole = parts[0] + parts[1] + parts[0] + parts[2] + parts[3]
    return "".join(step for step, _same in groupby(whole))


def fill(database: Database, count: int) -> None:
    """Write the tunes and the index of their texts."""
    rows = list(draw_tunes(count))
    with database.open_session(write=True) as session:
        for start in range(0, count, 1000):
            session.connection().execute(insert(ArchiveTune), rows[start : start + 1000])
        rebuild_index(session.connection())


def list_queries(count: int) -> dict[str, list[TuneQuery]]:
    """What is searched for: words and notes of tunes that are there, and common ones."""
    rows = list(draw_tunes(min(count, 3000)))
    drawn = random.Random(1)
    chosen = drawn.sample(rows, REPEATS)
    starts = [drawn.randrange(80) for _ in chosen]
    pieces = [(row["contour"], start) for row, start in zip(chosen, starts, strict=True)]
    letters = str.maketrans("1234567", "GABcdef")
    return {
        "two words of a title": [
            TuneQuery(words=" ".join(row["title"].split()[1:3])) for row in chosen
        ],
        "a common word": [TuneQuery(words="reel")] * REPEATS,
        "a word and a filter": [
            TuneQuery(words=row["title"].split()[1], dance=row["dance"]) for row in chosen
        ],
        "eight notes, any key": [
            TuneQuery(notes=own[at : at + 8].translate(letters)) for own, at in pieces
        ],
        "four notes, any key": [
            TuneQuery(notes=own[at : at + 4].translate(letters)) for own, at in pieces
        ],
        "six steps of the scale": [TuneQuery(notes=own[at : at + 6]) for own, at in pieces],
        "a page of the list": [TuneQuery(sort="popular")] * REPEATS,
        "the list of one dance": [TuneQuery(dance="jig", mode="dor")] * REPEATS,
    }


def measure(database: Database, count: int) -> Iterator[str]:
    """Rows of the table: median and 95th percentile in milliseconds."""
    for name, queries in list_queries(count).items():
        times = []
        for query in [queries[0], *queries]:
            with database.open_session() as session:
                start = time.perf_counter()
                found = find_tunes(session, query)
                times.append(1000 * (time.perf_counter() - start))
                assert found.tunes, query
        times = sorted(times[1:])
        p95 = times[int(0.95 * len(times))]
        yield f"{name} | {statistics.median(times):.1f} | {p95:.1f}"


def say(line: str) -> None:
    """Print a line at once, also into a file."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Fill and measure SQLite, PostgreSQL where it is installed, or the one that is named."""
    names = [name for name in sys.argv[1:] if not name.isdigit()] or ["sqlite", "postgresql"]
    count = next((int(name) for name in sys.argv[1:] if name.isdigit()), NUM_TUNES)
    if "sqlite" in names:
        with tempfile.TemporaryDirectory() as folder:
            report("SQLite", f"sqlite:///{folder}/studio.sqlite", count)
    if "postgresql" not in names:
        return
    if missing := say_what_is_missing():
        say(f"PostgreSQL: {missing}")
        return
    with start_server() as server, create_database(server) as url:
        report("PostgreSQL", StudioConfig(database=url).database_url, count)


def report(name: str, url: str, count: int) -> None:
    """Print the table of one database."""
    database = Database(url)
    database.create_tables()
    start = time.perf_counter()
    fill(database, count)
    say(f"{name}, {count} tunes, written and indexed in {time.perf_counter() - start:.0f} s\n")
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as opened:
            opened.exec_driver_sql("ANALYZE")
    say("Query | median (ms) | p95 (ms)\n---|---|---")
    for row in measure(database, count):
        say(row)
    sys.stdout.write("\n")
    database.close()


if __name__ == "__main__":
    main()
