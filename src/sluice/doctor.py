"""What this machine offers, and which backend each cell runs on here."""
