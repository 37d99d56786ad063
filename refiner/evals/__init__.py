"""How good strategies are: data sets, statistics, and other rules tried on what was recorded."""
