"""A tape as an xarray `DataTree`, its dimensions named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.extras import MissingExtra

if TYPE_CHECKING:
    import xarray

    from sluice.insight.recording import Tape, Values


def to_xarray(tape: Tape) -> xarray.DataTree:
    """One node for each place, such as ``encoder/l0_reverse``, with a variable for each value.

    Dimensions are ``time``, ``batch`` and ``unit``; a projected state has ``projection`` in place
    of ``unit``. Where there are derivatives, the node has a child ``gradient`` with the same names.

    Raises:
        MissingExtra: xarray is not installed.
        RuntimeError: a module has recorded nothing.
    """
    try:
        import xarray
    except ImportError:
        raise MissingExtra("xarray", "xarray") from None
    nodes: dict[str, xarray.Dataset] = {}
    for name in tape:
        for label, place in tape[name].places.items():
            path = f"{name}/{label}".removeprefix("/")
            nodes[path] = xarray.Dataset(_variables(place))
            if place.has_gradient:
                nodes[f"{path}/gradient"] = xarray.Dataset(_variables(place.gradient))
    return xarray.DataTree.from_dict(nodes)


def _variables(values: Values) -> dict[str, tuple[tuple[str, str, str], object]]:
    arrays = values.numpy()
    units = max(array.shape[2] for array in arrays.values())
    widths = {name: "unit" if a.shape[2] == units else "projection" for name, a in arrays.items()}
    return {name: (("time", "batch", widths[name]), array) for name, array in arrays.items()}
