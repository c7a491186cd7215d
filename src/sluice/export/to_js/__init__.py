"""JavaScript of layers and of language models, as one module with the weights inside."""
