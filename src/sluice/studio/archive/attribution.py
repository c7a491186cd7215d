"""ABC as it is downloaded: as typed, with fields that say where it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable

from sluice.studio.archive.tables import ArchiveTune, Composition, Setting
from sluice.studio.languages import gettext as _
from sluice.tunes.notation.header_fields import write_field

_KEY = re.compile(r"^K:", re.MULTILINE)
_NUMBER = re.compile(r"^X:", re.MULTILINE)
_AFTER_NUMBER = re.compile(r"(?<=\n)(?!X:)")


def write_attributed_abc(
    tune: ArchiveTune, address: str, setting: Setting | None = None, number: int = 1
) -> str:
    """A tune's ABC, or one of its settings', with N:, S: and F: above K:; the rest as typed.

    Args:
        address: of this site, as `StudioConfig.public_address`.
        number: of the X: field that is added where there is none.
    """
    abc = tune.abc if setting is None else setting.abc
    if setting is None and tune.composition is not None:
        abc = remove_source(abc, tune.composition)
    listed = _list_fields(tune, address, setting)
    page = re.compile(rf"F:\s*{re.escape(f'{address}/tunes/{tune.id}')}(#.*)?")
    abc = _remove_lines(abc, lambda line: line in listed or page.fullmatch(line) is not None)
    fields = "".join(f"{field}\n" for field in listed)
    abc = abc.rstrip("\n") + "\n"
    if not _NUMBER.search(abc):
        abc = f"X:{number}\n{abc}"
    found = _KEY.search(abc) or _AFTER_NUMBER.search(abc)
    place = found.start() if found else len(abc)
    return abc[:place] + fields + abc[place:]


def remove_source(abc: str, composition: Composition) -> str:
    """ABC without the S: and F: of an earlier download that name this composition."""
    end = f"/c/{composition.code}"
    source = write_source(composition)
    return _remove_lines(
        abc, lambda line: line == source or (line.startswith(("S:", "F:")) and line.endswith(end))
    )


def write_source(composition: Composition) -> str:
    """The S: of a composition's own file."""
    return f"S:Sluice, model {composition.model[:12]}, seed {composition.seed}"


def _remove_lines(abc: str, is_removed: Callable[[str], bool]) -> str:
    """ABC without some of the lines above K:."""
    found = _KEY.search(abc)
    place = found.start() if found else len(abc)
    head = abc[:place].splitlines(keepends=True)
    return "".join(line for line in head if not is_removed(line.strip())) + abc[place:]


def _list_fields(tune: ArchiveTune, address: str, setting: Setting | None) -> list[str]:
    post = tune if setting is None else setting
    author = post.author.name if post.author else getattr(post, "author_name", "")
    name = author or _("someone without an account")
    part = "" if setting is None else f"#setting-{setting.number}"
    fields = [write_field("N", _("Added by {name}, {date}").format(
        name=name, date=f"{post.created_at:%Y-%m-%d}"
    ))]  # fmt: skip
    composition = tune.composition
    if setting is None and composition is not None:
        source = _("composed by Sluice, model {model}, seed {seed}").format(
            model=composition.model[:12], seed=composition.seed
        )
        fields.append(write_field("S", f"{source}, {address}/c/{composition.code}"))
    return [*fields, write_field("F", f"{address}/tunes/{tune.id}{part}")]
