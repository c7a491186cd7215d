"""Runs the steps on the connection that `archive.schema` hands over."""

from __future__ import annotations

from alembic import context

from sluice.studio.archive.schema import COMPARISON
from sluice.studio.archive.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, **COMPARISON
)
context.run_migrations()
