from pathlib import Path

import numpy as np
import pytest

from sluice.sequence import load_data, make_task
from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.ragged import RaggedArray


def test_what_is_equal_has_one_hash_wherever_it_lies() -> None:
    one = RaggedArray.of([[1, 2, 3], [], [4]])
    apart = RaggedArray.of([[9, 9], [4], [8], [1, 2, 3], []]).select([3, 4, 1])
    assert hash_contents(one) == hash_contents(apart)


@pytest.mark.parametrize(
    "other",
    [
        RaggedArray.of([[1, 2], [3], [4]]),
        RaggedArray.of([[1, 2, 3, 4]]),
        RaggedArray.of([[1, 2, 3], [], [5]]),
        RaggedArray.of([[1, 2, 3], [], [4]], np.float64),
        [[1, 2, 3], [], [4]],
    ],
)
def test_what_differs_has_another(other: object) -> None:
    assert hash_contents(RaggedArray.of([[1, 2, 3], [], [4]])) != hash_contents(other)


def test_texts_do_not_run_into_each_other() -> None:
    assert hash_contents("ab", "c") != hash_contents("a", "bc")
    assert hash_contents(["a", "b"]) != hash_contents(["a, b"])


def test_more_than_a_block_is_read_to_its_end() -> None:
    values = np.zeros(3_000_000)
    before = hash_contents(values)
    values[-1] = 1.0
    assert hash_contents(values) != before


def test_what_has_no_bytes_of_its_own_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        hash_contents(np.array([object()]))


def test_the_data_count_and_not_their_file(tmp_path: Path) -> None:
    text = "to be or not to be, that is the question " * 20
    first, second, third = (tmp_path / name for name in ("a.txt", "b.txt", "c.txt"))
    first.write_text(text)
    second.write_text(text)
    third.write_text(text.replace("b", "~"))  # other letters, the same number of tokens
    one, same, other = (load_data(path).fingerprint() for path in (first, second, third))
    assert one == same != other
    task = make_task(load_data(first), hidden_size=4)
    assert task.fingerprint == task.checkpoint.data_fingerprint == one


def test_a_table_is_marked_by_columns_values_and_labels(tmp_path: Path) -> None:
    def mark(text: str) -> str:
        path = tmp_path / "t.csv"
        path.write_text(text)
        return load_data(path).fingerprint()

    table = "a,b\n" + "\n".join(f"{k % 7}.5,{k % 3}" for k in range(30))
    assert mark(table) == mark(table)
    assert len({mark(table), mark(table.replace("a,", "c,")), mark(table[:-1] + "7")}) == 3
