"""What of a model is to be recorded: which layers, which values, which steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sluice.equations.watched import preactivations
from sluice.insight.recorded import label_of
from sluice.nn.stack import RecurrentStack
from sluice.run.recording import Wanted


@dataclass(frozen=True)
class Selection:
    """What `sluice.record` was asked for, by its arguments' names."""

    layers: Iterable[str] | None
    names: Iterable[str] | None
    pre: bool
    maps: bool
    every: int

    def within(self, modules: Mapping[str, RecurrentStack]) -> dict[tuple[str, int], Wanted]:
        """What is wanted of each module and place.

        Raises ValueError for a layer or a value that there is not, and for ``every`` below 1.
        """
        if not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"every= is a number of steps from 1 on, not {self.every}")
        names = None if self.names is None else frozenset(_several(self.names, "names"))
        wanted = Wanted(names, self.pre, self.maps, self.every)
        places = self._places(modules)
        self._check_names(wanted, {name: modules[name] for name, _ in places})
        having = (at for at in places if wanted.of(modules[at[0]].cell.graph))
        return dict.fromkeys(having, wanted)

    def _places(self, modules: Mapping[str, RecurrentStack]) -> list[tuple[str, int]]:
        every = {name: range(one.num_layers * one.directions) for name, one in modules.items()}
        if self.layers is None:
            return [(name, place) for name, places in every.items() for place in places]
        by_name = {name: [(name, place) for place in places] for name, places in every.items()}
        for name, places in every.items():
            for place in places:
                layer, direction = divmod(place, modules[name].directions)
                label = f"{name}.{label_of(layer, bool(direction))}".removeprefix(".")
                by_name[label] = [(name, place)]
        found: dict[tuple[str, int], None] = {}
        for name in _several(self.layers, "layers"):
            if name not in by_name:
                known = ", ".join(map(repr, by_name))
                raise ValueError(f"no recurrent layer is called '{name}'; there are {known}")
            found |= dict.fromkeys(by_name[name])
        return list(found)

    def _check_names(self, wanted: Wanted, modules: Mapping[str, RecurrentStack]) -> None:
        known: dict[str, None] = {}
        for module in modules.values():
            graph = module.cell.graph
            known |= dict.fromkeys(graph.named)
            known |= {f"pre.{gate}": None for gate in preactivations(graph)}
            known |= dict.fromkeys(wanted.graph(graph).named)
        missing = sorted((wanted.names or frozenset()) - set(known))
        if missing:
            raise ValueError(f"no cell names '{missing[0]}'; there are {', '.join(known)}")


def _several(given: Iterable[str], what: str) -> list[str]:
    if isinstance(given, str):
        raise ValueError(f"{what}= is a list of names, [{given!r}], not one name")
    found = list(given)
    if not found:
        raise ValueError(f"{what}= is empty, so nothing would be recorded; leave it out for all")
    return found
