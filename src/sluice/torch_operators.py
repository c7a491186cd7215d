"""The operators that compiled programs hold, known to torch as soon as both are imported.

What they compute is in `sluice.run.custom_op`, which is imported at their first call.

``sluice::run`` is what programs call and what an export keeps. Under autograd it becomes
``sluice::run_pass``, which also returns the tape, and ``sluice::backpropagate``, which reads it:
between the two lie tensors alone, so that a compiler can part them. All are functions without side
effects; one that a compiler runs again gives the same.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

# Exported programs name the arguments: they must not change, and what is added needs a default.
_ARGUMENTS = (
    "str graph, SymInt[] sizes, Tensor x, Tensor[] states, Tensor[] parameters, Tensor[] masks, "
    "Tensor? lengths, Tensor? resets, Tensor[] restart, bool reverse"
)
_library = torch.library.Library("sluice", "FRAGMENT")


def _find(name: str) -> Callable[..., Any]:
    def call(*arguments: object) -> object:
        return getattr(import_module("sluice.run.custom_op"), name)(*arguments)

    return call


def _define(name: str, more: str) -> None:
    """Register an operator: ``more`` are its arguments after those that all have."""
    schema = f"{name}({_ARGUMENTS}, {more}) -> Tensor[]"
    _library.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _library.impl(name, _find(f"compute_{name}"), "CompositeExplicitAutograd")
    torch.library.register_fake(f"sluice::{name}", _find(f"describe_{name}"), lib=_library)


_define("run", "str mode='float32'")
_define("run_pass", "str mode, bool keeps_tape")
_define(
    "backpropagate",
    "str mode, Tensor tape, Tensor output, Tensor?[] upstream, bool[] needs",
)
_define("run_backward", "Tensor[] gradients")  # in joint graphs that earlier versions exported
_library.impl("run", _find("run_under_autograd"), "Autograd")
