"""From sequences of tokens to a trained model, and back to sequences."""
