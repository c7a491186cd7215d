"""Help and about: what is said there, and model cards."""

from __future__ import annotations

import re

from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Model
from sluice.studio.web.cards import render_card

CARD = """# A model

<script>alert(1)</script> [docs](../docs/x.md) [site](https://example.org) ![p](https://e.org/p.png)

## Loss

| a | b |
| - | - |
| 1 | 2 |
"""


def test_about_names_its_predecessors_and_shows_the_models_cards(
    client: TestClient, database: Database
) -> None:
    with database.open_session(write=True) as session:
        session.add(Model(fingerprint="f" * 64, name="Bundled", card=CARD))
        session.add(Model(fingerprint="e" * 64, name="Gone", is_active=False))
    page = client.get("/about").text
    for name in ("FolkRNN.org", "The Machine Folk Session", "Bob L. Sturm", "Apache License"):
        assert name in page
    assert "Bundled" in page and "ffffffffffff" in page and "Gone" not in page
    assert "<h3>A model</h3>" in page and "<td>2</td>" in page and "<script>alert" not in page


def test_a_card_brings_no_script_picture_or_broken_link() -> None:
    html = render_card(CARD)
    assert "<script" not in html and "<img" not in html
    assert re.findall(r'href="([^"]*)"', html) == ["https://example.org", "https://e.org/p.png"]
    assert "<h4>Loss</h4>" in html


def test_help_tells_of_every_part(client: TestClient) -> None:
    page = client.get("/help").text
    targets = re.findall(r'<li><a href="#(\w+)">', page)
    assert len(targets) == 7
    for target in targets:
        assert f'id="{target}"' in page
    assert "X:1\nT:Four bars" in page
