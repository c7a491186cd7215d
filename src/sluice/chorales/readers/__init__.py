"""Readers of music in parts: MusicXML, MIDI, piano rolls."""
