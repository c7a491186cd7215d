"""What waits for a keeper, what is reported, and what keepers decide."""
