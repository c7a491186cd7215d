"""Collections of tunes: three printed ones that music21 includes, or any files of ABC."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.tunes.corpus.book_order import find_printed_dance
from sluice.tunes.corpus.files import SkippedFile, find_files
from sluice.tunes.errors import AbcSyntaxError, NoTunesError, TuneError
from sluice.tunes.notation import abc_file, tune_files
from sluice.tunes.notation.remarks import Remark
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
_NO_TUNE = "holds no tune"


@dataclass(frozen=True)
class SkippedTune:
    """A tune that was left out: where it stands, and why. `line` counts from 1."""

    source: str
    line: int
    title: str
    reason: str

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.source}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.title}: {self.reason}"


@dataclass(frozen=True)
class PlacedRemark:
    """What was left out of a tune that was read, or of a file: the kind, and where it stands."""

    source: str
    line: int
    kind: str

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.source}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}"


@dataclass(frozen=True)
class Collection:
    """Tunes read, what was dropped, and a notice to show where the collection asks for one.

    Attributes:
        tunes: those that were read, each once.
        skipped_tunes: those that could not be read, are excluded, or are duplicates.
        notice: to show.
        skipped_files: files without a tune, and those that could not be opened.
        remarks: what was left out of the tunes that were read.
    """

    tunes: tuple[Tune, ...]
    skipped_tunes: tuple[SkippedTune, ...]
    notice: str = ""
    skipped_files: tuple[SkippedFile, ...] = ()
    remarks: tuple[PlacedRemark, ...] = ()

    def report(self, *, verbose: bool = False) -> str:
        """How many tunes were kept, and what was dropped or left out.

        Tunes and files are listed by reason where there are more than `MAX_LISTED`, and what was
        left out of tunes by kind, each with the number and the first place. `verbose` lists all.
        Of a printed collection only the numbers are given, and its notice last.
        """
        total = len(self.tunes) + len(self.skipped_tunes)
        lines = [f"{len(self.tunes)} of {total} tunes read, {len(self.skipped_tunes)} dropped."]
        if self.notice and not verbose:
            lines += _count_kinds((_strip_details(one.reason), "") for one in self.skipped_tunes)
        else:
            lines += _list_or_count(self.skipped_tunes, verbose)
        if self.skipped_files:
            lines += ["Files left out:", *_list_or_count(self.skipped_files, verbose)]
        lines += self.describe_remarks(verbose=verbose)
        return "\n".join([*lines, *([self.notice] if self.notice else [])])

    def describe_remarks(self, *, verbose: bool = False) -> list[str]:
        """The lines of the report on what was left out of the tunes that were read."""
        if not self.remarks:
            return []
        # A printed collection's files are where music21 is installed.
        kinds = [
            (one.kind, Path(one.place).name if self.notice else one.place) for one in self.remarks
        ]
        shown = [f"  {one}" for one in self.remarks] if verbose else _count_kinds(kinds)
        return ["Left out of tunes and files that were read:", *shown]

    def count_reasons(self) -> Counter[str]:
        """How many tunes were dropped for each kind of reason; examples in it are left out."""
        return Counter(_strip_details(dropped.reason) for dropped in self.skipped_tunes)


MAX_LISTED = 20
"""How many dropped tunes, or files, a report lists one by one."""


def _list_or_count(items: Sequence[SkippedTune | SkippedFile], verbose: bool) -> list[str]:
    """All items, or the number of each reason with its first place."""
    if verbose or len(items) <= MAX_LISTED:
        return [f"  {one}" for one in items]
    return _count_kinds((_strip_details(one.reason), one.place) for one in items)


def _count_kinds(places: Iterable[tuple[str, str]]) -> list[str]:
    """Each kind with its number and first place, the most frequent first."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for kind, place in places:
        counts[kind] += 1
        first.setdefault(kind, place)
    return [
        f"  {count:4}  {kind}" + (f" (first: {first[kind]})" if first[kind] else "")
        for kind, count in counts.most_common()
    ]


def load_collections(
    paths: StrPaths | None = None,
    *,
    exclude: Callable[[abc_file.Block], str | None] = lambda block: None,
) -> Collection:
    """Read files of tunes, or the three collections that music21 includes if no path is given.

    The forms are those of `tune_files`. A folder stands for the files of tunes in and below it
    (`files.find_files`). A tune that cannot be read is dropped with its line and the reason; a tune
    with the tokens of an earlier one is dropped as a duplicate; so is one that `exclude` gives a
    reason for (such as `licences.find_exclusion_reason`). A file that holds no tune is left out, as
    long as it is not the only one.

    Raises:
        MissingExtraError: no path given and music21 is not installed.
        NoTunesError: no tune in any of the files could be read, or a folder holds none.
        TuneError: a file that was given, and is not only found in a folder, cannot be opened.
    """
    reader = _CollectionReader(exclude)
    for _ in reader.read_all(paths):
        pass
    return reader.finish(NOTICE if paths is None else "")


