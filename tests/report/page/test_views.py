"""What the page shows of each kind of data, in a real browser, beside plain torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sluice.report.page import ReportInputs, build_report
from sluice.report.page.view_inputs import (
    ErrorInterval,
    LabelsView,
    PairsView,
    RollView,
    SeriesView,
    TextView,
    TunesView,
)
from sluice.sequence.models import (
    ChoraleConfig,
    ChoraleModel,
    Classifier,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    Seq2Seq,
    Seq2SeqConfig,
    Tagger,
)
from sluice.sequence.vocabulary import END, START
from sluice.tunes.corpus.token_music import read_music

Opened = Callable[[ReportInputs], Any]


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Opened]:
    """Opens the page of some inputs; afterwards all its pictures are described, without errors."""
    pages, events = [], list[str]()

    def open_page(inputs: ReportInputs) -> Any:
        path = tmp_path / "report.html"
        build_report(inputs).save(path)
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: events.append(message.text))
        page.on("pageerror", lambda error: events.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        words = page.locator(
            "[data-part=view] canvas, [data-part=view] .panel > svg, [data-part=view] .tunes-score"
        ).evaluate_all("all => all.map(one => [one.getAttribute('role'), one.ariaLabel])")
        assert words and all(role == "img" and label for role, label in words)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.close()
    assert events == []


def run_torch(layers: nn.Module, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The outputs and final h of an LSTM of torch.nn with the same weights."""
    weights = layers.state_dict()
    hidden, width = weights["weight_hh_l0"].shape[1], weights["weight_ih_l0"].shape[1]
    twin = nn.LSTM(width, hidden, bidirectional="weight_hh_l0_reverse" in weights)
    twin.load_state_dict(weights)
    states = None if h is None else (h, torch.zeros_like(h))
    with torch.no_grad():
        outputs, (final, _) = twin(x, states)
    return outputs, final


def describe(page: Any, start: str) -> str:
    """The words of the picture whose description starts so."""
    found = page.locator(f'[data-part=view] [role=img][aria-label^="{start}"]').first
    return str(found.get_attribute("aria-label"))


def move(page: Any, step: int) -> None:
    page.fill("#slider", str(step))
    page.locator("#slider").blur()


def test_forecasts_start_from_the_scrubbed_step(show: Opened) -> None:
    torch.manual_seed(1)
    model = Forecaster(
        ForecasterConfig(2, targets=(1,), horizon=3, hidden_size=5, num_layers=1, indicate=False)
    )
    model.mean.copy_(torch.tensor([4.0, 20.0]))
    model.deviation.copy_(torch.tensor([2.0, 30.0]))
    values = torch.randn(14, 2).double().numpy() * 10 + 30
    x = torch.from_numpy(values).float()
    target = torch.full((12, 3), torch.nan)
    for ahead in range(3):
        target[: 13 - ahead, ahead] = x[1 + ahead : 13 + ahead, 1]
    times = np.datetime64("2026-01-01T22:00") + np.arange(14) * np.timedelta64(1, "h")
    interval = ErrorInterval(0.8, np.array([[-1.0], [-2], [-3]]), np.array([[1.5], [2], [4]]))
    view = SeriesView(("wind", "load"), [values], [times], "time", ("load",), 3, 1, interval)
    page = show(ReportInputs(model, [x[:12]], [target], view=view))

    normal = ((x[:12] - model.mean) / model.deviation).float()
    hidden, _ = run_torch(model.layers, normal[:, None])
    with torch.no_grad():
        change = nn.functional.linear(hidden[:, 0], model.readout.weight, model.readout.bias)
    expected = (change + normal[:, 1:]) * 30 + 20
    for step in (4, 5):
        move(page, step)
        for ahead in (1, 2, 3):
            cells = page.locator(f"[data-ahead='{ahead}'] td").all_inner_texts()
            forecast = float(expected[step, ahead - 1])
            low, high = interval.lower[ahead - 1, 0], interval.upper[ahead - 1, 0]
            truth = values[step + ahead, 1]
            numbers = [float(n) for n in " ".join(cells[1:]).replace("−", "-").split() if n != "–"]
            exact = [forecast, forecast + low, forecast + high, truth]
            assert numbers == pytest.approx(exact, abs=0.051)
    words = describe(page, "load, 3 steps ahead: forecast ")
    assert f"target {values[8, 1]:.1f} at step 8; seen from step 5 (2026-01-02 03:00)" in words
    assert describe(page, "wind: ").startswith(f"wind: {values[5, 0]:.1f} at step 5")
    assert page.locator(".series-fan circle").count() == 6  # in the picture and from near
    page.locator(".panel").first.press("ArrowRight")
    assert page.locator("#slider").input_value() == "6"


