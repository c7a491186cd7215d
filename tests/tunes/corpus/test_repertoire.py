"""Which dances a model offers after it was trained on."""

from sluice.tunes.corpus.repertoire import add_learnt, count_tunes, list_learnt
from sluice.tunes.tune import Tune


def make_tunes(rhythm: str, meter: str, count: int) -> list[Tune]:
    return [Tune((f"M:{meter}", "K:Cmaj", "c", "|"), rhythm=rhythm)] * count


def test_a_small_collection_adds_its_dance_to_those_learnt_before() -> None:
    before = count_tunes([*make_tunes("jig", "6/8", 1500), *make_tunes("slide", "12/8", 7)])
    assert list_learnt(before, "dances") == ["jig"]
    own = count_tunes([*make_tunes("polka", "2/4", 15), *make_tunes("barndance", "4/4", 4)])
    together = add_learnt(own, before)
    assert list_learnt(together, "dances") == ["jig", "polka"]
    assert list_learnt(together, "meters") == ["6/8", "2/4"]
    pairs = {"jig 6/8": 1500, "polka 2/4": 15, "slide 12/8": 7, "barndance 4/4": 4}
    assert together["dances in meters"] == pairs
