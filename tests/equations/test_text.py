"""The text of a graph: what is read, and what is refused, with the line."""

from __future__ import annotations

import sys

import pytest

from sluice.equations import EquationError, from_text, to_text

GOOD = """sluice graph 2
cell Small
state h hidden 0.0
state c hidden 0.5
stack ih input 1 1 a:hidden b:hidden
stack hh hidden 1 1 a:hidden
stack m hidden 2 0 m:hidden
vector v hidden None
norm n 1e-05 hidden hidden
mask drop 0.25 1.5 0.0 1.0 1 hidden
0 input x input
1 affine ih a hidden 0
2 state h hidden
3 affine hh a hidden 2
4 apply add hidden 1 3
5 affine ih b hidden 0
6 rownorm n 1 hidden 4 5
7 vector v hidden
8 apply multiply hidden 6 7
9 rownorm n 0 hidden 4 5
10 mask drop hidden
11 apply multiply hidden 9 10
12 apply greater hidden 8 11
13 constant 0.5 1
14 apply where hidden 12 8 13
15 state c hidden
16 affine m m hidden 15
17 apply add hidden 14 16
output h 17
output c 11
output pre.a 4
"""


def test_a_text_is_read_and_written_the_same() -> None:
    assert to_text(from_text(GOOD)) == GOOD


def test_texts_of_the_first_version_are_read() -> None:
    assert from_text(GOOD.replace("graph 2", "graph 1")) == from_text(GOOD)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("sluice graph 2", "sluice graph 3", "the first line of a graph must be"),
        ("cell Small", "cell", "line 2 .*expected 1 words here, got 0"),
        ("cell Small", "cell Sm\x07all", "line 2 .*one printable word"),
        ("cell Small\n", "", "name of a cell must be one printable word"),
        ("state c hidden 0.5", "state c-d hidden 0.5", "line 4 .*a Python name"),
        ("state c hidden 0.5", "state h hidden 0.5", "line 4 .*declared twice"),
        ("state c hidden 0.5", "state c hidden nan", "line 4 .*no finite number"),
        ("state c hidden 0.5", "state c hidden 1e999", "line 4 .*no finite number"),
        ("state c hidden 0.5", "state c hidden 0_5", "line 4 .*no finite number"),
        ("state c hidden 0.5", "state c hidden", "line 4 .*expected 3 words"),
        ("state c hidden 0.5", "state c hidden/0 0.5", "line 4 .*no width"),
        ("state c hidden 0.5", "state c hiden 0.5", "line 26 .*must have width hiden, got hidden"),
        ("state c hidden 0.5", "state c __class__ 0.5", "line 4 .*a width must be"),
        ("state c hidden 0.5", "state c 99999999999 0.5", "line 4 .*a width must be"),
        ("stack m hidden 2", "stack m hidden 0", "line 7 .*heads must be at least 1"),
        ("stack m hidden 2", "stack m hidden -1", "line 7 .*no whole number"),
        ("stack m hidden 2 0 m:hidden", "stack m hidden 2 0", "line 7 .*must have gates"),
        ("stack m hidden 2 0 m:hidden", "stack m hidden 2 7 m:hidden", "line 7 .*0 or 1"),
        ("stack m hidden 2 0 m:hidden", "stack m hidden 2 0 a:hidden", "'a' is the name of two"),
        ("a:hidden b:hidden", "a:hidden a:hidden", "line 5 .*gate 'a' twice"),
        ("a:hidden b:hidden", "a:hidden b", "line 5 .*name:width"),
        ("vector v", "vector weight_ih", "there is no vector 'v'"),
        ("norm n 1e-05", "norm n 0.0", "line 9 .*must be positive"),
        ("norm n 1e-05 hidden hidden", "norm n 1e-05 hidden input", "must have width input"),
        ("norm n 1e-05 hidden hidden", "norm n 1e-05 hidden", "is over 1 values, got 2"),
        ("mask drop 0.25", "mask drop 1.25", r"line 10 .*in \[0, 1\]"),
        ("mask drop", "mask h", "line 10 .*a state and a mask"),
        ("0 input x input", "0 input x hidden", "line 11 .*must have width input, got hidden"),
        ("0 input x input", "0 gradient x input", "line 11 .*no gradient 'x'"),
        ("2 state h hidden", "2 state h input", "line 13 .*must have width hidden, got input"),
        ("7 vector v hidden", "7 vector v hidden/8", "must have width hidden, got hidden/8"),
        ("7 vector v hidden", "7 vector w hidden", "there is no vector 'w'"),
        ("3 affine hh a hidden 2", "3 affine hh b hidden 2", "there is no gate 'b'"),
        ("3 affine hh a hidden 2", "3 affine hh a hidden 0", "must have width hidden, got input"),
        ("3 affine hh a hidden 2", "3 affine hh a input 2", "must have width hidden, got input"),
        ("3 affine hh a hidden 2", "3 affine hh a hidden 2 2", "expected 1 words here, got 2"),
        ("3 affine hh a hidden 2", "3 affine hh a hidden 3", "used before it is computed"),
        ("4 apply add hidden 1 3", "4 apply add hidden 1 99", "used before it is computed"),
        ("4 apply add hidden 1 3", "4 apply add hidden 1", "add must have 2 operands"),
        ("4 apply add hidden 1 3", "4 apply add input 1 3", "must have width hidden, got input"),
        ("4 apply add hidden 1 3", "4 apply add hidden 1 0", "must have one width"),
        ("4 apply add hidden 1 3", "4 apply eval hidden 1 3", "no operation 'eval'"),
        ("4 apply add", "5 apply add", "expected value number 4"),
        ("4 apply add hidden 1 3", "4 affine ih a hidden 0", "computed twice"),
        ("9 rownorm n 0", "9 rownorm n 2", "has no part 2"),
        ("9 rownorm n 0", "9 rownorm k 0", "there is no norm 'k'"),
        ("8 apply multiply hidden 6 7", "8 apply add hidden 6 6", "used by nothing"),
        ("11 apply multiply hidden 9 10", "11 apply greater hidden 9 10", "a comparison can stand"),
        ("13 constant 0.5 1", "13 constant inf 1", "must be finite"),
        ("13 constant 0.5 1", "13 constant 0.50 1", "must be written as 0.5"),
        ("13 constant 0.5 1", "13 constant __import__('os') 1", "is no number"),
        ("14 apply where hidden 12 8 13", "14 apply where hidden 8 12 13", "comparison"),
        ("output h 17", "output g 17", "must return a new value of state 'h'"),
        ("output c 11", "output c 0", "must have width hidden, got input"),
        ("output c 11", "output h 11", "given out twice"),
        ("output c 11", "output c 12", "is a comparison"),
        ("output c 11", "output c 13", "must depend on the step"),
        ("output c 11", "output c", "expected 2 words"),
        ("output pre.a 4", "output pre..a 4", "a Python name"),
        ("output pre.a 4", "hello", "not a line of a graph"),
        ("output pre.a 4", "state d hidden 0.0", "not at its place"),
        ("output pre.a 4", "18 constant 1.0 1", "before the outputs"),
    ],
)
def test_what_does_not_fit_is_refused(old: str, new: str, why: str) -> None:
    assert old in GOOD
    with pytest.raises(EquationError, match=why):
        from_text(GOOD.replace(old, new, 1))