def test_a_forecasters_own_intervals_over_the_true_values(show: Opened) -> None:
    torch.manual_seed(4)
    levels = (0.1, 0.25, 0.5, 0.75, 0.9)
    model = Forecaster(
        ForecasterConfig(1, horizon=2, hidden_size=5, num_layers=1, quantiles=levels)
    )
    x = torch.randn(12, 1) * 2
    target = torch.full((12, 2), torch.nan)
    target[:11, 0], target[:10, 1] = x[1:, 0], x[2:, 0]
    view = SeriesView(("load",), [x.double().numpy()], targets=("load",), horizon=2)
    page = show(ReportInputs(model, [x], [target], view=view))

    hidden, _ = run_torch(model.layers, torch.cat((x, torch.zeros(12, 1)), 1)[:, None])
    with torch.no_grad():
        read = nn.functional.linear(hidden[:, 0], model.readout.weight, model.readout.bias)
    read = read.view(12, 2, 5).double() + 0
    width = nn.functional.softplus(read)
    median = x[:, :, None].double() + read[..., 2:3]
    inner = [median - width[..., 1:2], median + width[..., 3:4]]
    outer = [inner[0] - width[..., 0:1], inner[1] + width[..., 4:5]]
    move(page, 6)
    for ahead in (1, 2):
        cells = page.locator(f"[data-ahead='{ahead}'] td").all_inner_texts()
        numbers = [float(n) for n in " ".join(cells[1:]).replace("−", "-").split() if n != "–"]
        exact = [float(one[6, ahead - 1]) for one in (median, *outer, *inner)]
        assert numbers[:5] == pytest.approx(exact, abs=0.006)
    words = list[str]()
    for (low, high), percent in ((outer, 80), (inner, 50)):
        inside = int(((low[..., 0] <= target) & (target <= high[..., 0])).sum())  # of 21
        words.append(f"{100 * inside / 21:.0f} % lie within the interval of {percent} %")
    notes = " ".join(page.locator("[data-part=view] .note").all_inner_texts())
    assert ", ".join(words) in notes
    assert (
        page.locator("path.series-band").count() == 2 and page.locator(".series-cone").count() == 4
    )


def test_every_step_has_its_labels_probabilities(show: Opened) -> None:
    torch.manual_seed(2)
    model = Tagger(LabelsConfig(3, features=2, embedding_size=0, hidden_size=6, num_layers=1))
    with torch.no_grad():
        model.readout.weight.mul_(8)
    values, labels = np.random.default_rng(0).normal(size=(9, 2)), torch.tensor([0, 2, 1] * 3)
    x = torch.from_numpy(values).float()
    view = LabelsView(("rest", "walk", "run"), True, SeriesView(("up", "forward"), [values]))
    page = show(ReportInputs(model, [x], [labels + 1], view=view))
    hidden, _ = run_torch(model.layers, x[:, None])
    with torch.no_grad():
        chances = model.readout(hidden[:, 0]).softmax(-1)
    move(page, 7)
    shown = dict(re.findall(r"(rest|walk|run) [<>]?(\d+) %", describe(page, "Probability of")))
    for label, name in enumerate(view.labels):
        assert float(shown[name]) == pytest.approx(100 * float(chances[7, label]), abs=1.01)
    assert "the true label is run" in describe(page, "Probability of")
    page.select_option("[data-part=view] select >> nth=0", "forget")
    assert describe(page, "forget ").startswith("forget (mean of all units) at step 7")


def test_a_sequences_label_is_followed_over_its_beginnings(show: Opened) -> None:
    torch.manual_seed(3)
    model = Classifier(
        LabelsConfig(2, vocabulary_size=9, embedding_size=4, hidden_size=5, num_layers=1)
    )
    with torch.no_grad():
        model.readout.weight.mul_(8)
    ids, tokens = torch.tensor([3, 8, 5, 4, 7]), "not a bad day really".split()
    view = LabelsView(("no", "yes"), False, TextView([tokens], " "))
    page = show(ReportInputs(model, [ids], [torch.tensor(1)], [tokens], view=view))
    for step in (1, 4):
        with torch.no_grad():
            _, final = run_torch(model.layers, model.embedding(ids[: step + 1, None]))
            chance = float(model.readout(final.transpose(0, 1).flatten())[None].softmax(-1)[0, 1])
        move(page, step)
        words = describe(page, "Probability of")
        assert f"After step {step} {tokens[step]}: " in words and "true label is yes" in words
        assert float(re.search(r"yes [<>]?(\d+) %", words)[1]) == pytest.approx(  # type: ignore[index]
            100 * chance, abs=0.51
        )


