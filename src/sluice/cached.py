"""A property that is computed once, in programs with threads that fork."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property as cached_property
else:

    class cached_property(functools.cached_property[T]):
        """`functools.cached_property` of Python 3.12, which holds no lock while it computes.

        That of 3.11 holds one for all instances: a child forked meanwhile waits for it for ever.
        """

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            values = vars(instance)
            if self.attrname not in values:
                return values.setdefault(self.attrname, self.func(instance))
            return values[self.attrname]
