"""The page in a real browser: no requests, no errors, and the right values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

import sluice
from report.page.sample_models import lstm
from sluice.report.page import look


@pytest.fixture(scope="module")
def open_page(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, Any, list[str]]]:
    """The page, the tape of the same pass, and all errors and requests of the browser."""
    torch.manual_seed(0)
    model, ids = lstm(), torch.randint(5, (300, 1))
    tokens = [["ab<&\n"[token] for token in ids[:, 0].tolist()]]
    path = tmp_path_factory.mktemp("page") / "report.html"
    report = look(
        model, ids, ids.roll(-1, 0), tokens=tokens, classes="ab<&\n", steps=40,
        properties={"a or b": [(ids[:, 0] < 2).long()]},
    )  # fmt: skip
    report.save(path)
    with torch.no_grad(), sluice.record(model) as tape:
        model(ids)
    events: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page.on("console", lambda message: events.append(message.text))
    page.on("pageerror", lambda error: events.append(str(error.stack)))
    page.on("request", lambda request: events.append(request.url))
    page.goto(path.as_uri())
    events.remove(path.as_uri())
    yield page, tape, events
    page.close()


def values(page: Any) -> dict[str, str]:
    cells = page.locator("[data-part=values] [data-value]").all()
    return {cell.get_attribute("data-value"): cell.inner_text() for cell in cells}


def test_the_scrubber_shows_what_was_recorded(open_page: tuple[Any, Any, list[str]]) -> None:
    page, tape, events = open_page
    page.select_option("[data-part=unit]", "3")
    before = values(page)
    for _ in range(7):
        page.keyboard.press("Escape")
        page.locator("body").press("ArrowRight")
    page.click("#next")
    after = values(page)
    assert (
        before != after and page.locator("[data-part=text] .now").get_attribute("data-step") == "8"
    )
    for name, text in after.items():
        assert float(text) == pytest.approx(float(tape["layer"][name][8, 0, 3]), abs=6e-4)
    in_sketch = page.locator("svg text.live").all_text_contents()
    assert f"{float(tape['layer'].forget[8, 0, 3]):.2f}" in in_sketch
    page.fill("#slider", "20")
    assert page.locator("#here").inner_text().startswith("step 20 of 39")
    assert events == []


def test_pointing_at_a_heat_map_shows_its_value(open_page: tuple[Any, Any, list[str]]) -> None:
    page, tape, events = open_page
    page.select_option("[data-part=order]", "number")
    plane = page.locator('figure[data-value="forget"] .plane')
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    x, y = box["x"] + box["width"] * 12.5 / 40, box["y"] + box["height"] * 5.5 / 9
    page.mouse.move(x, y)
    text = page.locator('figure[data-value="forget"] figcaption output').inner_text()
    assert text.startswith("step 12 ") and "unit 5: " in text
    assert float(text.rpartition(" ")[2]) == pytest.approx(
        float(tape["layer"].forget[12, 0, 5]), abs=6e-4
    )
    page.mouse.click(x, y)
    assert page.locator("[data-part=values] h3").inner_text().endswith("unit 5, step 12")
    assert events == []


def test_every_control_works_in_both_themes(open_page: tuple[Any, Any, list[str]]) -> None:
    page, _, events = open_page
    looks = set()
    for colour in ("forget", "loss", "influence"):
        page.select_option("[data-part=colour]", colour)
        looks.add(page.locator("[data-part=text] span").nth(9).get_attribute("style"))
    assert len(looks) == 3
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    assert page.locator("#theme").inner_text() == "Dark"
    page.click("#play")
    page.wait_for_timeout(600)
    page.click("#play")
    assert page.locator("#slider").input_value() != "12"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert events == []


def test_selective_units_can_be_selected(open_page: tuple[Any, Any, list[str]]) -> None:
    page, _, _ = open_page
    page.set_viewport_size({"width": 1280, "height": 900})
    assert set(page.locator("[data-part=text]").inner_text()) == set("ab<&↵\n")
    button = page.locator("[data-part=followed] button").nth(1)
    unit = button.get_attribute("data-unit")
    assert float(button.inner_text().split()[-1]) <= 1
    button.click()
    assert page.locator("[data-part=unit]").input_value() == unit
    assert page.locator("[data-part=of]").input_value() == "unit"
