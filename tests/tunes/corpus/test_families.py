import pytest

from sluice.tunes.corpus.families import group_families, normalise_title, split_by_family
from sluice.tunes.errors import TuneError
from sluice.tunes.tune import Tune


def tune(body: str, title: str = "") -> Tune:
    return Tune(("M:2/4", "K:Cmaj", *body.split()), title)


SHARED = "c d e f | g f e d |"


def test_two_bars_in_common_make_a_family_and_families_join() -> None:
    tunes = [
        tune(f"{SHARED} c 4 |"),
        tune("G A B c | d c B A |", "The Long Way"),
        tune("E F G A | B A G F |"),
        tune(f"C 4 | {SHARED} G A B c | d c B A |"),
        tune("c' b a g | a b c' b |", "Long Way, The"),
    ]
    assert group_families(tunes) == [[0, 1, 3, 4], [2]]


def test_tunes_an_octave_apart_are_one_family_and_a_fifth_apart_are_not() -> None:
    tunes = [
        tune(f"{SHARED} c 4 |"),
        tune("C D E F | G F E D | C 4 |"),
        tune("g a b c' | d' c' b a | g 4 |"),
    ]
    assert group_families(tunes) == [[0, 1], [2]]


@pytest.mark.parametrize(
    "banal",
    ["c 4 | c 4 |", "c d e f | c d e f |", "c c c c | g 2 c 2 |", "c d e f | g |"],
)
def test_common_bars_make_no_family(banal: str) -> None:
    tunes = [tune(f"{banal} a g a g | f f e e |"), tune(f"{banal} b a b a | d d C C |")]
    assert group_families(tunes) == [[0], [1]]


@pytest.mark.parametrize("title", ["The Rose", "Rose, The", "ROSE (slow)", "rose No. 2", "A Rose!"])
def test_titles(title: str) -> None:
    assert normalise_title(title) == "rose"


def strangers(count: int) -> list[Tune]:
    """Tunes whose bars are different durations of the same notes, in pairs of one title."""
    return [tune(f"c {n + 1} d e f | g a b c |", f"title {n // 2}x") for n in range(count)]


def test_no_family_is_on_both_sides() -> None:
    parted = split_by_family(strangers(40), validation=0.2, seed=3)
    titles = [{tune.title for tune in side} for side in (parted.training, parted.validation)]
    assert not titles[0] & titles[1]
    assert (len(parted.training), len(parted.validation)) == (32, 8)
    assert (parted.num_families, parted.largest_family) == (20, 2)


def test_leakage_of_a_random_split() -> None:
    """In pairs, a held-out tune has its pair among the others with probability 32/39."""
    parted = split_by_family(strangers(40), validation=0.2)
    assert parted.random_leak == pytest.approx(32 / 39, abs=0.05)


def test_the_split_depends_on_the_seed() -> None:
    tunes = strangers(40)
    assert (
        split_by_family(tunes, seed=1)
        == split_by_family(tunes, seed=1)
        != split_by_family(tunes, seed=2)
    )


def test_one_family_cannot_be_split() -> None:
    with pytest.raises(TuneError, match="one family"):
        split_by_family(strangers(2))
