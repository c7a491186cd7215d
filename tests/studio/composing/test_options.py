from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.studio.composing.options import MAX_SEED, ComposingOptions
from sluice.studio.errors import StudioError

SOURCE = {"tokens": ["M:2/4", "K:Cmaj", "c", "4", "|"], "tonic": "D"}


def test_what_a_form_sends_is_read() -> None:
    found = ComposingOptions.parse(
        {
            "seed": " 9223372036854775807 ",
            "temperature": "1.5",
            "dance": "",
            "key": " D ",
            "mode": "mix",
            "start": "[M:6/8]\r\nd2 *",
            "form": "off",
            "chords": "on",
            "title": "Two\twords ",
        }
    )
    assert found == ComposingOptions(
        seed=MAX_SEED,
        temperature=1.5,
        key="D",
        mode="mix",
        start="[M:6/8]\nd2 *",
        form=False,
        chords=True,
        title="Two words",
    )


def test_a_seed_is_drawn_where_none_is_given() -> None:
    seeds = {ComposingOptions.parse({"seed": ""}).seed for _ in range(8)}
    assert len(seeds) == 8 and max(seeds) < 1_000_000_000


def test_bars_and_a_source() -> None:
    found = ComposingOptions.parse({"kind": "vary", "source": SOURCE, "bars": "7, 3 3", "seed": 0})
    assert found.bars == (3, 7) and found.source_tune.key.name == "D"
    assert ComposingOptions.parse(json.loads(json.dumps(found.to_mapping()))) == found


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("seed", -1, "whole number from 0 to 9223372036854775807, got -1"),
        ("seed", MAX_SEED + 1, "got 9223372036854775808"),
        ("seed", "1e3", "got '1e3'"),
        ("seed", "٣", "whole number"),
        ("seed", True, "whole number"),
        ("seed", [1], "whole number"),
        ("temperature", "warm", "number from 0.01 to 10.0, got 'warm'"),
        ("temperature", "nan", "number from"),
        ("temperature", 0, "number from"),
        ("temperature", 10**400, "number from"),
        ("dance", 3, "must be text"),
        ("dance", "x" * 41, "at most 40 characters, got 41"),
        ("title", "a\x00b", "control characters"),
        ("start", "\ud800", "control characters"),
        ("start", "c" * 4001, "at most 4000"),
        ("form", "maybe", "on or off"),
        ("bars", "1,x", "whole number"),
        ("bars", {"a": 1}, "numbers of bars"),
        ("bars", [*range(1, 258)], "At most 256 bars may be marked, got 257"),
        ("kind", "destroy", "compose, continue, fill, vary"),
        ("kind", "vary", "no tune to work on"),
        ("source", SOURCE, "without another one"),
        ("source", {"tokens": "abc"}, "stored tune cannot be read: tokens"),
        ("colour", "red", "no option 'colour'"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_field(
    name: str, value: Any, sentence: str
) -> None:
    with pytest.raises(StudioError, match=sentence) as refusal:
        ComposingOptions.parse({name: value})
    assert refusal.value.field == ("source" if value == "vary" else name)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
names = st.sampled_from([*ComposingOptions.__dataclass_fields__, "other"])


@settings(deadline=None)
@given(st.dictionaries(names, anything, max_size=5))
def test_whatever_comes_is_read_or_refused(values: dict[str, Any]) -> None:
    try:
        found = ComposingOptions.parse(values)
    except StudioError as error:
        assert error.sentence and error.field
        return
    assert ComposingOptions.parse(json.loads(json.dumps(found.to_mapping()))) == found
