"""Places where the same units are active, against plain searches."""

from __future__ import annotations

import pytest
import torch

from sluice.insight import Match, active_units, find_matches


def test_units_active_over_a_span() -> None:
    values = torch.zeros(6, 2, 4)
    values[2:4, 1] = torch.tensor([1.0, 1.0, 1.0, 0.0])
    values[3, 1, 2] = 0.2  # off again
    values[1, 1, 1] = 1.0  # on before
    assert active_units(values, 1, 2, 4, 0.5).tolist() == [0, 1]
    assert active_units(values, 1, 2, 4, 0.5, exclusive=True).tolist() == [0]
    assert active_units(values, 1, 2, 3, 0.5).tolist() == [0, 1, 2]
    for start, stop, sequence in ((2, 2, 0), (0, 7, 0), (0, 1, 2)):
        with pytest.raises(ValueError, match="a span must have 0 <= start < stop within values"):
            active_units(values, sequence, start, stop, 0.5)


def test_matches_are_those_of_a_plain_search() -> None:
    values, units, lengths = torch.rand(30, 3, 6), torch.tensor([1, 4, 5]), [30, 17, 2]
    found = find_matches(values, units, 2, 0.4, count=6, lengths=torch.tensor(lengths))
    places = []
    for b, length in enumerate(lengths):
        for t in range(length - 1):
            on = {u for u in range(6) if min(values[t, b, u], values[t + 1, b, u]) >= 0.4}
            wanted = len(on & {1, 4, 5})
            places.append((-wanted, len(on) - wanted, t, b))
    expected: list[Match] = []
    for wanted, _, t, b in sorted(places):
        apart = all(m.sequence != b or abs(m.start - t) >= 2 for m in expected)
        if apart and wanted < 0 and len(expected) < 6:
            expected.append(Match(b, t, t + 2, -wanted))
    assert found == expected and len(found) == 6
    assert find_matches(values * 0, units, 2, 0.4) == []
    with pytest.raises(ValueError, match="no units to match"):
        find_matches(values, units[:0], 2, 0.4)
    with pytest.raises(ValueError, match="at least the 31 steps"):
        find_matches(values, units, 31, 0.4)


def test_places_of_any_length_are_those_of_a_plain_search() -> None:
    values, units, lengths = torch.rand(24, 3, 5), [0, 2, 4], [24, 13, 0]
    found = find_matches(
        values, torch.tensor(units), None, 0.35, count=9, lengths=torch.tensor(lengths)
    )
    places = []
    for b, length in enumerate(lengths):

        def score(start: int, stop: int, b: int = b, length: int = length) -> int:
            if start < 0 or stop > length:
                return 0
            return sum(bool((values[start:stop, b, u] >= 0.35).all()) for u in units)

        for start in range(length):
            for stop in range(start + 1, length + 1):
                here = score(start, stop)
                if here and max(score(start - 1, stop), score(start, stop + 1)) < here:
                    places.append((-here, start - stop, start, b))
    expected: list[Match] = []
    for wanted, size, start, b in sorted(places):
        apart = all(m.sequence != b or m.stop <= start or start - size <= m.start for m in expected)
        if apart and len(expected) < 9:
            expected.append(Match(b, start, start - size, -wanted))
    assert found == expected and len({m.stop - m.start for m in found}) > 1
    assert find_matches(values * 0, torch.tensor(units), None, 0.35) == []
