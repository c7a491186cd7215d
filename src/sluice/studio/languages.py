"""Texts in the visitor's language, from the catalogues in `locales/`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from babel import Locale
from babel.core import negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent / "locales"

_language: ContextVar[str] = ContextVar("language", default="en")


@lru_cache
def list_languages() -> dict[str, str]:
    """The languages that the studio speaks: their codes, and their names in themselves."""
    codes = ["en", *sorted(path.stem for path in FOLDER.glob("*.po"))]
    return {code: (Locale.parse(code).get_display_name(code) or code) for code in codes}


def choose_language(preferences: str, default: str = "en") -> str:
    """The best language for the header `Accept-Language` of a request."""
    wanted = []
    for part in preferences[:500].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), name.replace("-", "_")))
        except ValueError:
            continue
    names = [name for weight, name in sorted(wanted, key=lambda pair: pair[0]) if weight < 0]
    return negotiate_locale(names, list(list_languages())) or default


def set_language(code: str) -> None:
    """Use this language for what follows in the present request."""
    _language.set(code)


def get_language() -> str:
    """The language of the present request."""
    return _language.get()


def gettext(message: str) -> str:
    """A text in the language of the present request; English where it has none."""
    translated = _find_translation(message)
    return translated if isinstance(translated, str) and translated else message


def ngettext(singular: str, plural: str, count: int) -> str:
    """One of two texts by a count, in the language of the present request."""
    translated = _find_translation(singular)
    if not isinstance(translated, list | tuple):
        return singular if count == 1 else plural
    kinds = Locale.parse(get_language()).plural_form
    # Catalogues list the kinds of plural in the order in which the locale's rules name them.
    place = [*sorted(kinds.tags, key=_KINDS.index), "other"].index(kinds(count))
    return translated[min(place, len(translated) - 1)] or plural


_KINDS = ["zero", "one", "two", "few", "many", "other"]


def _find_translation(message: str) -> object:
    catalog = _load_catalog(get_language())
    entry = catalog.get(message) if catalog is not None and message else None
    return None if entry is None else entry.string


@lru_cache
def _load_catalog(code: str) -> Catalog | None:
    path = FOLDER / f"{code}.po"
    if code == "en" or not path.exists():
        return None
    with path.open("rb") as file:
        return read_po(file, locale=code)


@contextmanager
def use_language(code: str) -> Iterator[None]:
    """Use another language within a block, such as that of who receives a mail."""
    token = _language.set(code if code in list_languages() else get_language())
    try:
        yield
    finally:
        _language.reset(token)
