"""A tune as ABC, MEI, an engraved score, MIDI and sound."""
