"""The composing process: it holds the models, and composes for all web workers at once."""
