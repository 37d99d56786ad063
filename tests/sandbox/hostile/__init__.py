"""Programs that a cell has to hold; see README.md."""
