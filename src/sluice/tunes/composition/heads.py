"""What stands before the music of a tune: dance, meter and mode, as a model has learnt them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sluice.sequence import Checkpoint
from sluice.tunes.corpus.repertoire import MIN_REQUIRED, TuneCounts, list_learnt
from sluice.tunes.errors import TuneError
from sluice.tunes.theory.dances import LEARNT_AS, find_dance, normalise_dance


@dataclass(frozen=True)
class HeadChooser:
    """The dances, meters and modes that a model offers: those it has learnt from enough tunes.

    A model file without counts of its training tunes offers all meters and modes that it knows,
    and sets the meter of a dance only.
    """

    checkpoint: Checkpoint

    @property
    def counts(self) -> TuneCounts:
        """How many training tunes there are of each kind; empty where the file does not say."""
        counts: Mapping[str, Mapping[str, int]] = self.checkpoint.metadata.get("counts", {})
        return counts

    def list_dances(self) -> list[str]:
        """The dances that the model has learnt."""
        return self._list_known("R:", "dances")

    def choose(self, dance: str | None, meter: str | None, mode: str | None) -> list[list[int]]:
        """The ids to choose from for dance, if the model knows dances, meter and mode.

        Raises:
            TuneError: one that the model does not know, or has not learnt.
        """
        modes = self._choose("K:C", "modes", None if mode is None else [mode])
        if dance is None:
            meters = self._choose("M:", "meters", None if meter is None else [meter])
            dances = [name for name in self.list_dances() if self._is_danced(name, meter)]
            return [*([self._encode("R:", dances)] if dances else []), meters, modes]
        learnt = self._find_learnt(dance)
        wanted = self._find_meters(dance, learnt, meter)
        meters = self._choose("M:", "meters", wanted)
        return [*([self._encode("R:", [learnt])] if learnt else []), meters, modes]

    def _find_learnt(self, dance: str) -> str:
        """The dance whose token is read, or nothing where the model knows no dances."""
        find_dance(dance)
        name, known = normalise_dance(dance), self.list_dances()
        for possible in (name, LEARNT_AS.get(name, "")):
            if possible in known:
                return possible
        if known:
            number = self.counts.get("dances", {}).get(name, 0)
            tunes = "no tune" if not number else "1 tune" if number == 1 else f"{number} tunes"
            raise TuneError(
                f"The model has learnt from {tunes} of the kind {dance!r}, which is too few; "
                f"it composes {self._describe(known, 'dances')}."
            )
        return ""

    def _find_meters(self, dance: str, learnt: str, meter: str | None) -> list[str]:
        usual = find_dance(dance).meters
        known = [one for one in usual if not learnt or self._is_danced(learnt, one)] or [*usual]
        if meter is None:
            return known
        if meter not in usual and not (learnt and self._is_danced(learnt, meter)):
            raise TuneError(f"The meter of a {dance} must be {' or '.join(known)}, got {meter!r}.")
        return [meter]

    def _is_danced(self, dance: str, meter: str | None) -> bool:
        """Whether some training tunes of the dance are in that meter."""
        together = self.counts.get("dances in meters", {})
        return meter is None or together.get(f"{dance} {meter}", 0) >= MIN_REQUIRED

    def _choose(self, prefix: str, what: str, values: list[str] | None) -> list[int]:
        known = self._list_known(prefix, what)
        chosen = [name for name in known if values is None or name in values]
        if not chosen:
            raise TuneError(
                f"The {what[:-1]} must be one that the model was trained on, "
                f"{self._describe(known, what)}, got {' or '.join(map(repr, values or []))}."
            )
        return self._encode(prefix, chosen)

    def _list_known(self, prefix: str, what: str) -> list[str]:
        tokens = self.checkpoint.vocabulary.tokens
        known = [t.removeprefix(prefix) for t in tokens if t.startswith(prefix)]
        learnt = list_learnt(self.counts, what) if self.counts else known
        return [name for name in learnt if name in known]

    def _describe(self, names: Iterable[str], what: str) -> str:
        counts = self.counts.get(what, {})
        return ", ".join(f"{name} ({counts[name]} tunes)" if counts else name for name in names)

    def _encode(self, prefix: str, names: Iterable[str]) -> list[int]:
        return self.checkpoint.vocabulary.encode([f"{prefix}{name}" for name in names])