def test_a_roll_shows_probabilities_and_sounds(show: Opened) -> None:
    torch.manual_seed(4)
    model = ChoraleModel(ChoraleConfig(features=12, hidden_size=6, num_layers=1))
    roll = np.random.default_rng(1).random((10, 12)) > 0.7
    target = torch.from_numpy(roll).float()
    x = torch.cat((torch.zeros(1, 12), target[:-1]))
    view = RollView(tuple(range(60, 72)), [roll], step_seconds=0.4)
    page = show(ReportInputs(model, [x], [target], view=view))
    hidden, _ = run_torch(model.layers, x[:, None])
    with torch.no_grad():
        chances = model.readout(hidden[6, 0]).sigmoid()
    move(page, 6)
    names = "C4 C♯4 D4 E♭4 E4 F4 F♯4 G4 A♭4 A4 B♭4 B4".split()
    rows = page.locator(".roll-table .chance")
    for row in rows.all():
        key = names.index(row.get_attribute("data-pitch"))
        text = row.inner_text()
        assert ("✓" in text) == roll[6, key]
        assert float(text.split()[-2]) == pytest.approx(100 * float(chances[key]), abs=0.51)
    sounding = {row.get_attribute("data-pitch") for row in rows.all() if "✓" in row.inner_text()}
    assert sounding == {names[key] for key in np.flatnonzero(roll[6])}
    move(page, 0)
    page.click("[data-part=sound]")
    slider = page.locator("#slider")
    for _ in range(600):
        if int(slider.input_value()) >= 2:
            break
        page.wait_for_timeout(50)
    assert int(slider.input_value()) >= 2
    page.click("[data-part=sound]")
    assert page.locator("[data-part=sound]").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("engraved", [True, False])
def test_a_tune_can_be_chosen_by_its_notes(show: Opened, engraved: bool) -> None:
    if engraved:
        pytest.importorskip("verovio")
    tokens = "M:2/4 K:Cmaj c 2 e 2 | [ d f ] 2 g | c 4 |".split()
    torch.manual_seed(5)
    model = nn.Sequential(nn.Embedding(20, 4), nn.LSTM(4, 6), _First(), nn.Linear(6, 20))
    music = read_music(tokens)
    assert music is not None
    if not engraved:
        music = replace(music, score=None, signs={})
    view = TunesView([tokens], lambda pieces: music)
    ids = torch.tensor([tokens.index(token) for token in tokens])
    page = show(ReportInputs(model, [ids], tokens=[tokens], view=view))
    signs = page.locator(".tunes-sign" if engraved else ".tunes-block")
    assert signs.count() == (5 if engraved else 6)
    signs.nth(2).click(force=True)
    assert page.locator("#slider").input_value() == "7"
    assert "D5, F5" in describe(page, "Score" if engraved else "Piano roll")
    assert page.locator(".tunes-now").count() == (1 if engraved else 2)


class _First(nn.Module):
    def forward(self, outputs: tuple[Tensor, Tensor]) -> Tensor:
        return outputs[0]


def test_attention_links_the_words_of_source_and_target(show: Opened) -> None:
    torch.manual_seed(6)
    model = Seq2Seq(Seq2SeqConfig(9, 8, hidden_size=6, num_layers=1, embedding_size=4))
    with torch.no_grad():
        model.attention.score.weight.mul_(6)
    ids, target = torch.tensor([3, 5, 4, 8, 6]), torch.tensor([4, 7, 5, END])
    source_words, target_words = (
        "the red house stands here".split(),
        ["la", "maison", "est", "⟨end⟩"],
    )
    view = PairsView([source_words], [target_words])
    inputs = ReportInputs(
        model,
        [ids],
        [target],
        [target_words],
        view=view,
        forward=lambda m, x: m(x, target[:, None]),
    )
    page = show(inputs)

    with torch.no_grad():
        memory, ends = run_torch(model.layers, model.embedding(ids)[:, None])
        first = model.bridge(ends.transpose(0, 1).flatten(1)).tanh()[None]
        read = torch.cat((torch.tensor([START]), target[:-1]))
        hidden, _ = run_torch(model.decoder, model.target_embedding(read)[:, None], first)
        scores = torch.zeros(4, 5)
        for step, query in enumerate(hidden[:, 0]):
            mapped = model.attention.query_map(query) + model.attention.memory_map(memory[:, 0])
            scores[step] = (mapped.tanh() * model.attention.score.weight[0]).sum(-1)
        weights = scores.softmax(-1)
    page.select_option("#scrubber [data-part=place]", label="decoder l0")
    move(page, 2)
    strips = page.locator(".pairs-words")
    _compare_percents(strips.nth(0), weights[2])
    strips.nth(0).locator(".pairs-word").nth(3).click()
    _compare_percents(strips.nth(1), weights[:, 3])
    most = source_words[int(weights[2].argmax())]
    assert f"To write “est” (step 2) the decoder attends to “{most}”" in describe(page, "Attention")
    for which, axis in (("encoder", "source"), ("decoder", "target")):
        assert describe(page, f"{which}, forget of each unit")
        assert axis in page.locator("#scrubber [data-part=axis]").inner_text()


def _compare_percents(strip: Any, weights: Tensor) -> None:
    shown = [re.sub(r"[^\d]", "", text) for text in strip.locator("i").all_inner_texts()]
    assert list(map(float, shown)) == pytest.approx((100 * weights).tolist(), abs=1.0)
