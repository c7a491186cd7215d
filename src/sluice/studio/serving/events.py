"""What a process logs, as events that the supervisor reads."""

from __future__ import annotations

import json
import logging
import traceback


class EventFormatter(logging.Formatter):
    """A line of JSON a record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record; of an exception also its traceback."""
        values = {"level": record.levelname.lower(), "event": record.name}
        values |= getattr(record, "values", {})
        if record.getMessage():
            values["text"] = record.getMessage()
        if record.exc_info:
            values["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(values, ensure_ascii=True, default=str)


def write_events() -> None:
    """Write what is logged in this process as events on its standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(EventFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in ("uvicorn.error", "uvicorn.asgi", "httpx", "alembic", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