def test_parameters_of_one_name_are_refused() -> None:
    text = GOOD.replace("vector v hidden", "vector weight_m hidden").replace(
        "7 vector v", "7 vector weight_m"
    )
    with pytest.raises(EquationError, match="a parameter of the name 'weight_m'"):
        from_text(text)


def test_texts_without_end_are_refused() -> None:
    start = "sluice graph 2\ncell Long\nstate h hidden 0.0\n0 state h hidden\n"
    chain = "".join(f"{n} apply tanh hidden {n - 1}\n" for n in range(1, 20_001))
    with pytest.raises(EquationError, match="at most 20,000 values"):
        from_text(f"{start}{chain}output h 20000\n")
    with pytest.raises(EquationError, match="4,000,000 characters"):
        from_text(start + "#" * 5_000_000)
    states = "".join(f"state s{n} hidden 0.0\n" for n in range(3000))
    with pytest.raises(EquationError, match="at most 2,000 states"):
        from_text(f"sluice graph 2\ncell Wide\n{states}")


@pytest.mark.parametrize(
    "word", ["__import__('os').abort()", "{0.__class__}", "%s", "\x00", "é\u2028"]
)
def test_no_word_of_a_text_is_run(word: str) -> None:
    """Whatever word is replaced, nothing is compiled, run, imported or opened."""
    words = GOOD.split(" ")
    texts = [" ".join([*words[:k], word, *words[k + 1 :]]) for k in range(len(words))]
    events, refused, watching = list[str](), 0, True

    def watch(event: str, _: object) -> None:
        if watching and event.partition(".")[0] in _EVENTS:
            events.append(event)

    sys.addaudithook(watch)
    for text in texts:
        try:
            from_text(text)
        except EquationError:
            refused += 1
    watching = False
    assert not events
    assert refused == len(texts)


_EVENTS = ("compile", "exec", "import", "open", "os", "subprocess", "ctypes", "pickle", "marshal")
