"""Kinds of token data that reports know more about: how to read, describe and measure them.

Domains come from entry points in the group `sluice.reports`: each names a `TokenDomain`. Any
package can add its own; without one, data is read as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from sluice.files import StrPath
from sluice.report.music import TokenMusic
from sluice.report.properties import Properties
from sluice.sequence import Vocabulary

ENTRY_POINT_GROUP = "sluice.reports"


class NamedSequence(NamedTuple):
    """A sequence of tokens and what a report calls it."""

    name: str
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class TokenDomain:
    """A kind of token data.

    Attributes:
        name: what it is called; as data in place of a path, it stands for
            ``read(None, vocabulary)``.
        suffixes: of its files, in lower case, with the dot.
        read: the sequences of a file or folder, or of the domain's own collection for None, in
            the tokens of a model with that vocabulary, one after another as they are asked for;
            raises a ValueError where they cannot be read.
        matches_vocabulary: whether the tokens of a model are of this domain.
        compute_properties: properties of every token, for units to follow.
        find_span_starts: where a sequence is split into spans: first steps, ascending from 0.
        compute_statistics: figures of one sequence that a model generated.
        read_music: the music that a sequence spells, its notes by the places of its tokens; None
            where it spells none.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[StrPath | None, Vocabulary], Iterable[NamedSequence]]
    matches_vocabulary: Callable[[Vocabulary], bool]
    compute_properties: Callable[[Sequence[Sequence[str]]], Properties]
    find_span_starts: Callable[[Sequence[str]], list[int]]
    compute_statistics: Callable[[Sequence[str]], Mapping[str, float]]
    read_music: Callable[[Sequence[str]], TokenMusic | None] = lambda tokens: None


@cache
def get_domains() -> dict[str, TokenDomain]:
    """The installed domains by name."""
    domains: list[TokenDomain] = [one.load() for one in entry_points(group=ENTRY_POINT_GROUP)]
    return {domain.name: domain for domain in domains}


def find_domain_of_path(path: StrPath) -> TokenDomain | None:
    """The domain of a file, or of any file in a folder, by suffix; None where none claims it."""
    path = Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    suffixes = {file.suffix.lower() for file in files}
    return next((one for one in get_domains().values() if suffixes & {*one.suffixes}), None)


def find_domain_of_vocabulary(vocabulary: Vocabulary) -> TokenDomain | None:
    """The domain that a model's tokens belong to; None where none claims them."""
    domains = get_domains().values()
    return next((one for one in domains if one.matches_vocabulary(vocabulary)), None)


def describe_readable_data() -> str:
    """What can be read, for messages: text, and each domain with its suffixes."""
    return ", or ".join(
        ["text", *(f"{one.name} ({', '.join(one.suffixes)})" for one in get_domains().values())]
    )
