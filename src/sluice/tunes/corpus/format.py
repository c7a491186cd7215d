"""ABC files as a format that `sluice.sequence.load_data` reads."""

from __future__ import annotations

import re

import numpy as np

from sluice.files import StrPaths, to_paths
from sluice.sequence import Vocabulary
from sluice.sequence.data.formats import Format
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.readers.file_kinds import require_regular_file
from sluice.sequence.data.report import LoadReport, SkippedItem, pluralize
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.errors import DataError
from sluice.tunes.corpus import collections
from sluice.tunes.corpus.families import group_families
from sluice.tunes.errors import TuneError

_TUNE = re.compile(rb"(?:^|\r)X:.*?(?:^|\r)K:", re.MULTILINE | re.DOTALL)


def read_abc(files: StrPaths) -> Tokens:
    """Each tune as a sequence of tokens, its family as its group.

    Raises:
        DataError: no tune could be read, or a file cannot be opened.
    """
    files = to_paths(files)
    for path in files:
        require_regular_file(path)
    try:
        collection = collections.load_collections(files)
    except TuneError as error:
        raise DataError(str(error)) from None
    tunes = collection.tunes
    vocabulary = Vocabulary.of(tune.tokens for tune in tunes)
    ids = RaggedArray.of(
        (vocabulary.encode(tune.tokens) for tune in tunes), np.min_scalar_type(len(vocabulary) - 1)
    )
    groups = group_families(tunes)
    family = {place: number for number, places in enumerate(groups) for place in places}
    named = files[0].name if len(files) == 1 else pluralize(len(files), "file")
    understood = (
        f"{named}: ABC, {pluralize(len(tunes), 'tune')} in {len(groups):,} families, "
        f"{len(ids.flat):,} tokens, {len(vocabulary.tokens)} different."
    )
    return Tokens(
        vocabulary,
        ids,
        names=tuple(f"{tune.source}:{tune.line}: {tune.title}" for tune in tunes),
        groups=tuple(family[place] for place in range(len(tunes))),
        load_report=LoadReport(
            understood,
            notes=tuple(collection.describe_remarks()),
            skipped_items=(
                *(SkippedItem(one.path, None, one.reason) for one in collection.skipped_files),
                *(
                    SkippedItem(one.source, one.line, f"{one.title}: {one.reason}")
                    for one in collection.skipped_tunes
                ),
            ),
        ),
    )


ABC = Format("abc", (".abc",), lambda head: _TUNE.search(head) is not None, read_abc)
