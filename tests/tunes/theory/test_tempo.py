from fractions import Fraction

import pytest

from sluice.tunes.theory.tempo import parse_tempo


@pytest.mark.parametrize(
    ("value", "meter", "unit", "tempo"),
    [
        ("1/4=120", "2/4", "1/8", 120),
        ("1/4=120", "3/4", "1/8", 120),
        ("1/4=120", "4/4", "1/8", 60),  # halves
        ("1/2=60", "4/4", "1/8", 60),
        ("1/2 = 60", "2/2", "1/8", 60),
        ("3/8=70", "6/8", "1/8", 70),
        ("3/8=70", "9/8", "1/16", 70),
        ("1/4=100", "6/8", "1/8", 67),  # 200 eighths in threes are 66.7
        ("1/8=180", "3/8", "1/8", 180),
        ("1/4=66.5", "2/4", "1/8", 66),
        ('"Allegro" 1/4=120', "2/4", "1/8", 120),
        ('1/4=120 "Allegro"', "2/4", "1/8", 120),
        ('"Allegro" 1/4=120 "con brio', "2/4", "1/8", 120),
        ("1/4 3/8=40", "5/8", "1/8", 200),  # five eighths, 40 times
        ("1/4 3/8 1/4 3/8=40", "2/4", "1/8", 200),
        ("C=100", "2/4", "1/4", 100),
        ("C=200", "2/4", "1/8", 100),
        ("C3=40", "6/8", "1/8", 40),
        ("C3/2=80", "6/8", "1/4", 80),
        ("120", "2/4", "1/8", 120),
        ("120", "2/4", "1/16", 120),
        ("120", "6/8", "1/8", 80),
    ],
)
def test_tempi_in_beats_of_the_meter(value: str, meter: str, unit: str, tempo: int) -> None:
    assert parse_tempo(value, meter, Fraction(unit)) == tempo


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "words alone"),
        ('"Slow and steady"', "words alone"),
        ("allegro", "cannot be read"),
        ("1/4=fast", "cannot be read"),
        ("1/0=120", "cannot be read"),
        ("1/4=", "cannot be read"),
        ("-40", "cannot be read"),
        ("1/4=0", "out of 20 to 400"),
        ("0/4=120", "out of 20 to 400"),
        ("C0=120", "out of 20 to 400"),
        ("1/4=1000000000", "cannot be read"),
        ("1/4=9999", "out of 20 to 400"),
        ("1/64=60", "out of 20 to 400"),
    ],
)
def test_what_is_no_tempo(value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_tempo(value, "2/4", Fraction(1, 8))
