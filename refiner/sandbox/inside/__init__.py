"""Programs that run inside a cell, of the standard library alone.

In there this package is called `_inside` and nothing of refiner's is on the path: its modules import each other
relatively (`from . import wire`), and a user's `values.py` stays the user's.
"""
