"""C99 of layers and of language models, without a heap."""
