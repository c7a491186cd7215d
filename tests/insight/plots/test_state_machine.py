"""State diagrams: everything is drawn, nothing lies on anything else."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.patches import Circle, FancyArrowPatch

from sluice.insight import StateMachine, StateMachineError
from sluice.insight.plots import plot_state_machine
from sluice.sequence import formal_languages


@pytest.mark.parametrize(
    "language",
    [
        formal_languages.parity(),
        formal_languages.dyck(1, depth=3),
        formal_languages.tomita(3),
        formal_languages.tomita(5),
        formal_languages.tomita(7),
        formal_languages.counting(2, largest=3),
        formal_languages.memory_program(),
    ],
    ids=lambda language: language.name,
)
def test_states_arrows_and_labels_meet_nothing(language: formal_languages.FormalLanguage) -> None:
    machine = language.build_machine()
    figure = plot_state_machine(machine, title=language.name)
    (axes,) = figure.axes
    figure.canvas.draw()
    circles = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert len(circles) == len(machine) + sum(output is True for output in machine.outputs)
    pairs = {(s, to) for s, row in enumerate(machine.transitions) for to in row}
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == len(pairs) + 1  # and the one to the start
    # One inch is one unit, so that texts have the room that was measured for them.
    to_data = axes.transData.inverted()
    assert np.ptp(axes.get_xlim()) == pytest.approx(figure.get_figwidth())
    boxes = [text.get_tightbbox().transformed(to_data) for text in axes.texts]
    for a, b in combinations(boxes, 2):
        assert not a.overlaps(b)
    low, high = axes.viewLim.min, axes.viewLim.max
    for box in boxes:
        assert (box.min >= low).all() and (box.max <= high).all()
    labels = [box for box, text in zip(boxes, axes.texts, strict=True) if text.get_bbox_patch()]
    assert len(labels) == len(pairs)
    for box in labels:
        for circle in circles:
            gap = np.maximum(np.abs(np.subtract(circle.center, (box.min + box.max) / 2))
                             - (box.max - box.min) / 2, 0)  # fmt: skip
            assert np.linalg.norm(gap) > circle.radius


def test_traps_are_left_out_on_request() -> None:
    machine = formal_languages.dyck(1, depth=2).build_machine()
    shown, hidden = (plot_state_machine(machine, show_traps=show, theme="dark") for show in (1, 0))
    count = [
        sum(isinstance(patch, Circle) for patch in one.axes[0].patches) for one in (shown, hidden)
    ]
    assert count[0] - count[1] == 1


def test_too_many_states_are_refused() -> None:
    rows = tuple(((state + 1) % 41,) for state in range(41))
    with pytest.raises(StateMachineError, match="at most 40 states"):
        plot_state_machine(StateMachine(("a",), rows, (True,) + (False,) * 40))
