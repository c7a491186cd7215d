"""Recordings as an xarray `DataTree`, its dimensions named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.equations.watched import watched
from sluice.extras import MissingExtra
from sluice.insight.recorded import Recorded, RecordedModule, Values

if TYPE_CHECKING:
    import xarray


_DIMENSIONS = {"input": "input", "projection": "projection"}


def to_xarray(modules: Mapping[str, RecordedModule]) -> xarray.DataTree:
    """Of modules by name, a node for each place, ``encoder/l0_reverse``, and in it each value.

    Dimensions are ``time``, ``batch`` and ``unit``; a projected state has ``projection`` in place
    of ``unit``, and what a map reads of the input has ``input``. Where there are derivatives, the
    node has a child ``gradient`` with the same names.

    Where only every k-th step was kept, ``time`` has coordinates.

    Raises:
        MissingExtra: xarray is not installed.
        RuntimeError: a module has recorded nothing.
    """
    try:
        import xarray
    except ImportError:
        raise MissingExtra("xarray", "xarray") from None
    nodes: dict[str, xarray.Dataset] = {}
    for name, module in modules.items():
        for label, place in module.places.items():
            path = f"{name}/{label}".removeprefix("/")
            nodes[path] = xarray.Dataset(_variables(place), _steps(place))
            if place.has_gradient:
                nodes[f"{path}/gradient"] = xarray.Dataset(_variables(place.gradient))
    return xarray.DataTree.from_dict(nodes)


def _variables(values: Values) -> dict[str, tuple[tuple[str, str, str], object]]:
    named = watched(values._recording.graph, pre=True, maps=True).named
    return {
        name: (("time", "batch", _DIMENSIONS.get(named[name].width, "unit")), array)
        for name, array in values.numpy().items()
    }


def _steps(place: Recorded) -> dict[str, range]:
    count = len(next(iter(place.values())))
    return {"time": range(0, count * place.every, place.every)} if place.every > 1 else {}
