"""The work of every night, in a process that ends when it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sluice.studio.accounts.privacy import purge
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.task_runs import claim_run, finish_run
from sluice.studio.config import StudioConfig
from sluice.studio.exports.datasets import write_datasets
from sluice.studio.serving.events import write_events
from sluice.studio.serving.parent import read_settings
from sluice.studio.web.digests import send_digests

Task = Callable[[Database, StudioConfig], None]
_logger = logging.getLogger("night")


def write_all_datasets(database: Database, config: StudioConfig) -> None:
    """Write the data sets anew."""
    write_datasets(database, config.folder, config.public_address, config.licence)


def forget_what_is_old(database: Database, config: StudioConfig) -> None:
    """Delete counts, sessions, links, mails and uploads that are of no more use."""
    with database.open_session(write=True) as session:
        purge(session, config.folder)


def queue_digests(database: Database, config: StudioConfig) -> None:
    """Queue the weekly mails that are due."""
    send_digests(database, config, get_now())


TASKS: dict[str, Task] = {
    "purge": forget_what_is_old,
    "digests": queue_digests,
    "datasets": write_all_datasets,
}
"""What is done, in this order; one that fails is logged, and done again after two hours."""


def run_tasks(database: Database, config: StudioConfig) -> None:
    """Do what is due and nobody else does."""
    for name, task in TASKS.items():
        if not claim_run(database, name):
            continue
        try:
            task(database, config)
        except Exception:
            _logger.exception("the task %s failed", name)
        else:
            finish_run(database, name)
            _logger.info("the task %s is done", name)


def main() -> None:
    """Do it once."""
    config = StudioConfig.from_json(read_settings())
    write_events()
    database = Database(config.database_url)
    run_tasks(database, config)
    database.close()


if __name__ == "__main__":
    main()
