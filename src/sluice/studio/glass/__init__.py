"""The glass box: what a model computed while it composed a tune, packed for a page to draw."""
