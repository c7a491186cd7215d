"""The glass box in Chromium: numbers, keys, clocks, reduced motion, accessibility."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampling import thin_out
from studio.conftest import MISSING, find_free_port

pytestmark = pytest.mark.browser

if not MISSING:
    import uvicorn

    from sluice.studio.app import create_app
    from sluice.studio.archive.database import Database
    from sluice.studio.config import StudioConfig
    from sluice.studio.glass.packing import restore, unpack
    from sluice.tunes.tune import Tune
    from studio.glass.compositions import TUNE, add_composition, load_shipped, make_composer


MINUS = "\u2212"


def kept(share: float) -> str:
    return f"{100 * share:.0f} % of its memory."


class GlassPage:
    """A page of the glass box, and the file that it draws."""

    def __init__(self, page: Any, pack: bytes) -> None:
        self.page = page
        self.header, self.arrays = unpack(pack)
        self.requests: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))

    @property
    def step(self) -> int:
        return int(self.page.locator(".glass").get_attribute("data-step"))

    @property
    def verdict(self) -> str:
        return str(self.page.locator("[data-says=first]").inner_text())

    def wait_for_step(self, step: int) -> None:
        for _ in range(600):
            if self.step >= step:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"still at step {self.step}")

    def press(self, key: str, count: int = 1) -> None:
        for _ in range(count):
            self.page.keyboard.press(key)
        self.page.wait_for_timeout(80)

    def read_table(self) -> dict[str, str]:
        """The numbers of the table, by the value's name."""
        rows = self.page.locator("[data-part=values] tr")
        found = rows.evaluate_all("rows => rows.map(r => [r.dataset.name, r.cells[2].textContent])")
        return {name: words.replace(MINUS, "-") for name, words in found}

    def compute_values(self, layer: int, unit: int, step: int) -> dict[str, float]:
        """The same from the file."""
        found = {}
        for value in self.header["layers"][layer]["values"]:
            name = value["array"]
            values = restore(self.arrays[name], self.arrays[f"{name}.range"])
            found[value["name"]] = float(values[step, unit])
        return found


