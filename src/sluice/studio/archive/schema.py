"""Brings a database to the form that this version expects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables.base import UtcTime
from sluice.studio.errors import StudioError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The last step of `migrations/versions`."""
FOLDER = Path(__file__).parent.parent / "migrations"

_LOCK = 7_351_424_907
_UNMAPPED_TABLES = ("tune_words_index", "tune_notes_index")


def upgrade_database(database: Database) -> None:
    """Run the steps that the database has not seen: all in one transaction, or none.

    Raises:
        StudioError: it belongs to a newer version of the program, or was made by none.
    """
    with database.engine.execution_options(is_writing=True).begin() as connection:
        if connection.dialect.name == "postgresql":  # of several machines, one at a time
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        revision = find_revision(connection)
        if revision == HEAD:
            return
        if revision is None and inspect(connection).has_table("tune"):
            raise StudioError(
                "The database has tables of a studio but not which version they are of; give "
                "another folder or database."
            )
        _run(connection, "upgrade", "head", revision)


def downgrade_database(database: Database, revision: str) -> None:
    """Take the steps behind `revision` back; `base` removes all tables.

    Raises:
        StudioError: the database belongs to a newer version.
    """
    with database.engine.execution_options(is_writing=True).begin() as connection:
        _run(connection, "downgrade", revision, find_revision(connection))


def find_revision(connection: Connection) -> str | None:
    """The last step that a database has seen; None for one without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def make_alembic_config(connection: Connection) -> Config:
    """Alembic's settings; no file of settings is read."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _run(connection: Connection, direction: str, target: str, revision: str | None) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = make_alembic_config(connection)
    known = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    if revision is not None and revision not in known:
        raise StudioError(
            f"The database is of a newer version (step {revision}; this one knows {HEAD}); "
            "install that version, or restore a backup into a new folder."
        )
    getattr(command, direction)(config, target)


def _is_compared(item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """Whether the metadata should know something that a database has: not indexes of search."""
    if kind == "table":
        return not str(name).startswith(_UNMAPPED_TABLES)
    return not str(name).endswith("_vector")


def _write_type(kind: str, value: Any, context: Any) -> str | bool:
    """How a column's type is written in a step."""
    if kind == "type" and isinstance(value, UtcTime):
        return "sa.DateTime(timezone=True)"
    return False


COMPARISON: dict[str, Any] = {
    "include_object": _is_compared,
    "render_item": _write_type,
    "compare_type": True,
    "render_as_batch": False,
}
"""How Alembic compares the tables with a database."""
