"""All that members do together: the routers of those pages."""

from __future__ import annotations

from sluice.studio.pages import events, recordings, tune_choice

ROUTERS = (events.router, recordings.router, tune_choice.router)
