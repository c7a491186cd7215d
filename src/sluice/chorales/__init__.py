"""Music of several parts: Bach's chorales, composed note by note by a biaxial network."""
