"""The command line: words in, answer out."""
