"""Stop rules: pure functions of a run's state, joined with `|` and `&`, and the language that names them."""
