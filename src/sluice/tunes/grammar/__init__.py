"""Which token may follow in a tune: bars, sections, cadences, form."""
