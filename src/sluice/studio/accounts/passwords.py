"""Passwords: what is accepted, and their argon2id hashes."""

from __future__ import annotations

import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sluice.studio.errors import LimitError, StudioError
from sluice.studio.languages import gettext as _

MIN_LENGTH, MAX_LENGTH = 10, 1000
_MAX_WAITING = 12

# 32 MiB, twice over: more than OWASP's least, little enough for two at once in a small machine.
_hasher = PasswordHasher(time_cost=2, memory_cost=32 * 1024, parallelism=1)
_UNKNOWN = _hasher.hash(os.urandom(16))


def check_password(password: str, name: str, email: str, field: str = "password") -> str:
    """A new password, if it is accepted: length and difference from name and address count.

    Raises:
        StudioError: it is too short, far too long, or the member's name or address.
    """
    if len(password) < MIN_LENGTH:
        raise StudioError(
            _("The password has {count} characters; it needs at least {limit}.").format(
                count=len(password), limit=MIN_LENGTH
            ),
            field,
        )
    if len(password) > MAX_LENGTH:
        raise StudioError(
            _("The password has {count} characters; at most {limit} are taken.").format(
                count=len(password), limit=MAX_LENGTH
            ),
            field,
        )
    if password.casefold() in (
        name.casefold(),
        email.casefold(),
        email.partition("@")[0].casefold(),
    ):
        raise StudioError(_("The password may not be your name or your address."), field)
    return password


def hash_password(password: str) -> str:
    """The hash that is stored.

    Raises:
        LimitError: too many passwords are being checked already.
    """
    return _run(_hasher.hash, _encode(password))


def is_password_right(stored: str | None, password: str) -> bool:
    """Whether a stored hash is of this password; for no hash it takes as long to say no.

    Raises:
        LimitError: too many passwords are being checked already.
    """
    is_right = _run(_verify, stored or _UNKNOWN, _encode(password[: MAX_LENGTH + 1]))
    return is_right and stored is not None


def _verify(stored: str, password: bytes) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _encode(password: str) -> bytes:
    # The same letters may arrive composed or not, by system.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _lower_priority() -> None:
    if sys.platform == "linux":  # where it is of this thread alone
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


# Two threads behind all others: logins cannot stop who composes.
_threads = ThreadPoolExecutor(2, "password", _lower_priority)
_places = threading.BoundedSemaphore(_MAX_WAITING)


_Result = TypeVar("_Result")


def _run(work: Callable[..., _Result], *values: object) -> _Result:
    # Each that waits keeps a thread of the web server, which the pages need too.
    if not _places.acquire(blocking=False):
        raise LimitError(_("Many people are logging in just now. Try again in a moment."), 2)
    try:
        return _threads.submit(work, *values).result()
    finally:
        _places.release()
