"""A tree of tensors and plain values as bytes: safetensors, with the tree as JSON in its header.

Nothing in it is code, and every size is checked against the bytes that there are before anything
is built. Equal trees are equal bytes.
"""

from __future__ import annotations

import json
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from sluice.sequence.errors import CheckpointError

_TREE = "tree"


def encode_tree(tree: object) -> bytes:
    """Tensors, dicts, lists, tuples, numbers, texts and None, nested, as bytes.

    >>> import torch
    >>> tree = {"moments": {0: torch.ones(2)}, "betas": (0.9, 0.999), "cuda": None}
    >>> decode_tree(encode_tree(tree))
    {'moments': {0: tensor([1., 1.])}, 'betas': (0.9, 0.999), 'cuda': None}
    """
    tensors: dict[str, Tensor] = {}
    described = json.dumps(_describe(tree, tensors))
    return bytes(save(tensors, {_TREE: described}))


def decode_tree(content: bytes) -> Any:
    """What `encode_tree` wrote, its tensors on the CPU.

    Raises:
        CheckpointError: anything else.
    """
    try:
        tensors = load(content)  # checks the header
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        return _rebuild(json.loads(header["__metadata__"][_TREE]), tensors)
    except (
        SafetensorError, LookupError, TypeError, ValueError, RuntimeError, RecursionError
    ) as error:  # fmt: skip
        why = " ".join(str(error).split())
        raise CheckpointError(f"it is no state of a training ({why:.200})") from None


def _describe(tree: object, tensors: dict[str, Tensor]) -> object:
    if isinstance(tree, Tensor):
        name = f"{len(tensors):06}"
        # A copy of its own: tensors that share memory cannot be written.
        tensors[name] = tree.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"dict": [[key, _describe(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, tuple):
        return {"tuple": [_describe(value, tensors) for value in tree]}
    if isinstance(tree, list):
        return [_describe(value, tensors) for value in tree]
    if isinstance(tree, str | int | float | None):
        return tree
    raise TypeError(f"a state holds tensors and plain values, got a {type(tree).__name__}")


def _rebuild(described: object, tensors: dict[str, Tensor]) -> Any:
    if isinstance(described, list):
        return [_rebuild(value, tensors) for value in described]
    if not isinstance(described, dict):
        return described
    ((kind, held),) = described.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "tuple":
        return tuple(_rebuild(value, tensors) for value in held)
    if kind == "dict":
        return {key: _rebuild(value, tensors) for key, value in held}
    raise ValueError(f"unknown kind {kind!r:.20}")
