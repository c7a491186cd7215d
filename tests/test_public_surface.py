"""The public surface changes only on purpose, and every name in it is unambiguous."""

import importlib
import inspect
import pkgutil
from difflib import unified_diff

import pytest

import count_names
import public_surface
import sluice

MODULES = [
    info.name
    for info in pkgutil.walk_packages(sluice.__path__, "sluice.")
    if not info.name.startswith(("sluice.__main__", "sluice._kernels_"))
]


def test_it_is_the_one_that_was_agreed_on() -> None:
    listed = public_surface.KEPT.read_text(encoding="utf-8").splitlines()
    present = public_surface.render_surface().splitlines()
    difference = "\n".join(unified_diff(listed, present, "kept", "present", lineterm="", n=1))
    if difference:
        pytest.fail(
            f"The public surface has changed:\n{difference}\n"
            "If this is meant, run: python tools/public_surface.py --write\n"
            "and add a line to CHANGELOG.md.",
            pytrace=False,
        )


def test_what_is_printed_can_be_imported() -> None:
    wrong = []
    for definition, paths in public_surface.find_paths().items():
        found = [
            getattr(importlib.import_module(path.rpartition(".")[0]), path.rpartition(".")[2])
            for path in paths
        ]
        if any(value is not found[0] for value in found):
            wrong.append(f"{', '.join(paths)}: not one and the same")
        if inspect.ismodule(found[0]) != definition.is_module:
            wrong.append(f"{paths[0]}: printed as what it is not")
    assert wrong == []


def test_no_name_hides_a_module() -> None:
    """A package that re-exports something named as its module is: rename the module."""
    hidden = []
    for module in MODULES:
        importlib.import_module(module)
        package, _, name = module.rpartition(".")
        if not inspect.ismodule(getattr(importlib.import_module(package), name)):
            hidden.append(module)
    assert hidden == []


@pytest.fixture(scope="module")
def names() -> count_names.Counts:
    return count_names.count_names()


def test_no_two_classes_have_the_same_name(names: count_names.Counts) -> None:
    assert names.namesakes == {}


def test_functions_are_named_by_verbs(names: count_names.Counts) -> None:
    assert names.participles == []
