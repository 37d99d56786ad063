"""Pure values: what a task, a run and an event are, and how a run's state is folded from its events."""
