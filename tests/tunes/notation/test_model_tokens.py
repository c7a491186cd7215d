"""Tunes as a model reads them: hand-counted bars, repeats opened, the dance in front."""

import pytest

from sluice.tunes.notation.model_tokens import MAX_COUNT, ModelTokens, suggest_open_bars

CASES = {
    "no repeat sign opens": (
        "c 4 | d 4 | e 4 :|",
        "|:{3} c 4 |{2} d 4 |{1} e 4 :|{0}",
    ),
    "pickups are not counted": (
        "|: z 2 | c 4 | d 4 | e 2 :| c 2 | c 4 | d 2 :|",
        "|:{3} z 2 |{3} c 4 |{2} d 4 |{1} e 2 ::{2} c 2 |{2} c 4 |{1} d 2 :|{0}",
    ),
    "a lone pickup and endings": (
        "G 2 |: c 4 | d 4 |1 e 4 :| |2 e 4 || f 4 | g 4 :|",
        "|{3} G 2 |:{3} c 4 |{2} d 4 |1{1} e 4 :|{1} |2{1} e 4 |:{2} f 4 |{1} g 4 :|{0}",
    ),
    "short endings and a repeat that nothing follows": (
        "G 2 |: c 4 | d 4 |1 e 2 :| |2 e 2 |:",
        "|{3} G 2 |:{3} c 4 |{2} d 4 |1{1} e 2 :|{1} |2{1} e 2 ||{0}",
    ),
    "double bars end sections": (
        "c 4 | d 4 || e 4 | f 4 | g 4 ||",
        "|{2} c 4 |{1} d 4 ||{3} e 4 |{2} f 4 |{1} g 4 ||{0}",
    ),
}


@pytest.mark.parametrize("body, spelt", CASES.values(), ids=CASES)
def test_bar_lines_count_the_bars_ahead(body: str, spelt: str) -> None:
    tokens = ["M:2/4", "K:Cmaj", *body.split()]
    assert ModelTokens().encode_body(tokens) == tuple(spelt.split())


def test_long_sections_are_counted_near_their_end() -> None:
    bars = MAX_COUNT + 3
    spelt = ModelTokens().encode_body(["M:2/4", "K:Cmaj", *["c", "4", "|"] * bars])
    lines = [token for token in spelt if token.startswith("|")]
    assert lines == ["|"] * 3 + [f"|{{{count}}}" for count in range(MAX_COUNT, -1, -1)]


def test_decoding_gives_the_tune_and_its_dance_back() -> None:
    tokens = tuple("M:2/4 K:Cmaj G 2 |: c 4 | d 4 |1 e 2 :| |2 e 4 ||".split())
    spelling = ModelTokens(frozenset(["slip jig"]))
    assert spelling.decode(spelling.encode(tokens, "Slipjig")) == ("slip jig", tokens)
    plain = ModelTokens(has_counts=False)
    assert plain.encode(tokens, "jig") == tokens
    assert plain.decode(tokens) == ("", tokens)


@pytest.mark.parametrize(("complete", "wanted"), [(0, 8), (3, 8), (5, 8), (8, 16), (13, 16)])
def test_an_open_section_is_meant_to_have_a_multiple_of_eight_bars(
    complete: int, wanted: int
) -> None:
    tokens = ["M:2/4", "K:Cmaj", "|:", *["c", "4", "|"] * complete, "d"]
    assert suggest_open_bars(tokens) == wanted
    spelt = ModelTokens().encode_body(tokens, suggest_open_bars(tokens))
    assert spelt[0] == "|:"
    if complete:
        ahead = wanted - complete
        assert spelt[-2] == ("|" if ahead > MAX_COUNT else f"|{{{ahead}}}")


def test_a_gap_in_the_first_bar_is_no_pickup() -> None:
    tokens = "M:2/4 K:Cmaj |: * | d 4 :|".split()
    assert ModelTokens().encode_body(tokens) == tuple("|:{2} * |{1} d 4 :|{0}".split())
