from sluice.sequence.threads import Threads


def chosen(many_take: list[float], steps: int) -> list[int]:
    """Choices on a machine where one thread takes a second and four take, trial by trial, this."""
    trials = iter(many_take)
    threads = Threads(4, lambda number: 1.0 if number == 1 else next(trials))
    return [threads.number() for _ in range(steps)]


def test_many_threads_while_they_help() -> None:
    assert chosen([0.3, 0.4, 0.9], steps=3) == [4, 4, 4]


def test_one_thread_for_a_while_after_they_did_not() -> None:
    refused = [1] * 17  # the trial's own step and sixteen more
    assert chosen([0.3, 8.0, 2.0, 0.3], steps=36) == [4, *refused, *refused, 4]


def test_one_processor_is_never_tried() -> None:
    assert Threads(1, lambda number: 1 / 0).number() == 1
