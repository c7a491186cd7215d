"""How commands report errors: one sentence on stderr, exit code 2."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn, Protocol, runtime_checkable

import typer
from typer.core import TyperGroup

from sluice.cli.flags import hide_flag_types


@runtime_checkable
class UsageError(Protocol):
    """What typer raises for a wrong command line; it exports no class for it."""

    ctx: typer.Context | None

    def format_message(self) -> str: ...


def fail(message: str) -> NoReturn:
    """Print one sentence on stderr, and exit with code 2."""
    typer.echo(f"sluice: {' '.join(message.split()).removesuffix('.')}.", err=True)
    raise typer.Exit(2)


@contextmanager
def report_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Report exceptions of these kinds, and errors of files, as one sentence."""
    try:
        yield
    except kinds as error:
        fail(str(error))
    except BrokenPipeError:  # the reader of the output is gone: click ends silently
        raise
    except OSError as error:
        fail(describe_file_error(error))


def describe_file_error(error: OSError) -> str:
    """The file, what the system says of it, and what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "make room there" if full else "check the path and its permissions"
    return f"{error.filename or 'A file'}: {error.strerror or error}; {remedy}"


def report_known_errors() -> AbstractContextManager[None]:
    """Report the package's own exceptions as one sentence."""
    from sluice.errors import SluiceError

    return report_errors(SluiceError)


class CommandGroup(TyperGroup):
    """Commands that report a wrong command line as they report any other error."""

    def get_params(self, ctx: Any) -> list[Any]:
        return hide_flag_types(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        """Run a command; refuse what cannot be parsed in one sentence."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if not isinstance(error, UsageError):
                raise
            reason = error.format_message().strip(" .")
            fail(f"{reason}; see {(error.ctx or ctx).command_path} --help")
