"""Settings: where they come from, what they may be, and where refiner keeps its files."""
