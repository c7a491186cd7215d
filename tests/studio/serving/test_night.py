"""The work of the night, of which each part is done once, by one machine."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pytest

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.task_runs import claim_run, finish_run
from sluice.studio.config import StudioConfig
from sluice.studio.exports.datasets import list_datasets
from sluice.studio.serving import night


def test_one_of_many_claims_a_task(any_database: Database) -> None:
    claimed: list[bool] = []
    barrier = threading.Barrier(6)

    def claim() -> None:
        barrier.wait()
        claimed.append(claim_run(any_database, "digests"))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [False] * 5 + [True]


def test_a_task_is_due_the_next_day_or_two_hours_after_it_was_lost(any_database: Database) -> None:
    start = get_now()
    assert claim_run(any_database, "purge", start)
    assert not claim_run(any_database, "purge", start + timedelta(hours=1))
    assert claim_run(any_database, "purge", start + timedelta(hours=3))
    finish_run(any_database, "purge", start + timedelta(hours=4))
    assert not claim_run(any_database, "purge", start + timedelta(hours=22))
    assert claim_run(any_database, "purge", start + timedelta(hours=24))


def test_all_tasks_run_and_one_that_fails_stops_no_other(
    any_database: Database, config: StudioConfig, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def fail(database: Database, config: StudioConfig) -> None:
        raise RuntimeError("lost")

    monkeypatch.setitem(night.TASKS, "digests", fail)
    with caplog.at_level(logging.INFO):
        night.run_tasks(any_database, config)
    assert [record.getMessage() for record in caplog.records if record.name == "night"] == [
        "the task purge is done", "the task digests failed", "the task datasets is done",
    ]  # fmt: skip
    assert len(list_datasets(config.folder)) == 8
    caplog.clear()
    night.run_tasks(any_database, config)
    assert not caplog.records
