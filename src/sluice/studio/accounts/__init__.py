"""Members: sign-up, login, passwords, mail and privacy."""
