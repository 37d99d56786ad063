"""The embedded model: its weights, the server process that all refiner processes share, and the provider over it."""
