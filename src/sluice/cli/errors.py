"""How a command says what went wrong: one sentence on stderr, exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer


def fail(message: str) -> NoReturn:
    """Say on stderr what is wrong, in one sentence, and leave with exit code 2."""
    typer.echo(f"sluice: {' '.join(message.split()).removesuffix('.')}.", err=True)
    raise typer.Exit(2)


@contextmanager
def report_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Refuse with what an error of these kinds, or of a file, says."""
    try:
        yield
    except kinds as error:
        fail(str(error))
    except BrokenPipeError:  # nobody reads on: a silent end, which is click's business
        raise
    except OSError as error:
        fail(f"{error.filename or 'A file'}: {error.strerror or error}; choose another place")
