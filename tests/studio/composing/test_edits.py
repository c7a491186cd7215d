"""Continuing, filling and varying over a socket, against the composer's own methods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from composing_process import run, stream
from sampling import thin_out
from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.stored_tune import restore_tune, store_tune
from sluice.studio.errors import StudioError
from sluice.tunes import read_tune
from sluice.tunes.composition.bar_selection import clear_bars, keep_bars
from sluice.tunes.composition.composer import Composer
from sluice.tunes.tune import Tune

JIG = replace(
    read_tune(
        "X:1\nT:Mine\nR:jig\nM:6/8\nL:1/8\nK:D\n"
        "|:A|AFA d2f|ece a2g|AFA d2f|d3 d2:|:f|fbf dcd|ece a2g|fbf dcd|d3 d2:|\n"
    ),
    source="",
    line=0,
)


def expect(composer: Composer, options: ComposingOptions) -> Tune:
    wishes: dict[str, Any] = {"temperature": options.temperature, "seed": options.seed}
    bars = [*options.bars]
    if options.kind == "vary":
        return composer.vary(JIG, options.strength, bars=bars or None, **wishes)
    if options.kind == "fill":
        return composer.fill(clear_bars(JIG, bars), **wishes)
    return composer.extend(keep_bars(JIG, bars[-1]) if bars else JIG, **wishes)


@pytest.mark.parametrize(
    ("kind", "wishes"),
    thin_out(
        [
            ("vary", {"seed": 3}),
            ("vary", {"strength": 0.8, "temperature": 1.2}),
            ("vary", {"bars": (2, 6, 7)}),
            ("fill", {"bars": (3, 5), "seed": 9}),
            ("continue", {"bars": (3,), "seed": 2}),
            ("continue", {"seed": 1}),
        ],
        2,
    ),
)
def test_an_edit_is_that_of_the_composer(
    client_of_process: ComposingClient, bundled: Composer, kind: str, wishes: dict[str, Any]
) -> None:
    options = ComposingOptions(
        kind=kind, model=bundled.fingerprint, source=store_tune(JIG), **wishes
    )
    events = stream(client_of_process, f"{kind} {sorted(wishes)}", options)
    expected = expect(bundled, options)
    assert restore_tune(events[-1].data["tune"]) == expected
    assert events[-1].data["abc"] == expected.abc()
    assert events[0].data["title"] == "Mine" and events[0].data["key"] == "D"
    fractions = [event.data["fraction"] for event in events if event.kind == "progress"]
    assert fractions == sorted(set(fractions)) and fractions[-1] == 1.0
    assert len(fractions) + 2 == len(events)
    assert stream(client_of_process, f"{kind} {sorted(wishes)} again", options) == events


@pytest.mark.parametrize(
    ("kind", "change", "field", "sentence"),
    [
        ("vary", {"bars": (99,)}, "bars", "numbers from 1 to 10, got 99"),
        ("fill", {}, "source", "no gap"),
        ("continue", {"bars": (11,)}, "bars", "numbers from 1 to 10"),
        ("vary", {"source": {"tokens": ["M:7/8", "K:Cmaj", "c", "|"]}}, "source", "bar|7/8"),
    ],
)
def test_what_cannot_be_edited_is_refused(
    client_of_process: ComposingClient,
    kind: str,
    change: dict[str, Any],
    field: str,
    sentence: str,
) -> None:
    options = ComposingOptions(**{"kind": kind, "source": store_tune(JIG), **change})
    with pytest.raises(StudioError, match=sentence) as refusal:
        run(lambda: client_of_process.check(options))
    assert refusal.value.field == field


def test_an_edit_that_is_right_passes(
    client_of_process: ComposingClient, bundled: Composer
) -> None:
    for kind, bars in (("vary", ()), ("fill", (2,)), ("continue", (4,))):
        options = ComposingOptions(kind=kind, source=store_tune(JIG), bars=bars)
        found = run(lambda options=options: client_of_process.check(options))
        assert found.model == bundled.fingerprint
