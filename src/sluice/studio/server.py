"""Starts the studio: its database, its composing process and its web processes."""

from __future__ import annotations

import webbrowser

import uvicorn

from sluice.files import require_writable
from sluice.studio.app import create_app
from sluice.studio.archive.database import Database
from sluice.studio.config import StudioConfig


def run_studio(config: StudioConfig, opens_browser: bool = False) -> None:
    """Serve until interrupted."""
    require_writable(config.folder)
    database = Database(config.database_url)
    database.create_tables()
    database.close()
    if opens_browser:
        webbrowser.open(config.public_address)
    uvicorn.run(create_app(config), host=config.host, port=config.port, log_level="warning")
