"""The archive of tunes: the routers of its pages."""

from __future__ import annotations

from sluice.studio.pages import comments, edit, settings, submit, tune, tunes

ROUTERS = (
    comments.router, edit.router, settings.router, submit.router, tune.router, tunes.router,
)  # fmt: skip
