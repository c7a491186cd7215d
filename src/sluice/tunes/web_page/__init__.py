"""A model of tunes as a page that composes, draws and plays, in one file without a network."""
