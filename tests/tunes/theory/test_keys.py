import pytest

from sluice.tunes.theory.keys import Key, Pitch


@pytest.mark.parametrize(
    ("text", "mode", "signature"),
    [
        ("C", "maj", {}),
        ("G", "maj", {"F": 1}),
        ("Bb", "maj", {"B": -1, "E": -1}),
        ("F# minor", "min", {"F": 1, "C": 1, "G": 1}),
        ("Em", "min", {"F": 1}),
        ("Edor", "dor", {"F": 1, "C": 1}),
        ("A Mixolydian", "mix", {"F": 1, "C": 1}),
        ("HP", "mix", {"F": 1, "C": 1}),
        ("D ^g", "maj", {"F": 1, "C": 1, "G": 1}),
        ("D exp _b", "maj", {"B": -1}),
    ],
)
def test_signatures(text: str, mode: str, signature: dict[str, int]) -> None:
    key = Key.parse(text)
    assert key.mode == mode
    assert dict(key.signature) == signature


@pytest.mark.parametrize(
    ("text", "midi"),
    [("C", 60), ("c", 72), ("B,", 59), ("^F", 66), ("_B,,", 46), ("c'", 84), ("__e", 74)],
)
def test_pitches(text: str, midi: int) -> None:
    assert Pitch.parse(text)[0].midi == midi


@pytest.mark.parametrize("tonic", ["C", "D", "E", "F", "G", "A", "B", "Bb", "F#", "Eb"])
def test_every_tonic_is_transposed_to_c(tonic: str) -> None:
    sign = {"": "", "b": "_", "#": "^"}[tonic[1:]]
    moved = Pitch.parse(sign + tonic[0])[0].transpose(*Key.parse(tonic).interval)
    assert moved in (Pitch(0), Pitch(7))


def test_transposition_keeps_letters_where_possible() -> None:
    third = Pitch.parse("^F")[0]
    assert third.transpose(*Key.parse("D").interval).token == "E"
