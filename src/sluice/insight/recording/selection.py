"""What to record of a model: which layers, which values, which steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sluice.equations.instrument import find_preactivations
from sluice.insight.recording.recorded import RecordableModule, layer_label
from sluice.run.recording.record_spec import RecordSpec


@dataclass(frozen=True)
class Selection:
    """The arguments of `sluice.record` that select what to record."""

    layers: Iterable[str] | None
    names: Iterable[str] | None
    pre: bool
    maps: bool
    every: int

    def resolve(self, modules: Mapping[str, RecordableModule]) -> dict[tuple[str, int], RecordSpec]:
        """What to record of each module and place.

        Raises ValueError for an unknown layer or value, and for ``every`` below 1.
        """
        if not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"every= must be an integer of at least 1, got {self.every}")
        names = None if self.names is None else frozenset(_check_list(self.names, "names"))
        wanted = RecordSpec(names, self.pre, self.maps, self.every)
        places = self._select_layers(modules)
        self._check_names(wanted, {name: modules[name] for name, _ in places})
        having = (at for at in places if wanted.select_names(modules[at[0]].cell.graph))
        return dict.fromkeys(having, wanted)

    def _select_layers(self, modules: Mapping[str, RecordableModule]) -> list[tuple[str, int]]:
        every = {name: range(one.num_layers * one.directions) for name, one in modules.items()}
        if self.layers is None:
            return [(name, place) for name, places in every.items() for place in places]
        by_name = {name: [(name, place) for place in places] for name, places in every.items()}
        for name, places in every.items():
            for place in places:
                layer, direction = divmod(place, modules[name].directions)
                label = f"{name}.{layer_label(layer, bool(direction))}".removeprefix(".")
                by_name[label] = [(name, place)]
        found: dict[tuple[str, int], None] = {}
        for name in _check_list(self.layers, "layers"):
            if name not in by_name:
                known = ", ".join(map(repr, by_name))
                raise ValueError(
                    f"the model has no recurrent layer '{name}'; its layers are {known}"
                )
            found |= dict.fromkeys(by_name[name])
        return list(found)

    def _check_names(self, spec: RecordSpec, modules: Mapping[str, RecordableModule]) -> None:
        known: dict[str, None] = {}
        for module in modules.values():
            graph = module.cell.graph
            known |= dict.fromkeys(graph.outputs_by_name)
            known |= {f"pre.{gate}": None for gate in find_preactivations(graph)}
            known |= dict.fromkeys(spec.instrument(graph).outputs_by_name)
        missing = sorted((spec.names or frozenset()) - set(known))
        if missing:
            raise ValueError(
                f"no recorded layer has a value '{missing[0]}'; the values are {', '.join(known)}"
            )


def _check_list(given: Iterable[str], what: str) -> list[str]:
    if isinstance(given, str):
        raise ValueError(f"{what}= must be a list of names, as in [{given!r}], got one name")
    found = list(given)
    if not found:
        raise ValueError(f"{what}= must name at least one, got none; leave it out for all")
    return found
