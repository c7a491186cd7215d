import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.tunes.notation.abc_file import split_blocks
from sluice.tunes.notation.text_escapes import decode_text, encode_text
from sluice.tunes.tune import from_abc


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r"\'Elan", "Élan"),
        ("&Eacute;lan", "Élan"),
        (r"\u00c9lan \U0001F3B5", "Élan 🎵"),
        (r"50\% off", "50% off"),
        (r"\`a\^e\~n\"o\cc\vs\ub\Ho", r"àêñöçš\ubő"),
        (r"\AE\ss\/O\aa\TH", "ÆßØåÞ"),
        (r"Tom \& Jerry & Co", "Tom & Jerry & Co"),
        (r"a\\'e", r"a\'e"),
        ("&nosuch; &amp; \\q", "&nosuch; & \\q"),
        (r"\ud800 \u0000", r"\ud800 \u0000"),
    ],
)
def test_escapes(written: str, text: str) -> None:
    assert decode_text(written) == text
    assert decode_text(encode_text(text)) == text


@given(st.text())
def test_what_is_written_reads_back(text: str) -> None:
    assert decode_text(encode_text(text)).split() == text.split()


def test_a_tune_shows_and_writes_back_its_titles_and_names() -> None:
    head = (
        "X:1\nT:50\\% off & \\'Elan\nT:Se\\'an's\nC:Turlough &Oacute; C.\nM:4/4\nL:1/8\nK:C\nC8|\n"
    )
    tune = from_abc(split_blocks(head, "t")[0])
    assert (tune.title, tune.fields) == (
        "50% off & Élan",
        (("T", "Seán's"), ("C", "Turlough Ó C.")),
    )
    again = from_abc(split_blocks(tune.abc(), "t")[0])
    assert (again.title, again.fields) == (tune.title, tune.fields)
