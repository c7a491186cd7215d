import pytest

from sluice.sequence.threads import Threads


def steps(threads: Threads, speeds: dict[int, float], count: int) -> list[int]:
    """The numbers of threads of `count` steps on a machine with `speeds` for each."""
    used = []
    for place in range(count):
        number = threads.number()
        used.append(number)
        work = 10 + place % 7
        threads.took(work, work / speeds[number])
    return used


@pytest.mark.parametrize(("speeds", "best"), [({1: 40, 4: 70}, 4), ({1: 40, 4: 2}, 1)])
def test_the_faster_is_used_once_both_were_tried(speeds: dict[int, float], best: int) -> None:
    used = steps(Threads(many=4), speeds, 128)
    assert used == [1, 1, 4, 4] + [best] * 124


def test_a_machine_that_changes_is_noticed() -> None:
    threads = Threads(many=2)
    assert steps(threads, {1: 40, 2: 70}, 128)[-1] == 2
    assert steps(threads, {1: 40, 2: 5}, 128)[-1] == 1
    assert steps(threads, {1: 40, 2: 70}, 128)[-1] == 2
