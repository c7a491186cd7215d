from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.studio.composing.stored_tune import restore_tune, store_tune
from sluice.studio.errors import StudioError
from sluice.tunes import read_tune
from sluice.tunes.tune import Tune

SONG = """X:1
T:Mine
C:Me
R:jig
M:6/8
L:1/8
Q:3/8=70
P:AB
K:Gdor
P:A
|:"Gm"~G3 {ga}GAB|(A2B) .c3:|
w: la_ lu-na
P:B
[M:9/8](3GAB G2 [Gd]3- [Gd]3|c9|]
W: the words
"""


@pytest.mark.parametrize(
    "tune",
    [
        read_tune(SONG),
        replace(read_tune(SONG), octave=-1, chords=True, swing=1.5, instrument="fiddle"),
        Tune(("M:none", "K:Clyd", "c", "*", "|")),
    ],
)
def test_a_tune_comes_back_whole(tune: Tune) -> None:
    stored = json.loads(json.dumps(store_tune(tune)))
    found = restore_tune(stored)
    assert found == replace(tune, source="", line=0)
    if "*" not in tune.tokens:
        assert found.abc() == tune.abc()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tokens": ["M:6/8"]}, "tokens"),
        ({"tokens": ["M:6/8", "K:Cmaj", "what"]}, "tokens"),
        ({"tokens": ["M:6/8", "K:Cmaj", "c"] * 2000}, "tokens"),
        ({"tonic": "H"}, "tonic"),
        ({"octave": 10**9}, "octave"),
        ({"annotations": {"9999": ["~", ""]}}, "annotations"),
        ({"annotations": {"0": ["<script>", ""]}}, "annotations"),
        ({"lyrics": [["la"]]}, "annotations"),
        ({"tempo": True}, "tempo"),
        ({"swing": 99.0}, "tokens"),
        ({"instrument": "tuba"}, "tokens"),
        ({"title": "\ud800"}, "title"),
        ({"remarks": []}, "remarks"),
    ],
)
def test_what_is_no_tune_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(StudioError, match=f"cannot be read: {field}") as refusal:
        restore_tune({**store_tune(read_tune(SONG)), **change})
    assert refusal.value.field == "source"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*Tune.__dataclass_fields__]), values, max_size=4))
def test_whatever_comes_is_refused_in_a_sentence(change: dict[str, Any]) -> None:
    try:
        found = restore_tune({**store_tune(read_tune(SONG)), **change})
    except StudioError:
        return
    found.abc()
