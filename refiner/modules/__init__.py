"""Parametrised modules: variables held as attributes, saved as JSON, compiled over a training set."""
