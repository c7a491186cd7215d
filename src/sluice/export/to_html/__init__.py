"""Models as pages: one HTML file each, which runs with no network."""