@pytest.fixture(scope="module")
def glass_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, bytes]]]:
    """An address, and the files of its two compositions by code."""
    folder: Path = tmp_path_factory.mktemp("glass") / "studio"
    folder.mkdir()
    config = StudioConfig(folder=folder, host="127.0.0.1", port=find_free_port())
    database = Database(config.database_url)
    database.create_tables()
    shipped = load_shipped()
    request = shipped.stream(seed=3, dance="jig", key="D").request
    (tune,) = shipped.compose(1, seed=3, dance="jig", key="D")
    tokens = shipped.sampler.spelling.encode(tune.tokens, tune.rhythm)
    packs = {
        "shipped": add_composition(config, database, "shipped", shipped, tokens, tune, request, 3),
        "small": add_composition(
            config, database, "small", make_composer("gru"), TUNE, Tune(TUNE, "A small tune")
        ),
    }
    database.close()
    server = uvicorn.Server(
        uvicorn.Config(create_app(config), port=config.port, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{config.port}", packs
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def open_glass(browser: Any, glass_site: tuple[str, dict[str, bytes]]) -> Iterator[Any]:
    """A function that opens the glass box of a composition; no page may have an error."""
    address, packs = glass_site
    contexts, errors = [], []

    def open_page(code: str, **options: Any) -> GlassPage:
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        contexts.append(browser.new_context(base_url=address, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        found = GlassPage(page, packs[code])
        page.goto(f"/c/{code}/glass")
        page.wait_for_selector(".glass.is-ready")
        page.wait_for_selector(".glass .score svg .glass-bands rect")
        return found

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


@pytest.mark.exhaustive
def test_keys_step_through_the_tune_and_show_the_numbers_of_the_file(open_glass: Any) -> None:
    glass = open_glass("shipped")
    page, start = glass.page, glass.step
    glass.requests.clear()
    glass.press("ArrowRight", 20)
    glass.press("ArrowLeft", 3)
    assert glass.step == start + 17
    page.locator("[data-part=map]").focus()
    glass.press("ArrowDown", 5)
    expected = glass.compute_values(layer=1, unit=5, step=start + 17)
    page.locator(".glass-table summary").click()
    shown = glass.read_table()
    numbers = {name: float(words) for name, words in shown.items()}
    assert numbers == pytest.approx(expected, abs=0.0051)
    sketch = [t.replace(MINUS, "-") for t in page.locator(".number").all_text_contents()]
    assert set(shown.values()) <= set(sketch)
    opened = page.locator(".valve").evaluate_all("all => all.map(v => Number(v.dataset.open))")
    gates = sorted(expected[name] for name in ("forget", "input", "output"))
    assert sorted(opened) == pytest.approx(gates, abs=0.001)
    assert glass.verdict == f"The forget gate of this unit keeps {kept(expected['forget'])}"
    page.locator("[data-part=map]").focus()
    glass.press("PageDown")
    bars = glass.header["bars"]
    assert bars[glass.step - 1] == bars[start + 16] + 1
    assert bars[glass.step - 2] == bars[start + 16]
    glass.press("End")
    assert glass.step == glass.header["steps"] - 1
    assert not glass.requests  # all of it without the server


def test_odds_are_those_of_the_file_and_forbidden_tokens_are_struck_out(open_glass: Any) -> None:
    glass = open_glass("shipped")
    page, arrays = glass.page, glass.arrays
    forbidden = arrays["odds.forbidden"].any(axis=1).nonzero()[0]
    step = int(forbidden[forbidden >= glass.header["given"]][0])
    page.locator("[data-box-control=step]").fill(str(step))
    page.wait_for_timeout(80)
    rows = page.locator(".odds li:visible")
    vocabulary, first = glass.header["vocabulary"], glass.header["first_id"]
    for place in range(5):
        row, token = rows.nth(place), int(arrays["odds.tokens"][step, place])
        assert float(row.get_attribute("data-model")) == pytest.approx(
            float(arrays["odds.model"][step, place]), abs=1e-4
        )
        is_forbidden = bool(arrays["odds.forbidden"][step, place])
        decoration = row.locator(".token").evaluate("e => getComputedStyle(e).textDecorationLine")
        assert (decoration == "line-through") == is_forbidden
        name = vocabulary[token - first] if token >= first else "end"
        assert row.locator(".token").inner_text()[0] in name
    drawn = page.locator(".odds .is-drawn")
    assert drawn.count() == 1
    assert "drawn" in drawn.inner_text()


@pytest.mark.exhaustive
def test_the_player_and_a_clock_of_its_own_move_it(open_glass: Any) -> None:
    glass = open_glass("shipped")
    page = glass.page
    page.locator("[data-box-control=speed]").fill("20")
    page.locator("[data-box-control=run]").click()
    glass.wait_for_step(glass.step + 8)
    page.locator("[data-box-control=play]").click()
    shown = page.evaluate("""() => new Promise(resolve => {
        const box = document.querySelector(".glass");
        const shown = [];
        let mark = -1;
        document.addEventListener("note-sounding", event => { mark = event.detail.mark; });
        new MutationObserver(() => {
            if (mark >= 0) shown.push([mark, Number(box.dataset.step)]);
            if (mark >= 5) resolve(shown);
        }).observe(box, { attributes: true, attributeFilter: ["data-step"] });
    })""")
    notes = glass.header["notes"]
    assert all(notes[step - 1] in (mark, -1) for mark, step in shown)
    assert len({mark for mark, step in shown if notes[step - 1] == mark}) > 1
    assert page.locator("[data-box-control=run]").get_attribute("aria-pressed") == "false"
    glass.press("ArrowLeft")
    assert page.locator("[data-box-control=play]").get_attribute("aria-pressed") == "false"


@pytest.mark.exhaustive
def test_with_reduced_motion_there_are_steps_only(open_glass: Any) -> None:
    glass = open_glass("small", reduced_motion="reduce")
    page = glass.page
    assert page.locator("[data-box-control=run]").is_hidden()
    assert page.locator("[data-part=still]").is_visible()
    step = glass.step
    glass.press("ArrowRight")
    page.wait_for_timeout(300)
    assert glass.step == step + 1
    durations = page.evaluate(
        "[...document.querySelectorAll('.glass .level > *, .glass .leaf, .playhead')]"
        ".map(e => getComputedStyle(e).transitionDuration)"
    )
    assert durations
    assert set(durations) == {"0s"}


@pytest.mark.exhaustive
def test_the_names_of_another_cell_appear_and_a_click_chooses_unit_and_moment(
    open_glass: Any,
) -> None:
    glass = open_glass("small")
    page = glass.page
    page.locator(".glass-table summary").click()
    assert list(glass.read_table()) == ["h", "reset", "update", "candidate"]
    box = page.locator("[data-part=map]").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 60)
    page.wait_for_timeout(80)
    unit = int(page.locator("[data-box-control=unit]").input_value())
    assert unit > 0
    expected = glass.compute_values(1, unit, glass.step)
    shown = {name: float(words) for name, words in glass.read_table().items()}
    assert shown == pytest.approx(expected, abs=0.0051)
    assert glass.verdict == f"The update gate of this unit keeps {kept(expected['update'])}"


@pytest.mark.exhaustive
@pytest.mark.parametrize(("width", "scheme"), thin_out([(1280, "light"), (390, "dark")], 2))
def test_axe_finds_nothing(open_glass: Any, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_glass("small", viewport={"width": width, "height": 844}, color_scheme=scheme).page
    page.locator(".glass-table summary").click()
    page.locator(".glass-help summary").click()
    for address in ("", "/glas-herry"):
        if address:
            page.goto(address)
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.exhaustive
def test_a_tune_composed_live_is_looked_into(browser: Any, live_studio: str) -> None:
    context = browser.new_context(base_url=live_studio)
    page = context.new_page()
    page.goto("/glas-herry")
    page.get_by_role("button", name="Compose a tune in its manner").click()
    page.wait_for_url("**/c/*")
    code = page.url.rstrip("/").split("/")[-1]
    for _ in range(200):
        answer = page.request.get(f"/c/{code}/glass.bin")
        if answer.ok:
            break
        page.wait_for_timeout(100)
    header, arrays = unpack(answer.body())
    assert header["tokens"][:3] == ["R:jig", "M:6/8", "K:Cmix"]
    assert header["is_drawn"]
    assert header["given"] == 3
    assert arrays["drawn"][-1] == 2
    page.goto(f"/c/{code}/glass")
    page.wait_for_selector(".glass.is-ready")
    title = "In the manner of The Glas Herry Comment"
    assert page.locator("h1").inner_text() == f"Glass box: {title}"
    context.close()
