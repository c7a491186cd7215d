"""All errors of the package share one base class."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import sluice

MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(sluice.__path__, "sluice.")
    if not module.name.endswith("__main__")
    and "._kernels_" not in module.name  # built for processors that this one may not be
]
ERRORS = {
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type)
    and issubclass(value, BaseException)
    and not issubclass(value, Warning)
    and value.__module__.startswith("sluice.")
    and not value.__name__.startswith("_")  # these never leave their file
}


def test_all_errors_are_found() -> None:
    names = {error.__name__ for error in ERRORS}
    assert {"EquationError", "DataError", "TuneError", "PictureError", "NoRouteError"} <= names
    assert len(ERRORS) > 15


@pytest.mark.parametrize("error", sorted(ERRORS, key=str), ids=lambda error: error.__name__)
def test_error_has_the_base_and_the_name(error: type[BaseException]) -> None:
    assert issubclass(error, sluice.SluiceError)
    assert error.__name__.endswith("Error")


def test_names_are_unique() -> None:
    assert len({error.__name__ for error in ERRORS}) == len(ERRORS)


@pytest.mark.parametrize(
    ("path", "builtin"),
    [
        ("sluice.equations.EquationError", ValueError),
        ("sluice.sequence.SequenceError", ValueError),
        ("sluice.sequence.DataError", ValueError),
        ("sluice.sequence.CheckpointError", ValueError),
        ("sluice.tunes.errors.TuneError", ValueError),
        ("sluice.report.page.ReportError", ValueError),
        ("sluice.report.ablation.AblationError", ValueError),
        ("sluice.report.comparison.ComparisonError", ValueError),
        ("sluice.render.picture.PictureError", ValueError),
        ("sluice.MissingExtraError", ImportError),
    ],
)
def test_error_is_also_a_built_in_one(path: str, builtin: type[Exception]) -> None:
    module, _, name = path.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), name), builtin)


def test_missing_library_names_its_extra() -> None:
    error = sluice.MissingExtraError("verovio", "tunes")
    assert (error.library, error.extra) == ("verovio", "tunes")
    assert str(error).endswith("run: pip install 'sluice-rnn[tunes]'")


def test_every_package_raises_the_same_class() -> None:
    raising = [module for module in MODULES if hasattr(module, "MissingExtraError")]
    assert len(raising) > 10
    assert {module.MissingExtraError for module in raising} == {sluice.MissingExtraError}
