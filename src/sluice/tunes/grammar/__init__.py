"""Which token may follow in a tune: bars, sections, cadences, form."""

from sluice.tunes.grammar.bars import TuneGrammar as TuneGrammar
