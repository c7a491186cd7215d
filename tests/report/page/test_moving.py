"""Moving about a page in Chromium: zoom, spans and their like, two models, screen readers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import sluice
from report.page.sample_models import Reader, lstm
from sluice.insight import active_units, find_matches
from sluice.report.page import Report, ReportError, look


def open_page(browser: Any, report: Report, folder: Path, **options: Any) -> tuple[Any, list[str]]:
    report.save(str(folder / "page.html"))
    page, events = browser.new_page(**options), list[str]()
    page.on("console", lambda message: events.append(message.text))
    page.on("pageerror", lambda error: events.append(str(error.stack)))
    page.goto((folder / "page.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    return page, events


def find_axe_violations(page: Any) -> list[Any]:
    from axe_playwright_python.sync_playwright import Axe

    found: list[Any] = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


@pytest.mark.exhaustive
def test_a_span_chosen_by_hand_finds_its_like(browser: Any, tmp_path: Path) -> None:
    torch.manual_seed(5)
    model, ids = lstm(30), torch.randint(5, (60, 4))
    with torch.no_grad():
        for weight in model.layer.parameters():
            weight.mul_(3.0)
    page, events = open_page(browser, look(model, ids, sequence=1), tmp_path)
    with torch.no_grad(), sluice.record(model) as tape:
        model(ids)
    c = tape["layer"].c.double()
    scaled = (c - c.flatten(0, 1).mean(0)) / c.flatten(0, 1).std(0, correction=0)
    page.fill("#slider", "20")
    page.locator("[data-part=text]").focus()
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    thresholds = [0.0, 0.5, 0.75, 1.0]
    for level in (1, 2):
        page.locator("[data-part=threshold]").fill(str(level))
        units = active_units(scaled, 1, 20, 23, thresholds[level])
        assert len(units) > 0
        shown = page.locator("[data-part=span] .units button").all_text_contents()
        assert shown == list(map(str, units.tolist()))
        expected = [
            (match.sequence, match.start, match.units)
            for match in find_matches(scaled, units, 3, thresholds[level], 40)
            if match.sequence != 1 or match.stop <= 20 or match.start >= 23
        ]
        words = page.locator("[data-part=span] .match .quiet").all_text_contents()
        found = [re.search(r"(\d+) of \d+ active · sequence (\d+), step (\d+)", w) for w in words]
        assert all(found) and len(found) > 3
        assert [(int(m[2]), int(m[3]), int(m[1])) for m in found if m] == expected[: len(found)]
    page.click("[data-part=clear]")
    assert page.locator("[data-part=clear]").is_hidden() and events == []


@pytest.mark.exhaustive
def test_ten_thousand_steps_can_be_zoomed(browser: Any, tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(5, 4), sluice.nn.GRU(4, 3))
    ids = torch.randint(5, (10_000, 1))
    report = look(model, ids, tokens=[["abcde"[k] for k in ids[:, 0]]], steps=10_000)
    page, events = open_page(browser, report, tmp_path, viewport={"width": 900, "height": 700})
    sight, overview = page.locator("[data-part=sight]"), page.locator("[data-part=overview]")
    assert sight.inner_text() == "all 10,000 steps"
    assert page.locator("[data-part=text] span").count() == 2000  # the part around the step
    page.fill("#slider", "6000")
    page.click("[data-part=in]")
    assert sight.inner_text() == "steps 3000–7999"
    overview.focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    from_, to = map(int, re.findall(r"\d+", sight.inner_text()))
    assert to - from_ == 2499 and overview.get_attribute("aria-valuenow") == str(from_)
    plane = page.locator("figure[data-value=update] .plane")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    before = sight.inner_text()
    page.mouse.wheel(0, -400)
    assert sight.inner_text() == before  # a page scrolls, unless Ctrl is held
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    first, last = map(int, re.findall(r"\d+", sight.inner_text()))
    assert last - first == 624 and abs((first + last) - (from_ + to)) <= 4
    page.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + 20)
    readout = page.locator("figure[data-value=update] output").inner_text()
    assert abs(int(re.findall(r"step (\d+)", readout)[0]) - (first + last) / 2) < 8
    page.keyboard.press("0")
    page.click("[data-part=whole]")
    assert sight.inner_text() == "all 10,000 steps" and events == []


@pytest.mark.exhaustive
def test_two_models_stand_beside_each_other(browser: Any, tmp_path: Path) -> None:
    torch.manual_seed(2)
    first, second, ids = lstm(), lstm(), torch.randint(5, (40, 2))
    targets, tokens = ids.roll(-1, 0), [["abcde"[k] for k in row] for row in ids.T]
    report = look(first, ids, targets, tokens=tokens, classes="abcde", beside=second)
    page, events = open_page(browser, report, tmp_path, viewport={"width": 1280, "height": 800})
    losses = [
        functional.cross_entropy(model(ids)[:, 0], targets[:, 0], reduction="none")[7].item()
        for model in (first, second)
    ]
    page.fill("#slider", "7")
    said = page.locator("[data-part=difference-here]").inner_text()
    numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", said)]
    np.testing.assert_allclose(numbers[:3], [*losses, losses[1] - losses[0]], atol=6e-4)
    cells = page.locator("[data-part=values] [data-value=forget]").all_text_contents()
    assert len(cells) == 2 and cells[0] != cells[1]
    assert page.locator(".model:visible").count() == 2
    assert "Loss" in page.wait_for_selector("#said:not(:empty)", state="attached").inner_text()
    ids_in_page = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids_in_page) == len(set(ids_in_page))
    assert find_axe_violations(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.locator(".model:visible").count() == 1
    page.click(".switch button:last-child")
    assert page.locator(".model:visible h2").first.inner_text() == "second model"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.emulate_media(color_scheme="dark")
    assert find_axe_violations(page) == [] and events == []


def test_two_models_must_know_the_same() -> None:
    ids, other = torch.randint(5, (10, 2)), Reader(sluice.nn.GRU(6, 4), 4, 6)
    with pytest.raises(ReportError, match="the first has 5 outputs and the second 6"):
        look(lstm(), ids, beside=other)
