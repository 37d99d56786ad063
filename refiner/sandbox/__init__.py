"""Where code of a model runs: it can compute, and nothing else."""
