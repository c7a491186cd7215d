"""Writes the next step of the studio's database: python tools/new_migration.py "What changes".

Its content is the difference between the tables in the code and the database after all steps that
there are. Read it, complete it (data, search indexes), and set `HEAD` in archive/schema.py.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from sluice.studio.archive.database import Database
from sluice.studio.archive.schema import make_alembic_config, upgrade_database


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.sqlite'}")
        upgrade_database(database)
        with database.engine.begin() as connection:
            config = make_alembic_config(connection)
            last = ScriptDirectory.from_config(config).get_current_head() or "0000"
            command.revision(config, sys.argv[1], autogenerate=True, rev_id=f"{int(last) + 1:04}")
        database.close()


if __name__ == "__main__":
    main()
