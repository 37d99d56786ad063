"""Runs and events in SQL: tables, migrations, content-addressed texts."""
