"""Forms that people fill in and robots stumble over: a hidden field, and the time it takes."""

from __future__ import annotations

from time import time

from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.keys import is_signature, sign

HIDDEN_FIELD = "website"
TIME_FIELD = "opened"
MIN_SECONDS, MAX_SECONDS = 2.0, 12 * 3600.0


def sign_time(key: bytes) -> str:
    """The time at which a form is shown, for its field `TIME_FIELD`."""
    now = f"{time():.2f}"
    return f"{now}.{sign(key, 'opened', now)[:32]}"


def check_human(key: bytes, hidden: str, opened: str) -> None:
    """Refuse a form that no person can have sent.

    Args:
        hidden: what came in the field that people do not see.
        opened: what came of `sign_time`.

    Raises:
        StudioError: the hidden field is filled in, or the form came back at once, after half a
            day, or without its time.
    """
    now, _dot, signature = opened.rpartition(".")
    is_signed = is_signature(key, "opened", now, signature + sign(key, "opened", now)[32:])
    if hidden or not is_signed:
        raise StudioError(_("This does not look as if a person had sent it. Reload the page."))
    seconds = time() - float(now)
    if seconds < MIN_SECONDS:
        raise StudioError(_("That was faster than people write. Please send it once more."))
    if seconds > MAX_SECONDS:
        raise StudioError(_("The page was open for too long. Please send it once more."))
