"""What is derived from a graph, computed once and kept as long as an equal graph lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakValueDictionary

from sluice.equations.graph import Graph

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class _DerivedValues(dict[tuple[Any, ...], Any]):
    """The values derived from equal graphs, by function and arguments."""

    __slots__ = ("__weakref__",)


_values_by_fields: WeakValueDictionary[tuple[Any, ...], _DerivedValues] = WeakValueDictionary()


def keep_with_graph(
    function: Callable[Concatenate[Graph, _Arguments], _Result],
) -> Callable[Concatenate[Graph, _Arguments], _Result]:
    """``function(graph, *arguments)``, computed once for equal graphs and freed with the last one.

    It is given a copy of the graph, so that nothing that it makes keeps the graph itself, and with
    it all results, alive. Arguments must be hashable.

    Example:
        >>> from sluice.cells import LSTM
        >>> @keep_with_graph
        ... def count(graph, what):
        ...     print("counting")
        ...     return len(getattr(graph, what))
        >>> one, other = LSTM().graph, LSTM().graph
        >>> count(one, "states"), count(other, "states")
        counting
        (2, 2)
    """

    @wraps(function)
    def call(graph: Graph, *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        key = (function, arguments, *named.items())
        values = _get_values(graph)
        if key not in values:
            copy = replace(graph)
            values.setdefault(key, function(copy, *arguments, **named))
            copy.__dict__.pop("_derived_values", None)
        result: _Result = values[key]
        return result

    return cast(Callable[Concatenate[Graph, _Arguments], _Result], call)


def _get_values(graph: Graph) -> _DerivedValues:
    """The values that ``graph`` shares with the graphs equal to it."""
    found: _DerivedValues | None = graph.__dict__.get("_derived_values")
    if found is None:
        fields = tuple(getattr(graph, name) for name in Graph.__dataclass_fields__)
        found = _values_by_fields.setdefault(fields, _DerivedValues())
        graph.__dict__["_derived_values"] = found
    return found
