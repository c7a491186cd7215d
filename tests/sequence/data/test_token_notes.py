"""What is said of texts too small, repeated, of too many characters, or partly not learnt."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sluice.sequence import Tokens, load_data, make_task
from sluice.sequence.data.token_notes import describe_tokens


def describe(folder: Path, text: str, seq_len: int = 100, **options: object) -> tuple[str, ...]:
    (folder / "a.txt").write_text(text)
    tokens = load_data(folder / "a.txt", **options)  # type: ignore[arg-type]
    assert isinstance(tokens, Tokens)
    return describe_tokens(tokens.split(), seq_len)


def draw_lines(count: int, seed: int = 0) -> str:
    draw = random.Random(seed)
    words = "to be or not that is the question whether nobler in mind suffer".split()
    return "".join(" ".join(draw.choices(words, k=9)) + "\n" for _ in range(count))


def test_enough_text_needs_no_word(tmp_path: Path) -> None:
    assert describe(tmp_path, draw_lines(4000)) == ()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (20, ["to learn from: expect a model that repeats", "less than a window of 100"]),
        (1000, ["to learn from: expect its spelling and manner"]),
    ],
)
def test_small_texts(tmp_path: Path, lines: int, expected: list[str]) -> None:
    text = draw_lines(lines)
    notes = describe(tmp_path, text)
    assert [part in note for part, note in zip(expected, notes, strict=True)] == [True] * len(notes)
    assert f"Only {round(0.9 * len(text)):,} characters" in notes[0]


def test_one_line_again_and_again(tmp_path: Path) -> None:
    (note,) = describe(tmp_path, "all work and no play makes Jack a dull boy\n" * 3000)
    assert "lines are one and the same: the model will know them by heart" in note
    (note,) = describe(tmp_path, draw_lines(3) * 1000, per="line")
    assert "sequences are only 3 different ones" in note


def test_a_vocabulary_too_large_and_characters_that_are_never_learnt(tmp_path: Path) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 2000))) * 60 + "ﬀß"
    notes = describe(tmp_path, text)
    assert "2,002 different characters, each met 54 times on average" in notes[0]
    assert "unit= subwords" in notes[0]
    assert "no model can learn them: 2 characters ('ß', 'ﬀ')." in notes[1]


def test_the_report_of_a_task_says_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("to be or not to be")
    task = make_task(load_data(tmp_path / "a.txt"), hidden_size=4, num_layers=1)
    assert "Only 16 characters to learn from" in task.report
