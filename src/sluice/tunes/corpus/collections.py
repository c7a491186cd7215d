"""Collections of tunes: three printed ones that music21 includes, or any files of ABC."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.tunes.corpus.book_order import find_printed_dance
from sluice.tunes.errors import AbcSyntaxError, NoTunesError, TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.tune import Tune, from_abc

COLLECTIONS = {
    "oneills1850": "O'Neill's Music of Ireland (1,850 tunes)",
    "ryansMammoth": "Ryan's Mammoth Collection",
    "airdsAirs": "Aird's Airs",
}
NOTICE = (
    "Encodings from music21's corpus: some works in it bear limits of their own, such as no "
    "commercial use; see music21/corpus/license.txt and the headers of the ABC files."
)


@dataclass(frozen=True)
class SkippedTune:
    """A tune that was left out: where it stands, and why. `line` counts from 1."""

    source: str
    line: int
    title: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.title}: {self.reason}"


@dataclass(frozen=True)
class Collection:
    """Tunes read, tunes dropped, and a notice to show where the collection asks for one."""

    tunes: tuple[Tune, ...]
    skipped_tunes: tuple[SkippedTune, ...]
    notice: str = ""

    def report(self) -> str:
        """How many tunes were kept, and which were dropped where and why.

        Of a printed collection only how many for which reason, and its notice last.
        """
        total = len(self.tunes) + len(self.skipped_tunes)
        kept = f"{len(self.tunes)} of {total} tunes read, {len(self.skipped_tunes)} dropped."
        if not self.notice:
            return "\n".join([kept, *(f"  {dropped}" for dropped in self.skipped_tunes)])
        counts = [f"  {count:4}  {kind}" for kind, count in self.count_reasons().most_common()]
        return "\n".join([kept, *counts, self.notice])

    def count_reasons(self) -> Counter[str]:
        """How many tunes were dropped for each kind of reason; examples in it are left out."""
        return Counter(_strip_details(dropped.reason) for dropped in self.skipped_tunes)


def load_collections(
    paths: StrPaths | None = None,
    *,
    exclude: Callable[[abc_file.Block], str | None] = lambda block: None,
) -> Collection:
    """Read ABC files, or the three collections that music21 includes if no path is given.

    A folder stands for all `.abc` files in and below it. A tune that cannot be read is dropped
    with its line and the reason; a tune with the tokens of an earlier one is dropped as a
    duplicate; so is one that `exclude` gives a reason for (such as
    `licences.find_exclusion_reason`).

    Raises:
        MissingExtraError: no path given and music21 is not installed.
        NoTunesError: a file is empty or holds no ABC, a folder holds no such file, or no tune in
            any of them could be read.
        TuneError: a file cannot be opened.
    """
    notice = NOTICE if paths is None else ""
    files = (
        _list_collection_files()
        if paths is None
        else [file for path in to_paths(paths) for file in _list_files(path)]
    )
    found: dict[tuple[str, ...], Tune] = {}
    dropped: list[SkippedTune] = []
    for block in (block for file in files for block in abc_file.read_blocks(file)):
        if reason := exclude(block):
            dropped.append(SkippedTune(block.source, block.line, block.title, reason))
            continue
        try:
            tune = from_abc(block)
            tune = replace(tune, rhythm=tune.rhythm or find_printed_dance(block))
        except AbcSyntaxError as error:
            dropped.append(SkippedTune(block.source, error.line, block.title, error.reason))
            continue
        first = found.setdefault(tune.tokens, tune)
        if first is not tune:
            where = f"{Path(first.source).name}:{first.line}"
            reason = f"the same music as an earlier tune ({where})"
            dropped.append(SkippedTune(block.source, block.line, block.title, reason))
    if not found:
        raise NoTunesError(_describe_failure(dropped))
    return Collection(tuple(found.values()), tuple(dropped), notice)


def _describe_failure(dropped: Sequence[SkippedTune]) -> str:
    first = f" The first: {dropped[0]}." if dropped else ""
    return f"None of {len(dropped)} tunes could be read.{first}"


def _list_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.rglob("*.abc"))
    if not files:
        raise NoTunesError(f"The folder {path} holds no .abc file; give a folder or file of tunes.")
    return files


def _list_collection_files() -> list[Path]:
    """The files by path: importing music21 would import plotting and networking for nothing."""
    found = importlib.util.find_spec("music21")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("music21", "tunes")
    corpus = Path(found.submodule_search_locations[0]) / "corpus"
    missing = [name for name in COLLECTIONS if not (corpus / name).is_dir()]
    if missing:
        raise TuneError(
            f"The installed music21 has no {', '.join(missing)} in {corpus}: it came without its "
            "corpus; reinstall it, or give files of ABC of your own."
        )
    return [file for name in COLLECTIONS for file in _list_files(corpus / name)]


def _strip_details(reason: str) -> str:
    """A reason without what differs from tune to tune."""
    return reason.partition(" (")[0]
