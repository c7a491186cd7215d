"""Files that the studio gives away: scores, sounds, books, data sets and backups."""
