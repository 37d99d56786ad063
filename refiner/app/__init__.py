"""Composition: from settings and an input to a plan, a world and a run."""
