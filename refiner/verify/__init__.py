"""How an answer is read and when two answers are the same."""
