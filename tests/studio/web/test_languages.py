"""Texts in the visitor's language."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

import translations
from sluice.studio.languages import choose_language, list_languages, ngettext, set_language


def test_german_is_whole() -> None:
    catalog = translations.read_catalog(translations.LOCALES / "de.po")
    assert list(translations.list_problems(catalog, translations.extract_texts())) == []


@pytest.mark.parametrize(
    ("preferences", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr, de;q=0.7, en;q=0.9", "en"),
        ("en;q=0, de;q=0.1", "de"),
        ("fr", "en"),
        ("", "en"),
        (";;q=x,=,de;q=", "de"),
        ("../../de", "en"),
    ],
)
def test_the_language_that_a_browser_asks_for(preferences: str, language: str) -> None:
    assert choose_language(preferences) == language


def test_pages_speak_it(client: TestClient) -> None:
    page = client.get("/", headers={"accept-language": "de"}).text
    assert '<html lang="de">' in page
    assert "Komponieren" in page
    assert "Compose" not in page.replace("compose", "")


def test_plurals() -> None:
    assert "de" in list_languages()
    set_language("de")
    texts = [ngettext("{count} bar", "{count} bars", n).format(count=n) for n in (0, 1, 2)]
    set_language("en")
    assert texts == ["0 Takte", "1 Takt", "2 Takte"]
