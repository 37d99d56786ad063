"""What an eval found, for people: a page, a table, a comment on a pull request."""
