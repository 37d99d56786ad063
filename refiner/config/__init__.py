"""Where refiner keeps its files, and what the user set. Nothing here is written or read on import."""
