"""Routes that answer with pages, a file a subject."""
