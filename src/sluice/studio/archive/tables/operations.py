"""What the site does by itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from sluice.studio.archive.tables.base import Base


class TaskRun(Base):
    """When a task of every night was last begun and ended: the claim of whoever runs it."""

    __tablename__ = "task_run"

    name: Mapped[str] = mapped_column(String(40), unique=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
