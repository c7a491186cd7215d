"""The studio: a site on which folk tunes are composed, shown and shared, for `sluice studio`."""
