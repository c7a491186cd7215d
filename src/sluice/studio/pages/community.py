"""All that members do together: the routers of those pages."""

from __future__ import annotations

from sluice.studio.pages import (
    about,
    book_entries,
    books,
    events,
    following,
    members,
    month,
    offline,
    recordings,
    tune_choice,
    unsubscribe,
)

ROUTERS = (
    about.router,
    book_entries.router,
    books.router,
    events.router,
    following.router,
    members.router,
    month.router,
    offline.router,
    recordings.router,
    tune_choice.router,
)

# Programs of mail providers send these forms, without a token of this site.
OPEN_ROUTERS = (unsubscribe.router,)
