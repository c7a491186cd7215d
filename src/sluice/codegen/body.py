"""A body: the elementwise part of a phase as a kernel calls it, and where its values lie.

A kernel multiplies matrices and moves through time; between the products it calls a body on a
tile of ``rows`` (sequences) by ``blocks`` (of `lanes` units each). A body is compiled to a function

    void body(int64 rows, int64 blocks, const Slot *slots)

where a ``Slot`` is ``{T *base; int64 row; int64 block;}``, its strides counted in elements.
``base`` is null only where `Access.optional` allows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.equations.graph import Node

LOAD, PARAMETER, SCALAR, STORE, ADD_ROW, ADD_BLOCK, BROADCAST = (
    "load",
    "parameter",
    "scalar",
    "store",
    "add row",
    "add block",
    "broadcast",
)


@dataclass(frozen=True)
class Access:
    """How a body reads or writes one value; r and b number the tile's rows and blocks.

    =============  =====================================================================
    ``load``       lanes at ``base + r·row + b·block + item·lanes``
    ``parameter``  lanes at ``base + b·block + item·lanes``: the same for all rows
    ``scalar``     one number at ``base + r·row + item``, the same for all lanes and blocks
    ``store``      lanes to where ``load`` reads
    ``add row``    lanes added to those at ``base + r·row + item·lanes``: a sum over blocks
    ``add block``  lanes added to those at ``base + b·block + item·lanes``: a sum over rows
    ``broadcast``  the first lane at ``base + r·row + item·lanes``, the same for all lanes and
                   blocks: what a buffer of width 1 holds, in a body of another width
    =============  =====================================================================
    """

    kind: str
    slot: int
    item: int
    optional: bool = False


@dataclass(frozen=True)
class Body:
    """Inputs and outputs of one function; what lies between is elementwise.

    Every node between ``outputs`` and inputs or constants is `Elementwise`. ``detach`` passes its
    operand on. All loads of a tile's element come before its stores: a body may overwrite what it
    has read.
    """

    inputs: tuple[tuple[Node, Access], ...]
    outputs: tuple[tuple[Node, Access], ...]
    slots: int


def lanes_per_block(bits: int) -> int:
    """How many numbers of ``bits`` bits make a block, which has 64 bytes."""
    return 512 // bits