def iterate_collections(paths: StrPaths | None = None) -> Iterator[Tune]:
    """The tunes of `load_collections`, one after another; files are read as far as is asked for.

    Raises:
        As `load_collections`; NoTunesError after the last file.
    """
    reader = _CollectionReader(lambda block: None)
    yield from reader.read_all(paths)
    reader.finish("")


class _CollectionReader:
    def __init__(self, exclude: Callable[[abc_file.Block], str | None]) -> None:
        self.exclude = exclude
        self.found: dict[tuple[str, ...], Tune] = {}
        self.dropped: list[SkippedTune] = []
        self.skipped_files: list[SkippedFile] = []
        self.remarks: list[PlacedRemark] = []
        self.errors: list[TuneError] = []

    def read_all(self, paths: StrPaths | None) -> Iterator[Tune]:
        """Read these files and folders, or the included collections; each tune as it is found."""
        if paths is None:
            for file in _list_collection_files():
                yield from self.read(file)
        else:
            for path in to_paths(paths):
                yield from self.read_path(path)

    def read_path(self, path: Path) -> Iterator[Tune]:
        """Read a file, or those of a folder, where a file that cannot be opened is left out."""
        if not path.is_dir():
            yield from self.read(path)
            return
        try:
            files, skipped = find_files(path)
        except NoTunesError as error:
            self._skip(path, error)
            return
        self.skipped_files += skipped
        for file in files:
            try:
                yield from self.read(file)
            except TuneError as error:
                self._skip(file, error)

    def read(self, path: Path) -> Iterator[Tune]:
        """Read a file; one that holds no tune is left out.

        Raises:
            TuneError: it cannot be opened.
        """
        try:
            file = tune_files.read_file(path)
        except NoTunesError as error:
            self._skip(path, error)
            return
        self._place(str(path), file.remarks)
        for line, title, reason in file.problems:
            self.dropped.append(SkippedTune(str(path), line, title, reason))
        for block in file.blocks:
            tune = self._read_block(block)
            if tune is not None:
                yield tune

    def _read_block(self, block: abc_file.Block) -> Tune | None:
        """The tune, unless it is left out."""
        if reason := self.exclude(block):
            self._drop(block, block.line, reason)
            return None
        try:
            tune = from_abc(block)
            tune = replace(tune, rhythm=tune.rhythm or find_printed_dance(block))
        except AbcSyntaxError as error:
            self._drop(block, error.line, error.reason)
            return None
        first = self.found.setdefault(tune.tokens, tune)
        if first is tune:
            self._place(block.source, tune.remarks)
            return tune
        where = f"{Path(first.source).name}:{first.line}"
        self._drop(block, block.line, f"the same music as an earlier tune ({where})")
        return None

    def _drop(self, block: abc_file.Block, line: int, reason: str) -> None:
        self.dropped.append(SkippedTune(block.source, line, block.title, reason))

    def _place(self, source: str, remarks: Iterable[Remark]) -> None:
        self.remarks += (PlacedRemark(source, line, kind) for kind, line in remarks)

    def _skip(self, path: Path, error: TuneError) -> None:
        self.errors.append(error)
        reason = str(error).removeprefix(str(path)).removesuffix(".").strip(" :,")
        reason = _NO_TUNE if reason.startswith(_NO_TUNE) else reason
        self.skipped_files.append(SkippedFile(str(path), reason))

    def finish(self, notice: str) -> Collection:
        """The collection.

        Raises:
            NoTunesError: no tune was read.
        """
        if not self.found:
            if self.errors and not self.dropped:
                raise self.errors[0]
            raise NoTunesError(_describe_failure(self.dropped))
        return Collection(
            tuple(self.found.values()),
            tuple(self.dropped),
            notice,
            tuple(self.skipped_files),
            tuple(self.remarks),
        )


def _describe_failure(dropped: Sequence[SkippedTune]) -> str:
    first = f" The first: {dropped[0]}." if dropped else ""
    return f"None of {len(dropped)} tunes could be read.{first}"


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
    return [file for name in COLLECTIONS for file in find_files(corpus / name).files]


def _strip_details(reason: str) -> str:
    """A reason without what differs from tune to tune."""
    return reason.partition(" (")[0]
