"""From the lecture's sources in ``lecture/`` to pages, notebooks and slides, in two languages."""
