"""Collections of tunes: reading them, their families, licences and statistics."""
