"""Recordings as an xarray `DataTree`, its dimensions named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.extras import MissingExtra
from sluice.insight.recorded import Recorded, RecordedModule, Values

if TYPE_CHECKING:
    import xarray


def to_xarray(modules: Mapping[str, RecordedModule]) -> xarray.DataTree:
    """Of modules by name, a node for each place, ``encoder/l0_reverse``, and in it each value.

    Dimensions are ``time``, ``batch`` and ``unit``; a projected state has ``projection`` in place
    of ``unit``. Where there are derivatives, the node has a child ``gradient`` with the same names.

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
    arrays = values.numpy()
    units = max(array.shape[2] for array in arrays.values())
    widths = {name: "unit" if a.shape[2] == units else "projection" for name, a in arrays.items()}
    return {name: (("time", "batch", widths[name]), array) for name, array in arrays.items()}


def _steps(place: Recorded) -> dict[str, range]:
    count = len(next(iter(place.values())))
    return {"time": range(0, count * place.every, place.every)} if place.every > 1 else {}
