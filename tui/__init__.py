"""The terminal UI: a client of the service."""
