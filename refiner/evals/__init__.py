"""Data sets, statistics and replay."""
