"""What reading a tune left out or took in another way than written, for its report."""

from __future__ import annotations

from typing import NamedTuple


class Remark(NamedTuple):
    """A kind of thing, the same words wherever it occurs, and the line of the file.

    >>> Remark("an overlay (&), left out", 7)
    Remark(kind='an overlay (&), left out', line=7)
    """

    kind: str
    line: int
