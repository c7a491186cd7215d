"""Pages on which models write and compose, in Chromium without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import sluice
from sluice.export import ExportError
from sluice.export.to_html.page import PageScript, build_page
from sluice.sequence import (
    Checkpoint,
    LanguageModel,
    LanguageModelConfig,
    Sampling,
    Vocabulary,
    generate,
)
from sluice.tunes.composition.inputs import find_checkpoint
from sluice.tunes.web_page.page import write_tunes_page

LETTERS = Vocabulary(tuple("abcdefgh <"), "characters")


def build_model(size: int) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(LanguageModelConfig(size, embedding_size=8, hidden_size=8)).eval()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield opened
        opened.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page without a network; the test fails at any message of the console."""
    context = chromium.new_context(viewport={"width": 390, "height": 900}, offline=True)
    opened, problems = context.new_page(), []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text))
    yield opened
    context.close()
    assert problems == []


def wait_until_done(page: Any) -> None:
    page.locator("#status", has_text="a second").wait_for()


@pytest.mark.browser
def test_a_page_that_writes(page: Any, tmp_path: Path) -> None:
    model = build_model(len(LETTERS))
    made = sluice.export.html(model, tmp_path / "w.html", vocabulary=LETTERS, title="A & <b>")
    page.goto(made.path.as_uri())
    assert page.title() == page.inner_text("h1") == "A & <b>"
    page.get_by_label("How the text begins").fill("bad ")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Most tokens").fill("60")
    page.get_by_role("button", name="Write").click()
    wait_until_done(page)
    sampling = Sampling(temperature=0.8, max_length=60)
    prompt = [[number] for number in LETTERS.encode("bad ")]
    (drawn,) = generate(model, [7], prompt=prompt, sampling=sampling)
    assert page.text_content("#text") == "".join(LETTERS.decode(drawn))
    page.get_by_label("How the text begins").fill("bad?")
    page.keyboard.press("Control+Enter")
    assert page.inner_text("#status") == 'The model does not know "?".'
    page.get_by_label("How the text begins").fill("")
    page.get_by_label("Most tokens").fill("9000000")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Escape")
    assert page.inner_text("#status") in ("Stopped.",) or "a second" in page.inner_text("#status")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
def test_a_page_that_composes(page: Any, tmp_path: Path) -> None:
    found = Checkpoint.load(find_checkpoint())
    small = replace(found, model=build_model(len(found.vocabulary)))
    page.goto(write_tunes_page(small, tmp_path / "tunes.html").path.as_uri())
    wait_until_done(page)
    first = page.text_content("#abc")
    assert page.locator("#score svg").count() == 1 and first.startswith("X:1\nT:The ")
    assert page.locator("#score .abcjs-note").count() > 20
    page.get_by_label("Dance").select_option("jig")
    page.get_by_label("Root").select_option("G")
    page.get_by_role("button", name="Another").click()
    page.locator("#abc", has_text="K:G").wait_for(state="attached")
    assert "M:6/8" in page.text_content("#abc") and page.input_value("#seed") == "2"
    page.get_by_role("button", name="Play").click()
    page.wait_for_selector("#score .is-sounding")
    assert page.get_by_role("button", name="Stop").is_visible()
    page.keyboard.press("Escape")
    page.wait_for_selector("#score .is-sounding", state="detached")
    assert page.get_by_role("button", name="Play").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"must end in \.html"):
        sluice.export.html(build_model(13), tmp_path / "a.txt", vocabulary=LETTERS)
    with pytest.raises(ExportError, match="must not hold </script"):
        build_page("a", "", "", [PageScript('const a = "</SCRIPT>";')])
    assert not list(tmp_path.iterdir())


def test_words_with_a_tag_stay_words(tmp_path: Path) -> None:
    words = Vocabulary(("</script>", "<!--"))
    made = sluice.export.html(build_model(5), tmp_path / "a.html", vocabulary=words, check=False)
    assert made.path.read_text().count("</script>") == 1
