"""How to draw a cell by hand: the order of strokes, their captions, and sheets to be printed."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from sluice.cells import GRU, LSTM, Elman, LayerNormLSTM
from sluice.render.picture import encode_pages
from sluice.render.sketch import build_layout, draw_blanks, draw_stroke_sheet, draw_strokes
from sluice.render.sketch.strokes import StrokePlan

# As a lecturer draws it: the line of the cell state, what comes in, then gate after gate.
LSTM_STROKES = (
    "cell state",
    "side by side",
    "Forget gate",
    "line of $c$: multiply by $f_{t}$",
    "Input gate",
    "Candidate",
    "Multiply $i_{t}$ and",
    "line of $c$: add",
    "Output gate",
    "tanh",
    "new hidden state",
    "output layer",
)


def read_texts(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_an_lstm_is_drawn_from_its_cell_state_on() -> None:
    captions = StrokePlan.of(build_layout(LSTM().graph), "en", output=True).captions
    assert len(captions) == len(LSTM_STROKES)
    for caption, words in zip(captions, LSTM_STROKES, strict=True):
        assert words in caption


@pytest.mark.parametrize("kind", [LSTM, GRU, Elman, LayerNormLSTM])
def test_each_stroke_adds_something_and_the_last_shows_all(kind: Any) -> None:
    layout = build_layout(kind().graph)
    plan = StrokePlan.of(layout)
    spots = plan.layout.placement.positions
    drawn = Counter(spot.step for spot in spots.values())
    drawn.update(wire.step for wire in plan.layout.wires)
    assert set(drawn) == set(range(len(plan.captions)))
    for wire in plan.layout.wires:  # no wire before what it comes from, no part before its wires
        source = plan.layout.placement.elements.by_value.get(wire.net)
        if source is not None:
            assert wire.step >= spots[source].step
    first = {wire.net for wire in plan.layout.wires if wire.step == 0}
    if len(layout.placement.graph.states) > 1:
        assert first == {layout.placement.graph.state_leaves[1]}
    labels = [label for label in plan.layout.labels if label.name == "x"]
    joins = [spot.step for part, spot in spots.items() if part.kind == "join"]
    assert labels[0].step == min(joins)


def test_captions_in_german() -> None:
    captions = StrokePlan.of(build_layout(LSTM().graph, None, "de"), "de").captions
    assert captions[0].startswith("Der Zellzustand $c$: eine Linie")
    assert captions[2].startswith("Forget-Gate (Vergessensgatter) $f_{t}$: eine Schicht")
    assert captions[3] == "Auf der Linie von $c$: mit $f_{t}$ multiplizieren."
    english = {"the", "which", "line", "gate", "values", "and"}
    assert not english & set(re.findall(r"[a-z]+", " ".join(captions)))


def test_strokes_stand_out_and_what_is_to_come_is_missing() -> None:
    pictures = draw_strokes(GRU().graph)
    counts = [len(read_texts(figure)) for figure in pictures]
    assert counts[0] < counts[-1] and "candidate" not in read_texts(pictures[2])
    assert "candidate" in read_texts(pictures[-1])
    for number, figure in enumerate(pictures, 1):
        assert any(text.startswith(f"{number}  ") for text in read_texts(figure))
        assert any(line.get_linewidth() > 2 for line in figure.axes[0].lines)


def test_a_sheet_of_blanks_tells_nothing_and_its_solution_all() -> None:
    blank, solution = draw_blanks(LSTM().graph, language="de")
    for page in (blank, solution):
        assert page.get_size_inches() * 25.4 == pytest.approx([210, 297])
    assert not [text for text in read_texts(blank) if "$" in text or "Gate" in text]
    solved = read_texts(solution)
    assert {"Forget-Gate", "Input-Gate", "Output-Gate", "Kandidat", r"$\sigma$"} <= set(solved)
    assert r"$c_{t} = f_{t} \odot c_{t-1} + i_{t} \odot \tilde{c}_{t}$" in solved
    rules = [line for line in blank.axes[0].lines if line.get_linestyle() != "-"]
    assert len(rules) == 6  # one for each equation
    content = encode_pages([blank, solution])
    assert len(re.findall(rb"/Type /Page\b", content)) == 2 and b"/FontFile2" in content
    assert content == encode_pages(draw_blanks(LSTM().graph, language="de"))


def test_strokes_are_numbered_over_all_pages() -> None:
    pages = draw_stroke_sheet(LSTM().graph, output=True)
    starts = [re.match(r"(\d+)  ", text) for page in pages for text in read_texts(page)]
    assert [int(found[1]) for found in starts if found] == list(range(1, 13))
