import random

import pytest

from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.errors import TuneError


def index(*tunes: str) -> TuneIndex:
    return TuneIndex([tokens.split() for tokens in tunes])


def run(training: TuneIndex, tokens: str) -> int:
    nearest = training.find_nearest(tokens.split())
    assert nearest is not None
    return nearest.run


def test_the_longest_run_is_of_tokens_and_within_one_tune() -> None:
    training = index("c d e f", "g a b")
    assert run(training, "x d e f g a y") == 3
    assert run(training, "e f g a b") == 3
    assert training.find_nearest(["x", "y"]) is None


def test_the_nearest_is_the_tune_of_the_longest_run() -> None:
    lines = ["c d e f", "g a b c d", "e g a"]
    training = TuneIndex([line.split() for line in lines], ["One", "Two", "Three"])
    assert training.find_nearest("x f g a b y".split()) == (1, 3, 2, "Two")
    assert training.find_nearest("c d e".split()) == (0, 3, 0, "One")
    assert training.find_nearest("f e g a".split()) == (2, 3, 1, "Three")


def test_titles_may_be_unknown() -> None:
    assert index("c d e f").find_nearest(["d"]) == (0, 1, 0, "")


def test_without_training_tunes_there_is_no_answer() -> None:
    with pytest.raises(TuneError, match="does not carry its training tunes"):
        index().find_nearest(["c"])


def test_long_runs_are_those_of_a_plain_search() -> None:
    chance = random.Random(0)
    tunes = [chance.choices("abc", k=60) for _ in range(20)]
    training = TuneIndex(tunes)
    for _ in range(20):
        asked = [
            *chance.choice(tunes)[10 : chance.randrange(11, 50)],
            *chance.choices("abcd", k=30),
        ]
        text, known = "".join(asked), ["".join(tune) for tune in tunes]
        runs = {text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)}
        assert run(training, " ".join(asked)) == max(
            len(run) for run in runs if any(run in tune for tune in known)
        )
