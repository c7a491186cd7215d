"""Folk music: ABC in and out, corpora, families, sound, and composing."""
