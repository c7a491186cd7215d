"""Recordings as an xarray `DataTree`, its dimensions named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.equations.instrument import instrument_graph
from sluice.equations.specs import CONSTANT, HIDDEN
from sluice.extras import MissingExtraError
from sluice.insight.recording.recorded import RecordedLayer, RecordedModule, RecordedValues

if TYPE_CHECKING:
    import xarray


def build_data_tree(modules: Mapping[str, RecordedModule]) -> xarray.DataTree:
    """A node for each layer and direction of each module, ``encoder/l0_reverse``, with its values.

    Dimensions are ``time``, ``batch`` and ``unit``; a value of another width than the hidden one
    has that in place of ``unit``: a projected state ``projection``, what a map reads of the input
    ``input``. If there are derivatives, the node has
    a child ``gradient`` with the same names. If only every k-th step was recorded, ``time`` has
    coordinates.

    Raises:
        MissingExtraError: xarray is not installed.
        RuntimeError: a module has recorded nothing.
    """
    try:
        import xarray
    except ImportError:
        raise MissingExtraError("xarray", "xarray") from None
    nodes: dict[str, xarray.Dataset] = {}
    for name, module in modules.items():
        for label, place in module.layers.items():
            path = f"{name}/{label}".removeprefix("/")
            nodes[path] = xarray.Dataset(_build_variables(place), _build_time_coordinates(place))
            if place.has_gradient:
                nodes[f"{path}/gradient"] = xarray.Dataset(_build_variables(place.gradient))
    return xarray.DataTree.from_dict(nodes)


def _build_variables(values: RecordedValues) -> dict[str, tuple[tuple[str, str, str], object]]:
    named = instrument_graph(values._recording.graph, pre=True, maps=True).outputs_by_name
    return {
        name: (("time", "batch", _name_dimension(named[name].width)), array)
        for name, array in values.numpy().items()
    }


def _name_dimension(width: str) -> str:
    return "unit" if width in (HIDDEN, CONSTANT) else width


def _build_time_coordinates(layer: RecordedLayer) -> dict[str, range]:
    count = len(next(iter(layer.values())))
    return {"time": range(0, count * layer.every, layer.every)} if layer.every > 1 else {}
