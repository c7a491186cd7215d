"""Random requests to all operations of the API: none fails, all answers have their shape."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveTune, Book, BookEntry, Member, Setting

schemathesis = pytest.importorskip("schemathesis")
positive_data_acceptance = pytest.importorskip(
    "schemathesis.specs.openapi.checks"
).positive_data_acceptance

COMPOSING = "compositions|models"
LEFT_OUT = r"\{ending\}|/stream"
"""Job processes write files, and tests of their own start those; streams last."""


@pytest.fixture
def archive(studio_app: FastAPI, database: Database) -> Any:
    with database.open_session(write=True) as session:
        una = Member(email="una@example.org", name="Una", password="x")
        tune = ArchiveTune(title="Reel", abc="X:1\nT:Reel\nK:D\nabc|\n", author=una, last_number=1)
        tune.settings.append(Setting(number=1, abc="X:1\nK:C\nabc|\n", author=una))
        book = Book(name="Book", owner=una)
        book.entries = [BookEntry(tune=tune, position=1)]
        session.add_all([tune, book])
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", studio_app)
    return schema.exclude(path_regex=LEFT_OUT).exclude(path_regex=COMPOSING)


@pytest.fixture
def composing(live_studio: str) -> Any:
    schema = schemathesis.openapi.from_url(f"{live_studio}/api/openapi.json")
    return schema.exclude(path_regex=LEFT_OUT).include(path_regex=COMPOSING)


def check_operations(schema: Any, mode: str) -> int:
    """Send requests to each operation of a schema; how many operations there are."""
    count = 0
    for result in schema.get_all_operations():
        strategy = result.ok().as_strategy(generation_mode=schemathesis.GenerationMode(mode))

        @given(case=strategy)
        @settings(
            max_examples=5, deadline=None, suppress_health_check=list(HealthCheck),
            derandomize=True, database=None,
        )  # fmt: skip
        def check(case: Any) -> None:
            # A text of the right form may still be no notes, or no word to search for.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        try:
            check()
        except Unsatisfiable:  # nothing about this operation can be wrong
            continue
        count += 1
    return count


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_of_the_archive_conforms(archive: Any, mode: str) -> None:
    """Requests as described, and requests that are not."""
    assert check_operations(archive, mode) > 5


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_of_the_composing_process_conforms(composing: Any, mode: str) -> None:
    assert check_operations(composing, mode) > 1
